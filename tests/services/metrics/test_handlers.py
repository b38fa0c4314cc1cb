"""What is heard is written down once, measured soon after, and comes out the same in whatever order it is heard."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from sqlalchemy import Executable, delete, func, select, text, update
from sqlalchemy.exc import ProgrammingError

from services.metrics import handlers, store
from services.metrics.app import service
from services.metrics.domain import FactKind
from services.metrics.models import Fact, Measure, MeasuredConversation
from services.metrics.settings import Settings
from services.metrics.store.facts import PAUSE
from shared.bus.consumer import give
from shared.db import Database
from shared.events import Event
from shared.ids import new_id
from tests.services.metrics.stories import (
    AFTERNOONS,
    ANA,
    LATER,
    REPAIRS,
    RUI,
    SALES,
    Story,
    hours,
    measure,
    measured,
    tenant,
    told,
)
from tests.support.events import NOON
from tests.support.hearing import hear
from tests.support.machine import BrokerAddress, Machine
from tests.support.serving import serving
from tests.support.waiting import until

LIVES = 12
"""So many orders are tried of a long one."""


async def hear_now(database: Database, *events: Event) -> None:
    """By a clock by which jobs are done at once."""
    await hear(service, database, *events, now=datetime.now(UTC))


async def facts(database: Database, one: Story) -> list[Fact]:
    async with database.unit_of_work([one.tenant_id]) as uow:
        query = select(Fact).where(Fact.conversation_id == one.conversation_id).order_by(Fact.happened_at)
        return list(await uow.session.scalars(query))


async def open_seconds(database: Database, tenant_id: UUID) -> list[float | None]:
    """How much of each first reply's time it was open."""
    return [told.business for told in await measured(database, tenant_id) if told.metric == "first-reply-time"]


async def due(database: Database, one: Story) -> datetime | None:
    async with database.unit_of_work(()) as uow:
        query = select(MeasuredConversation.due_at).where(MeasuredConversation.conversation_id == one.conversation_id)
        return (await uow.session.scalars(query)).one()


async def test_a_fact_holds_what_counts_and_nobodys_name(database: Database, tenant_id: UUID) -> None:
    one = Story(tenant_id)
    await hear(service, database, one.wrote(1), one.replied(2), one.replied_elsewhere(3), one.replied_automatically(4))
    await hear(service, database, one.queued(5), one.assigned(6), one.unassigned(7))
    await hear(service, database, one.unassigned(8, reason="reassigned"), one.replied(10, "no id"))
    await hear(service, database, one.labelled(9, "bread", status="snoozed"))
    assert [(fact.kind, fact.agent_id, fact.queue_id, fact.labels) for fact in await facts(database, one)] == [
        (FactKind.MESSAGE_RECEIVED, None, None, None),
        (FactKind.MESSAGE_SENT, ANA, None, None),
        (FactKind.MESSAGE_SENT, None, None, None),
        (FactKind.AUTOMATIC_MESSAGE_SENT, None, None, None),
        (FactKind.CONVERSATION_QUEUED, None, SALES, None),
        (FactKind.CONVERSATION_ASSIGNED, ANA, SALES, None),
        (FactKind.CONVERSATION_UNASSIGNED, ANA, None, None),
        (FactKind.CONVERSATION_REASSIGNED, ANA, None, None),
        (FactKind.CONVERSATION_CHANGED, None, None, ["bread"]),
        (FactKind.MESSAGE_SENT, None, None, None),
    ]


async def test_things_happened_in_the_order_in_which_they_were_told(database: Database, tenant_id: UUID) -> None:
    """The fields are the starts of transactions, which had to wait for each other; a provider's clock is ahead."""
    for order in permutations(range(4)):
        one = Story(tenant_id)
        later = [
            told(10.1, one.resolved(10.05)),
            told(10.2, one.reopened(10)),
            told(10.2, one.wrote(99)),
            told(12.5, one.replied(12)),
        ]
        await hear(service, database, one.opened(0), one.wrote(0), one.replied(5), *(later[place] for place in order))
    await measure(database)
    found = Counter((it.metric, it.cycle, it.began, it.ended) for it in await measured(database, tenant_id))
    of_each = {
        *(("conversations-opened", 1, 0, 0), ("first-reply-time", 1, 0, 5), ("conversations-resolved", 1, 10.1, 10.1)),
        *(("resolution-time", 1, 0, 10.1), ("backlog", 1, 0, 10.1), ("conversations-reopened", 2, 10.2, 10.2)),
        *(("first-reply-time", 2, 10.2, 12), ("backlog", 2, 10.2, None)),
    }
    assert found == dict.fromkeys(of_each, 24)


async def test_what_is_heard_again_is_written_down_once(database: Database, tenant_id: UUID) -> None:
    one = Story(tenant_id)
    message = one.wrote(1)
    await hear(service, database, message, message)
    await hear(service, database, message)
    assert len(await facts(database, one)) == 1


