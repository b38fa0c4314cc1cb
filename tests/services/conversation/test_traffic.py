"""Events and requests meet: what arrives while people work is neither lost nor in their way."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.conversation.app import service
from shared.db import Database
from shared.events import Event
from shared.events.ingest import Content, MessageEdited, MessageReceived, MessageRevoked, ReactionChanged
from shared.ids import new_id
from tests.support.events import message_received
from tests.support.hearing import hear


async def only(agent: httpx.AsyncClient) -> str:
    """The path of the only conversation."""
    (conversation,) = (await agent.get("/conversations")).json()["items"]
    return f"/conversations/{conversation['id']}"


async def messages(agent: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await agent.get(f"{await only(agent)}/messages")).json()["items"]
    return found


async def test_what_one_poll_brings_of_several_kinds_takes_effect_in_order(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    first, second, third = (message_received(tenant_id, number=number) for number in range(3))

    def about(message: MessageReceived) -> dict[str, Any]:
        return {name: getattr(message, name) for name in MessageRevoked.model_fields}

    batch: list[Event] = [
        first,
        MessageEdited(**about(first), content=Content(type="text", text="edited")),
        second,
        ReactionChanged(**about(first), emoji="👍"),
        MessageRevoked(**about(second)),
        third,
    ]
    await hear(service, database, *batch)
    assert [(one["text"], one["type"], one["reactions"], one["seq"]) for one in await messages(agent)] == [
        ("edited", "text", ["👍"], 1),
        (None, "revoked", [], 2),
        ("text 2", "text", [], 3),
    ]


async def test_the_same_number_on_another_channel_is_not_known_there(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await hear(service, database, message_received(tenant_id), message_received(tenant_id, channel_id=new_id()))
    assert len((await agent.get("/contacts")).json()["items"]) == 2


async def test_a_message_does_not_stand_in_the_way_of_who_changes_the_conversation(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await hear(service, database, message_received(tenant_id))
    path = await only(agent)
    version = (await agent.get(path)).headers["etag"]
    await hear(service, database, message_received(tenant_id, number=1))
    changed = await agent.patch(path, json={"priority": "high"}, headers={"If-Match": version})
    assert (changed.status_code, changed.json()["message_count"]) == (200, 2)
    late = await agent.patch(path, json={"priority": "low"}, headers={"If-Match": version})
    assert late.status_code == 412


async def test_a_customer_ends_a_snooze_and_the_tenants_own_words_do_not(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await hear(service, database, message_received(tenant_id))
    path = await only(agent)
    snooze = {"status": "snoozed", "snoozed_until": "2126-01-01T00:00:00Z"}
    assert (await agent.patch(path, json=snooze)).status_code == 200
    await hear(service, database, message_received(tenant_id, number=1, direction="outbound"))
    assert (await agent.get(path)).json()["status"] == "snoozed"
    await hear(service, database, message_received(tenant_id, number=2))
    told = (await agent.get(path)).json()
    assert (told["status"], told["snoozed_until"]) == ("open", None)


async def test_who_resolves_while_the_customer_writes_loses_no_message(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await hear(service, database, message_received(tenant_id))
    path = await only(agent)
    for turn in range(5):
        message = message_received(tenant_id, number=turn + 1)
        resolved, _ = await asyncio.gather(
            agent.patch(path, json={"status": "resolved"}), hear(service, database, message, now=datetime.now(UTC))
        )
        assert resolved.status_code == 200
    assert [one["seq"] for one in await messages(agent)] == list(range(1, 7))


@pytest.mark.parametrize(
    "body",
    [
        b'{"labels": ["a\\u0000b"]}',
        b'{"subject": "a\\u0000b"}',
        b'{"attributes": {"a": "\\ud800"}}',
        b'{"attributes": {"a": "b\\u0000"}}',
        b'{"attributes": {"a": NaN}}',
        b'{"attributes": {"a": 1e999}}',
        b'{"snoozed_until": "9999-12-31T23:59:59-14:00", "status": "snoozed"}',
    ],
)
async def test_what_cannot_be_stored_is_refused(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID, body: bytes
) -> None:
    await hear(service, database, message_received(tenant_id))
    headers = {"Content-Type": "application/json"}
    answer = await agent.patch(await only(agent), content=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")


@pytest.mark.parametrize("query", [{"label": "a\x00b"}, {"updated_since": "0001-01-01T00:00:00+14:00"}])
async def test_what_can_be_nowhere_is_not_looked_for(agent: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert (await agent.get("/conversations", params=query)).status_code == 422
