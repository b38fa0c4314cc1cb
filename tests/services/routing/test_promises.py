"""What holds whatever happens at once: no agent beyond his capacity, one owner, and nobody who waits unseen."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from services.routing.models import Agent
from shared.events import Event
from shared.events.routing import ConversationAssigned, ConversationUnassigned
from shared.http import Conflict, NotFound
from shared.ids import new_id
from tests.services.routing.counter import Counter, tenant_changed, user_changed
from tests.support.conversations import Conversation
from tests.support.events import NOON
from tests.support.machine import Machine

LARGEST = 3


@dataclass
class Crowd:
    """Customers and agents who do whatever comes to their minds, through several processes at once."""

    chance: random.Random
    agents: list[UUID] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    seconds: Iterator[int] = field(default_factory=lambda: count(1))

    async def do_something(self, counter: Counter) -> None:
        """One thing, which may be refused."""
        acts: list[Callable[[Counter], Awaitable[None]]] = [
            self.begin, self.begin, self.say, self.come_or_go, self.set_capacity, self.answer, self.answer, self.give,
        ]  # fmt: skip
        with suppress(Conflict, NotFound):
            await self.chance.choice(acts)(counter)

    async def begin(self, counter: Counter) -> None:
        begun = [Conversation(counter.tenant_id) for _ in range(self.chance.randint(1, 4))]
        await counter.hear(*(one.opened(next(self.seconds)) for one in begun))
        self.conversations += begun

    async def say(self, counter: Counter) -> None:
        if self.conversations:
            one, at = self.chance.choice(self.conversations), next(self.seconds)
            said = [one.resolved(at), one.reopened(at), one.changed(at, "snoozed"), one.message(at), one.resolved(at)]
            await counter.hear(self.chance.choice(said))

    async def come_or_go(self, counter: Counter) -> None:
        status = self.chance.choice(["online", "online", "away", "offline"])
        await counter.presence(self.chance.choice(self.agents), status)

    async def set_capacity(self, counter: Counter) -> None:
        await counter.change(self.chance.choice(self.agents), capacity=self.chance.randint(0, LARGEST))

    async def answer(self, counter: Counter) -> None:
        offers = await counter.offers()
        if not offers:
            return
        offer = self.chance.choice(offers)
        if self.chance.random() < 0.2:
            await counter.expire(offer)
        else:
            await counter.answer(offer, self.chance.choice(["accepted", "declined"]))

    async def give(self, counter: Counter) -> None:
        if self.conversations:
            somebody = self.chance.choice([*self.agents, None])
            await counter.assign(self.chance.choice(self.conversations), somebody)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_at_once_the_promises_hold(machine: Machine, seed: int) -> None:
    tenant_id = new_id()
    async with AsyncExitStack() as stack:
        processes = []
        for _ in range(4):
            database = machine.database("routing")
            stack.push_async_callback(database.close)
            processes.append(Counter(database, tenant_id))
        crowd = Crowd(random.Random(seed))
        crowd.agents = [await processes[0].agent("offline", auto_accept=place % 2 == 0) for place in range(4)]

        for _ in range(30):
            await asyncio.gather(*map(crowd.do_something, processes))
            assert await processes[0].broken_promises() == []
        await _check_history(processes[0])


async def _check_history(counter: Counter) -> None:
    """As it was told, each conversation had one owner at a time, and no load was ever above the largest capacity."""
    owner: dict[UUID, UUID] = {}
    for event in await counter.said(ConversationAssigned, ConversationUnassigned):
        if isinstance(event, ConversationAssigned):
            assert event.conversation_id not in owner
            owner[event.conversation_id] = event.agent_id
        else:
            assert owner.pop(event.conversation_id) == event.agent_id
    async with counter.database.unit_of_work([counter.tenant_id]) as uow:
        query = text("SELECT conversation_id, agent_id FROM cases WHERE tenant_id = :tenant AND agent_id IS NOT NULL")
        kept = {row[0]: row[1] for row in await uow.session.execute(query, {"tenant": counter.tenant_id})}
        loads = (await uow.session.execute(text("SELECT load FROM agents"))).scalars().all()
    assert owner == kept
    assert max(loads) <= LARGEST


async def test_the_database_itself_gives_nobody_more_than_his_capacity(counter: Counter) -> None:
    agent = await counter.agent(capacity=2)
    await counter.begin(2)
    with pytest.raises(IntegrityError, match="capacity"):
        async with counter.database.unit_of_work([counter.tenant_id]) as uow:
            await uow.session.execute(text("UPDATE agents SET load = load + 1 WHERE id = :id"), {"id": agent})


async def test_of_two_who_take_the_last_place_one_is_refused(machine: Machine, counter: Counter) -> None:
    other = Counter(machine.database("routing"), counter.tenant_id)
    agent = await counter.agent("away", capacity=1)
    first, second = [*await counter.begin(), *await other.begin()]
    outcomes = await asyncio.gather(counter.assign(first, agent), other.assign(second, agent), return_exceptions=True)
    await other.database.close()
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Conflict]
    assert await counter.load(agent) == 1


def story(tenant_id: UUID, one: Conversation, agent_id: UUID) -> list[Event]:
    """One conversation, its tenant and its agent, each told of by its own speaker."""
    return [
        tenant_changed(tenant_id),
        user_changed(tenant_id, agent_id),
        one.opened(1),
        one.message(1),
        one.changed(2, "snoozed"),
        one.message(3),
        one.resolved(4),
        one.reopened(5),
    ]


async def _state(counter: Counter, one: Conversation, agent_id: UUID) -> dict[str, Any]:
    case = await counter.case(one)
    async with counter.database.unit_of_work([counter.tenant_id]) as uow:
        agent = await uow.session.get_one(Agent, agent_id)
        queue = await uow.session.scalar(text("SELECT name FROM queues WHERE id = :id"), {"id": counter.tenant_id})
    return {
        "status": case.status,
        "queue": (case.queue_id, queue),
        "answered": (case.agent_id, case.offered_to),
        "told": case.told_at,
        "closed": case.closed_at,
        "agent": (agent.status, agent.load),
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(8)))
async def test_in_whatever_order_things_are_heard_the_end_is_the_same(machine: Machine, order: list[int]) -> None:
    database = machine.database("routing")
    counter, agent_id = Counter(database), new_id()
    one = Conversation(counter.tenant_id)
    events = story(counter.tenant_id, one, agent_id)
    for place in order:
        await counter.hear(events[place])
    await counter.presence(agent_id, "online")
    assert await _state(counter, one, agent_id) == {
        "status": "open",
        "queue": (counter.tenant_id, "Geral"),
        "answered": (None, agent_id),
        "told": NOON + timedelta(seconds=5),
        "closed": None,
        "agent": ("online", 1),
    }
    assert await counter.broken_promises() == []
    await database.close()


async def test_what_is_heard_twice_takes_effect_once(counter: Counter) -> None:
    agent = await counter.agent()
    (one,) = await counter.begin()
    message = one.message(1)
    for _ in range(2):
        await counter.hear(one.opened(1), message)
    assert await counter.load(agent) == 1
    assert len(await counter.said(ConversationAssigned)) == 1