@pytest.mark.parametrize("change", [delete(Fact), update(Fact).values(kind="message sent"), text("TRUNCATE facts")])
async def test_nobody_changes_what_happened(database: Database, tenant_id: UUID, change: Executable) -> None:
    await hear(service, database, Story(tenant_id).wrote(1))
    with pytest.raises(ProgrammingError, match=r"only ever added to|permission denied"):
        async with database.unit_of_work([tenant_id]) as uow:
            await uow.session.execute(change)


async def test_a_conversation_is_measured_soon_after_something_was_heard_of_it(
    database: Database, tenant_id: UUID
) -> None:
    one = Story(tenant_id)
    await hear(service, database, one.opened(0), one.wrote(0))
    await hear(service, database, one.replied(7), now=NOON + timedelta(seconds=0.5))
    assert await due(database, one) == NOON + timedelta(seconds=1)
    await handlers.measure_due(database, NOON + timedelta(seconds=0.9))
    assert await measured(database, tenant_id) == []
    await measure(database)
    assert await due(database, one) is None
    assert "first-reply-time" in {told.metric for told in await measured(database, tenant_id)}


async def test_a_process_that_does_jobs_measures_by_itself(
    machine: Machine, broker_address: BrokerAddress, database: Database, tenant_id: UUID
) -> None:
    one = Story(tenant_id)
    await hear(service, database, one.opened(0), one.wrote(0), one.replied(7))
    async with serving(service, machine.settings(Settings, "metrics", broker_address, runs="jobs")):
        await until(lambda: measured(database, tenant_id), lambda told: len(told) == 3)


async def test_a_long_conversation_waits_the_longer(database: Database, tenant_id: UUID) -> None:
    one = Story(tenant_id)
    await hear(service, database, *(one.wrote(second) for second in range(100)))
    await measure(database)
    await hear(service, database, one.wrote(100))
    assert await due(database, one) == NOON + 100 * PAUSE


async def test_nor_is_it_measured_without_pause_when_more_is_heard_while_it_is_measured(
    database: Database, tenant_id: UUID
) -> None:
    one = Story(tenant_id)
    which = store.Which(tenant_id, one.conversation_id)
    await hear(service, database, *(one.wrote(second) for second in range(100)))
    async with database.unit_of_work([tenant_id], now=LATER) as uow:
        held = await store.try_to_hold([which], uow.session, most=1)
        found = await store.facts_of([which], uow.session)
        await hear(service, database, one.wrote(100))
        assert not await store.settle(held, found, LATER, uow.session)
    await handlers.measure_due(database, LATER + 99 * PAUSE)
    assert await due(database, one) == LATER + 100 * PAUSE


async def test_two_processes_share_the_work(database: Database, tenant_id: UUID) -> None:
    stories = [Story(tenant_id) for _ in range(120)]
    await hear(service, database, *(event for one in stories for event in (one.opened(1), one.wrote(1))))
    done = [0]
    while any(done := await asyncio.gather(*(handlers.measure_due(database, LATER) for _ in range(3)))):
        assert all(count <= handlers.AT_ONCE for count in done)
    assert len(await measured(database, tenant_id)) == 2 * len(stories)


async def test_what_is_heard_while_it_is_measured_is_measured_next(database: Database, tenant_id: UUID) -> None:
    one = Story(tenant_id)
    await hear(service, database, one.opened(0), one.wrote(0))
    async with database.unit_of_work([tenant_id]) as uow:
        # In the middle of a transaction that is not committed yet.
        await give(service.hears, [one.replied(7)], uow)
        await handlers.measure_due(database, LATER)
    assert await due(database, one) is not None
    await measure(database)
    assert "first-reply-time" in {told.metric for told in await measured(database, tenant_id)}


async def test_what_cannot_be_measured_keeps_no_other_from_it(database: Database, tenant_id: UUID) -> None:
    one, other = Story(new_id()), Story(tenant_id)
    spoilt = {"monday": [{"start": "nine", "end": "late"}]}
    await hear(service, database, hours(one.tenant_id, spoilt), one.opened(1), one.wrote(1), one.replied(2))
    await hear(service, database, other.opened(1), other.wrote(1), other.replied(2))
    await handlers.measure_due(database, LATER)
    assert await due(database, one) == LATER + handlers.PUT_OFF
    assert len(await measured(database, tenant_id)) == 3
    assert await measured(database, one.tenant_id) == []
    # They never held.
    await hear_now(database, hours(one.tenant_id, None, 2, seconds=-86_399))
    await measure(database)
    assert len(await measured(database, one.tenant_id)) == 3


