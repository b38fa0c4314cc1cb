"""Where a conversation waits and who answers: shown as routing decided last, in whatever order its word comes."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.conversation.app import service
from shared.db import Database
from shared.events import Event
from shared.events.routing import ConversationAssigned, ConversationQueued, ConversationUnassigned
from shared.ids import new_id
from tests.support.events import NOON, message_received
from tests.support.hearing import hear, said_at

QUEUE, OTHER_QUEUE, AGENT, OTHER_AGENT = (new_id() for _ in range(4))


async def begun(agent: httpx.AsyncClient, database: Database, tenant_id: UUID, senders: str = "a") -> list[Any]:
    await hear(service, database, *(message_received(tenant_id, sender) for sender in senders))
    found: list[Any] = (await agent.get("/conversations")).json()["items"]
    return found


class Decisions:
    """What routing says of one conversation, so many seconds after noon."""

    def __init__(self, tenant_id: UUID, shown: dict[str, Any]) -> None:
        self._whose = {
            "tenant_id": tenant_id,
            "conversation_id": shown["id"],
            "contact_id": shown["contact_id"],
            "channel_id": shown["channel_id"],
        }

    def queued(self, seconds: float, queue_id: UUID = QUEUE) -> Event:
        moment = NOON + timedelta(seconds=seconds)
        return said_at(moment, ConversationQueued(**self._whose, queue_id=queue_id, queued_at=moment))

    def assigned(self, seconds: float, agent_id: UUID = AGENT, queue_id: UUID | None = QUEUE) -> Event:
        moment = NOON + timedelta(seconds=seconds)
        event = ConversationAssigned(**self._whose, queue_id=queue_id, agent_id=agent_id, assigned_at=moment)
        return said_at(moment, event)

    def unassigned(self, seconds: float, agent_id: UUID = AGENT, reason: str = "taken_back") -> Event:
        moment = NOON + timedelta(seconds=seconds)
        event = ConversationUnassigned(**self._whose, agent_id=agent_id, reason=reason, unassigned_at=moment)
        return said_at(moment, event)


async def routed(agent: httpx.AsyncClient, shown: dict[str, Any]) -> tuple[str | None, str | None]:
    found = (await agent.get(f"/conversations/{shown['id']}")).json()
    return found["queue_id"], found["assignee_id"]


async def test_a_conversation_shows_where_it_waits_and_then_who_answers(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    (shown,) = await begun(agent, database, tenant_id)
    decisions = Decisions(tenant_id, shown)
    assert await routed(agent, shown) == (None, None)
    await hear(service, database, decisions.queued(1))
    assert await routed(agent, shown) == (str(QUEUE), None)
    await hear(service, database, decisions.assigned(2))
    assert await routed(agent, shown) == (str(QUEUE), str(AGENT))
    await hear(service, database, decisions.unassigned(3, reason="resolved"))
    assert await routed(agent, shown) == (None, None)


STORIES = {
    "taken back": (("queued", 1), ("assigned", 2), ("unassigned", 3), ("queued", 3)),
    "assigned at once": (("queued", 1), ("assigned", 1)),
    "handed over": (("assigned", 1), ("unassigned", 2), ("assigned", 2, OTHER_AGENT, OTHER_QUEUE)),
    "resolved": (("queued", 1), ("assigned", 2), ("unassigned", 3)),
    "caught up": (("queued", 1), ("assigned", 1), ("unassigned", 1)),
}
ENDS = {
    "taken back": (str(QUEUE), None),
    "assigned at once": (str(QUEUE), str(AGENT)),
    "handed over": (str(OTHER_QUEUE), str(OTHER_AGENT)),
    "resolved": (None, None),
    "caught up": (None, None),
}


def _keeps_moments(order: Sequence[Any], story: Sequence[Any]) -> bool:
    return sorted(order, key=lambda one: int(one[1])) == list(story)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("story", STORIES)
async def test_in_whatever_order_decisions_come_the_last_one_holds(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID, story: str, *, together: bool
) -> None:
    # What one transaction decided bears one time, and is told in its order.
    orders: Sequence[Any] = [order for order in permutations(STORIES[story]) if _keeps_moments(order, STORIES[story])]
    senders = "".join(chr(ord("a") + number) for number in range(len(orders)))
    conversations = await begun(agent, database, tenant_id, senders)
    for shown, order in zip(conversations, orders, strict=True):
        decisions = Decisions(tenant_id, shown)
        events: list[Event] = [getattr(decisions, name)(*fields) for name, *fields in order]
        for batch in [events] if together else [[event] for event in events]:
            await hear(service, database, *batch)
    found = (await agent.get("/conversations")).json()["items"]
    assert {(one["queue_id"], one["assignee_id"]) for one in found} == {ENDS[story]}


async def test_lists_are_filtered_by_what_routing_decided(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    one, other, _ = await begun(agent, database, tenant_id, "abc")
    await hear(service, database, Decisions(tenant_id, one).assigned(1), Decisions(tenant_id, other).queued(1))

    async def ids(**query: Any) -> set[str]:
        return {item["id"] for item in (await agent.get("/conversations", params=query)).json()["items"]}

    assert await ids(queue_id=QUEUE) == {one["id"], other["id"]}
    assert await ids(assignee_id=AGENT) == {one["id"]}
    assert await ids(assignee_id=OTHER_AGENT) == set()


async def test_a_decision_is_a_change_but_stands_in_nobodys_way(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    (shown,) = await begun(agent, database, tenant_id)
    path = f"/conversations/{shown['id']}"
    before = await agent.get(path)
    await hear(service, database, Decisions(tenant_id, shown).queued(1))
    after = await agent.get(path)
    assert after.headers["etag"] == before.headers["etag"]
    assert after.json()["updated_at"] > before.json()["updated_at"]
    since = {"updated_since": after.json()["updated_at"]}
    assert len((await agent.get("/conversations", params=since)).json()["items"]) == 1


async def test_decisions_on_many_conversations_meet_arriving_messages_without_locking_each_other_out(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    senders = "abcdefgh"
    conversations = await begun(agent, database, tenant_id, senders)

    async def decide(number: int) -> None:
        turned = conversations[number:] + conversations[:number]
        await hear(service, database, *(Decisions(tenant_id, shown).assigned(number) for shown in turned))

    async def write(number: int) -> None:
        turned = senders[number:] + senders[:number]
        await hear(service, database, *(message_received(tenant_id, sender, number + 1) for sender in turned))

    await asyncio.gather(*(decide(number) for number in range(2)), *(write(number) for number in range(2)))
    found = (await agent.get("/conversations")).json()["items"]
    assert [(one["message_count"], one["assignee_id"]) for one in found] == [(3, str(AGENT))] * 8


async def test_what_is_decided_of_another_tenants_conversation_changes_nothing(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    (shown,) = await begun(agent, database, tenant_id)
    await hear(service, database, Decisions(new_id(), shown).queued(1))
    assert await routed(agent, shown) == (None, None)
