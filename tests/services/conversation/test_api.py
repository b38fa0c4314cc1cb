"""The history by API: read in pages, changed with care, and nobody else's."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from services.conversation import handlers
from services.conversation.domain import ForbiddenChangeError, Status, change_status
from shared.db import Database
from shared.events import Envelope
from shared.events.conversation import ConversationChanged, ConversationReopened, ConversationResolved
from shared.ids import new_id
from shared.settings import ServiceSettings
from tests.support.events import NOON, message_received
from tests.support.machine import BrokerAddress, Machine
from tests.support.outbox import said
from tests.support.services import SERVICES
from tests.support.serving import Served, serving
from tests.support.waiting import until


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Served]:
    settings = machine.settings(ServiceSettings, "conversation", broker_address, runs="api,jobs")
    async with serving(SERVICES["conversation"], settings) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def database(machine: Machine) -> AsyncIterator[Database]:
    opened = machine.database("conversation")
    yield opened
    await opened.close()


@pytest.fixture
def client(served: Served, tenant_id: UUID) -> httpx.AsyncClient:
    return served.caller(tenant_id)


async def arrive(database: Database, tenant_id: UUID, senders: str, messages: int = 1) -> None:
    events = [message_received(tenant_id, sender, number) for number in range(messages) for sender in senders]
    for event in events:
        event.in_envelope(Envelope(id=new_id(), occurred_at=NOON))
    async with database.unit_of_work([tenant_id]) as uow:
        await handlers.append_messages(events, uow)


async def the_conversation(client: httpx.AsyncClient) -> dict[str, Any]:
    (item,) = (await client.get("/conversations")).json()["items"]
    found: dict[str, Any] = item
    return found


async def walk(client: httpx.AsyncClient, path: str, **query: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(path, params=query | cursor)).json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


async def test_pages_give_every_conversation_once_the_newest_first(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await arrive(database, tenant_id, "abcdefg")
    items = await walk(client, "/conversations", limit=3)
    ids = [item["id"] for item in items]
    assert len(set(ids)) == 7
    assert ids == sorted(ids, reverse=True)


async def test_messages_are_paged_in_the_order_of_their_time(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await arrive(database, tenant_id, "a", messages=7)
    conversation = await the_conversation(client)
    items = await walk(client, f"/conversations/{conversation['id']}/messages", limit=2)
    assert [item["text"] for item in items] == [f"text {number}" for number in range(7)]
    assert [item["seq"] for item in items] == list(range(1, 8))


async def test_each_filter_leaves_what_it_names(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> None:
    await arrive(database, tenant_id, "ab")
    one, other = (await client.get("/conversations")).json()["items"]
    changed = await client.patch(f"/conversations/{one['id']}", json={"status": "resolved", "labels": ["billing"]})
    since = changed.json()["updated_at"]

    async def ids(**query: Any) -> list[str]:
        return [item["id"] for item in await walk(client, "/conversations", **query)]

    assert await ids(status="resolved") == await ids(label="billing") == await ids(updated_since=since) == [one["id"]]
    assert await ids(status="open") == await ids(contact_id=other["contact_id"]) == [other["id"]]
    assert len(await ids(channel_id=one["channel_id"])) == 2
    assert await ids(channel_id=str(new_id())) == await ids(assignee_id=str(new_id())) == []
    assert len(await ids(updated_since="2020-01-01T00:00:00Z", limit=1)) == 2


@pytest.mark.parametrize("cursor", ["x", "W10", "WzFd", "bnVsbA", "WyJub3QtYS11dWlkIl0", "é"])
async def test_a_cursor_of_no_list_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get("/conversations", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-cursor")


async def test_a_conversation_is_resolved_and_opened_again(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await arrive(database, tenant_id, "a")
    path = f"/conversations/{(await the_conversation(client))['id']}"
    resolved = await client.patch(path, json={"status": "resolved"}, headers={"If-Match": '"1"'})
    assert (resolved.status_code, resolved.json()["status"], resolved.headers["etag"]) == (200, "resolved", '"2"')
    assert (await client.patch(path, json={"status": "open"}, headers={"If-Match": '"1"'})).status_code == 412
    opened = await client.patch(path, json={"status": "open", "priority": "high"})
    assert (opened.json()["resolved_at"], opened.json()["priority"]) == (None, "high")
    await client.patch(path, json={"labels": ["vip"]})
    told = [type(event) for event in await said(database, tenant_id)][-3:]
    assert told == [ConversationResolved, ConversationReopened, ConversationChanged]


async def test_labels_are_told_whatever_is_changed_with_them(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await arrive(database, tenant_id, "a")
    path = f"/conversations/{(await the_conversation(client))['id']}"
    for change in (
        {"labels": ["vip"]},
        {"labels": ["billing"], "status": "resolved"},
        {"labels": ["late"]},
        {"labels": ["vip", "late"], "status": "open"},
        {"status": "resolved"},
    ):
        await client.patch(path, json=change)
    told = (await said(database, tenant_id))[-5:]
    assert [(type(event), event.labels) for event in told] == [
        (ConversationChanged, ["vip"]),
        (ConversationResolved, ["billing"]),
        (ConversationChanged, ["late"]),
        (ConversationReopened, ["vip", "late"]),
        (ConversationResolved, ["vip", "late"]),
    ]


async def test_a_conversation_that_was_followed_by_another_stays_resolved(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await arrive(database, tenant_id, "a")
    first = await the_conversation(client)
    await client.patch(f"/conversations/{first['id']}", json={"status": "resolved"})
    async with database.unit_of_work([tenant_id], now=NOON + timedelta(days=3650)) as uow:
        later = message_received(tenant_id, "a", 99).in_envelope(Envelope(id=new_id(), occurred_at=NOON))
        await handlers.append_messages([later], uow)
    answer = await client.patch(f"/conversations/{first['id']}", json={"status": "open"})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/superseded")


async def test_a_snoozed_conversation_wakes_by_itself(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await arrive(database, tenant_id, "a")
    path = f"/conversations/{(await the_conversation(client))['id']}"
    from datetime import UTC, datetime  # noqa: PLC0415 - the only test that needs the real clock

    soon = (datetime.now(UTC) + timedelta(seconds=0.5)).isoformat()
    assert (await client.patch(path, json={"status": "snoozed", "snoozed_until": soon})).json()["status"] == "snoozed"

    async def status() -> str:
        return str((await client.get(path)).json()["status"])

    await until(status, lambda found: found == "open")


@pytest.mark.parametrize(
    "body",
    [
        {"status": "closed"},
        {"state": "open"},
        {"labels": [""]},
        {"labels": ["x"] * 51},
        {"priority": 1},
        {"subject": "a\x00b"},
        {"status": None},
        {"labels": None},
        {"attributes": None},
        {"attributes": {"a": "\x00"}},
        {"attributes": {"a": "x" * 20_001}},
        {"snoozed_until": "2030-01-01T00:00:00"},
    ],
)
async def test_a_change_that_cannot_be_is_refused_with_a_pointer(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, body: dict[str, Any]
) -> None:
    await arrive(database, tenant_id, "a")
    answer = await client.patch(f"/conversations/{(await the_conversation(client))['id']}", json=body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")
    (error,) = answer.json()["errors"]
    assert error["pointer"].startswith(f"/{next(iter(body))}")


@pytest.mark.parametrize(
    ("present", "wanted", "snoozed_for", "allowed"),
    [
        ("open", Status.RESOLVED, None, True),
        ("open", Status.PENDING, None, True),
        ("open", Status.SNOOZED, 60, True),
        ("open", Status.SNOOZED, None, False),
        ("open", Status.SNOOZED, -1, False),
        ("open", Status.PENDING, 60, False),
        ("snoozed", Status.OPEN, None, True),
        ("resolved", Status.OPEN, None, True),
        ("resolved", Status.RESOLVED, None, True),
        ("resolved", Status.PENDING, None, False),
        ("resolved", Status.SNOOZED, 60, False),
    ],
)
def test_which_change_of_status_is_allowed(
    present: str, wanted: Status, snoozed_for: int | None, *, allowed: bool
) -> None:
    until_ = NOON + timedelta(seconds=snoozed_for) if snoozed_for is not None else None
    resolved_at = NOON if present == "resolved" else None
    try:
        change = change_status(present, wanted, resolved_at=resolved_at, snoozed_until=until_, now=NOON)
    except ForbiddenChangeError:
        assert not allowed
    else:
        assert allowed
        assert (change.status, change.resolved_at is not None) == (wanted, wanted is Status.RESOLVED)


async def test_notes_are_the_staffs_own(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> None:
    await arrive(database, tenant_id, "a")
    path = f"/conversations/{(await the_conversation(client))['id']}/notes"
    for text in ("first", "second"):
        assert (await client.post(path, json={"text": text})).status_code == 201
    notes = await walk(client, path, limit=1)
    assert [(note["text"], note["author_id"]) for note in notes] == [("first", "caller"), ("second", "caller")]
    assert (await client.post(path, json={"text": ""})).status_code == 422


async def test_a_contact_is_added_read_and_changed(client: httpx.AsyncClient) -> None:
    made = (await client.post("/contacts", json={"name": "Maria", "attributes": {"plan": "premium"}})).json()
    path = f"/contacts/{made['id']}"
    changed = await client.patch(path, json={"name": "Maria Souza"})
    assert (changed.json()["name"], changed.json()["attributes"]) == ("Maria Souza", {"plan": "premium"})
    assert (await client.get(path)).json() == changed.json()
    assert [item["id"] for item in await walk(client, "/contacts")] == [made["id"]]


async def test_null_forgets_a_name_and_what_changes_nothing_is_no_change(client: httpx.AsyncClient) -> None:
    made = await client.post("/contacts", json={"name": "Maria"})
    path = f"/contacts/{made.json()['id']}"
    unchanged: list[dict[str, Any]] = [{}, {"name": "Maria"}, {"attributes": {}}]
    for same in unchanged:
        answer = await client.patch(path, json=same)
        assert (answer.json(), answer.headers["etag"]) == (made.json(), made.headers["etag"])
    forgotten = await client.patch(path, json={"name": None})
    assert forgotten.json()["name"] is None
    assert forgotten.headers["etag"] != made.headers["etag"]


async def test_a_label_is_there_once(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> None:
    await arrive(database, tenant_id, "a")
    path = f"/conversations/{(await the_conversation(client))['id']}"
    assert (await client.patch(path, json={"labels": ["b", "a", "b"]})).json()["labels"] == ["b", "a"]


async def test_another_tenants_history_is_not_there(
    served: Served, client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await arrive(database, tenant_id, "a")
    conversation = await the_conversation(client)
    stranger = served.caller(new_id())
    for path in (
        f"/conversations/{conversation['id']}",
        f"/conversations/{conversation['id']}/messages",
        f"/conversations/{conversation['id']}/notes",
        f"/contacts/{conversation['contact_id']}",
    ):
        assert (await stranger.get(path)).status_code == 404
    assert (await stranger.get("/conversations")).json()["items"] == []
    assert (await stranger.patch(f"/conversations/{conversation['id']}", json={"labels": []})).status_code == 404


async def test_who_lacks_the_scope_may_not(served: Served, tenant_id: UUID) -> None:
    reader = served.caller(tenant_id, {"conversations:read"})
    assert (await reader.get("/conversations")).status_code == 200
    assert (await reader.get("/contacts")).status_code == 403
    assert (await reader.patch(f"/conversations/{new_id()}", json={})).status_code == 403