async def test_hours_that_are_told_late_hold_for_what_happened_since(database: Database, tenant_id: UUID) -> None:
    one = Story(tenant_id)
    late: list[tuple[Event, float]] = [
        (tenant(tenant_id, seconds=-1000), 7200),
        (hours(tenant_id, AFTERNOONS), 3600),
        (tenant(tenant_id, "America/Sao_Paulo", 2, seconds=-10), 0),
        (hours(tenant_id, None, 2, seconds=-5), 7200),
    ]
    await hear_now(database, one.opened(0), one.wrote(0), one.replied(7200))
    for event, seconds in late:
        await hear_now(database, event)
        await measure(database)
        assert await open_seconds(database, tenant_id) == [seconds]


async def test_all_that_is_concerned_is_measured_again_in_portions(database: Database, tenant_id: UUID) -> None:
    stories = [Story(tenant_id) for _ in range(5)]
    await hear_now(database, *(event for one in stories for event in (one.opened(0), one.wrote(0), one.replied(7200))))
    await measure(database)
    async with database.unit_of_work([tenant_id]) as uow:
        await give(service.hears, [hours(tenant_id, AFTERNOONS)], uow)
        uow.forget()
        await handlers.measure_again(handlers.MeasureAgain(tenant_id=tenant_id, since=NOON), uow, portion=2)
    marked = [one for one in stories if await due(database, one)]
    assert len(marked) == 2
    await measure(database)
    assert await open_seconds(database, tenant_id) == [3600] * 5


def life(one: Story) -> list[Event]:
    """Two cycles, two agents, two queues; the hours and the place of the tenant change on the way."""
    return [
        tenant(one.tenant_id, version=1, seconds=-1000),
        tenant(one.tenant_id, "America/Sao_Paulo", 2, country="BR", seconds=5000),
        hours(one.tenant_id, AFTERNOONS),
        hours(one.tenant_id, {"friday": [{"start": "12:00", "end": "12:30"}]}, queue=REPAIRS),
        hours(one.tenant_id, None, 2, seconds=3000, queue=REPAIRS),
        one.opened(1),
        one.wrote(0),
        one.queued(2),
        one.replied_automatically(3),
        one.assigned(60),
        one.replied(90),
        one.wrote(100),
        one.unassigned(120),
        one.queued(2, REPAIRS),
        one.assigned(1500, RUI, REPAIRS),
        one.replied(1800, RUI),
        one.labelled(1900, "bread"),
        one.resolved_as(2000, "bread", "late"),
        one.unassigned(2000.5, RUI, "resolved"),
        one.wrote(3600),
        one.reopened_as(3601, "bread", "late"),
        one.queued(3601),
        one.assigned(4000),
        one.replied(9000),
        one.resolved(9001),
    ]


async def test_in_whatever_order_things_are_heard_the_same_is_measured(database: Database) -> None:
    chance, straight = random.Random(20261122), Story(new_id())
    await hear_now(database, *life(straight))
    stories = [Story(new_id()) for _ in range(LIVES)]
    lives = [life(one) for one in stories]
    for events in lives:
        chance.shuffle(events)
    while any(lives):
        batch = [events.pop() for events in lives for _ in range(min(len(events), chance.randint(0, 6)))]
        again = chance.sample(batch, len(batch) // 5)
        await hear_now(database, *batch)
        await handlers.measure_due(database, LATER)
        await hear_now(database, *again)
    await measure(database)
    expected = await measured(database, straight.tenant_id)
    assert all([await measured(database, one.tenant_id) == expected for one in stories])
    assert {told.metric for told in expected} >= {"waiting-time", "handling-time", "next-reply-time", "resolution-time"}


async def test_a_short_life_comes_out_the_same_in_every_order(database: Database, tenant_id: UUID) -> None:
    orders = list(permutations(range(5)))
    lives = [
        [one.opened(1), one.wrote(1), one.assigned(5), one.replied(8), one.resolved_as(9, "bread")]
        for one in (Story(tenant_id) for _ in orders)
    ]
    for turn in range(5):
        await hear_now(database, *(events[order[turn]] for events, order in zip(lives, orders, strict=True)))
        await measure(database)
    found = Counter(await measured(database, tenant_id))
    assert set(found.values()) == {len(orders)}
    assert len(found) == 7


async def test_a_measure_is_replaced_and_not_added_to(database: Database, tenant_id: UUID) -> None:
    one = Story(tenant_id)
    await hear(service, database, one.opened(0), one.wrote(0), one.replied(9))
    await measure(database)
    await hear(service, database, one.replied(4))
    await measure(database)
    async with database.unit_of_work([tenant_id]) as uow:
        query = select(func.count()).where(Measure.metric == "first-reply-time")
        assert await uow.session.scalar(query) == 1
    assert [told.ended for told in await measured(database, tenant_id) if told.metric == "first-reply-time"] == [4]
