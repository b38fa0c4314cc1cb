"""What providers post: durable before it is acknowledged, each item once, nothing refused that can be kept."""

import asyncio
import base64
import json
from typing import Any
from uuid import UUID

import pytest

from shared.ids import new_id
from shared.personal import BlindIndex
from tests.support.accounts import Accounts, body, text
from tests.support.machine import ROOT_KEY, Machine
from tests.support.server import away
from tests.support.whatsapp import body_of

INDEX = BlindIndex(base64.b64decode(ROOT_KEY))


def status(id_: str, state: str) -> dict[str, Any]:
    return {"id": f"wamid.{id_}", "status": state, "timestamp": "1780324175", "recipient_id": "5511987654321"}


def body_of_statuses(*statuses: dict[str, Any]) -> bytes:
    value = {"metadata": {"phone_number_id": "106540352242922"}, "statuses": statuses}
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": value}]}]}
    ).encode()


async def test_an_acknowledged_message_is_stored_and_told(accounts: Accounts) -> None:
    channel = await accounts.connect()
    assert (await accounts.post(channel, body(text("A"), text("B", "5511900000000")))).status_code == 200
    raw = await accounts.raw_events()
    told = await accounts.said()
    assert [(row.state, row.path) for row in raw] == [
        ("accepted", "entry[0].changes[0].messages[0]"),
        ("accepted", "entry[0].changes[0].messages[1]"),
    ]
    assert [event.raw_event_id for event in told] == [row.id for row in raw]
    assert [event.provider_message_id for event in told] == ["wamid.A", "wamid.B"]
    assert {str(event.channel_id) for event in told} == {channel["id"]}
    assert len({event.key for event in told}) == 2, "two people share a key"
    assert "5511987654321" not in str([event.key for event in told])


async def test_a_raw_event_tells_whose_it_is_understood_or_not(accounts: Accounts) -> None:
    channel = await accounts.connect()
    await accounts.post(channel, body(text("A"), text("B", "5511900000000"), text("C", type="revoke", revoke={})))
    await accounts.post(channel, body(text("D", group_id="a group")))
    await accounts.post(channel, body_of_statuses(status("S", "read")))
    await accounts.post(channel, b"not JSON")
    one, another = (event.sender_ref for event in await accounts.said())
    rows = await accounts.raw_events()
    assert [(row.state, row.sender_ref) for row in rows] == [
        ("accepted", one),
        ("accepted", another),
        ("failed", one),
        ("kept", one),
        ("accepted", INDEX.of_address(accounts.tenant_id, UUID(channel["id"]), "wa_phone", "5511987654321")),
        ("failed", None),
    ]


async def test_a_duplicate_is_acknowledged_again_and_changes_nothing(accounts: Accounts) -> None:
    channel = await accounts.connect()
    for content in (body(text("A")), body(text("A")), body(text("B"), text("A"), text("B"))):
        assert (await accounts.post(channel, content)).status_code == 200
    assert len(await accounts.raw_events()) == len(await accounts.said()) == 2


async def test_duplicates_that_come_at_once_in_any_order_are_stored_once(accounts: Accounts) -> None:
    channel = await accounts.connect()
    texts = [text(str(number), f"55119{number:08}") for number in range(20)]
    turns = [texts[place:] + texts[:place] for place in range(0, 20, 3)]
    answers = await asyncio.gather(*(accounts.post(channel, body(*turn)) for turn in turns))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await accounts.raw_events()) == len(await accounts.said()) == 20


async def test_a_persons_messages_are_told_in_the_order_of_the_body(accounts: Accounts) -> None:
    channel = await accounts.connect()
    for start in (0, 10):
        await accounts.post(channel, body(*(text(str(number)) for number in range(start, start + 10))))
    assert [event.provider_message_id for event in await accounts.said()] == [f"wamid.{n}" for n in range(20)]


async def test_news_of_what_was_sent_is_kept_and_not_told(accounts: Accounts) -> None:
    channel = await accounts.connect()
    news = [status("X", "sent"), status("X", "delivered")]
    for _ in range(2):
        assert (await accounts.post(channel, body_of_statuses(*news))).status_code == 200
    assert [(row.provider_message_id, row.state) for row in await accounts.statuses()] == [
        ("wamid.X", "sent"),
        ("wamid.X", "delivered"),
    ]
    assert not await accounts.said()


async def test_what_is_of_no_use_or_not_understood_is_kept_and_the_others_pass(accounts: Accounts) -> None:
    channel = await accounts.connect()
    nobody = {"id": "wamid.N", "type": "text", "timestamp": "1780324175", "text": {"body": "secret words"}}
    assert (await accounts.post(channel, body(nobody, text("A")))).status_code == 200
    assert (await accounts.post(channel, body())).status_code == 200
    assert [row.state for row in await accounts.raw_events()] == ["failed", "accepted", "kept"]
    (failed,) = (await accounts.admin.get("/raw-events")).json()["items"]
    assert failed["reason"] == "no address of a person"
    assert "secret" not in str(failed)
    (kept,) = (await accounts.admin.get("/raw-events", params={"state": "kept"})).json()["items"]
    assert kept["channel_id"] == channel["id"]
    assert len(await accounts.said()) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[[[[", b'{"object":"page"}', b"\xff\xfe", b"[" * 100_000])
async def test_a_signed_body_that_is_not_as_documented_is_kept_as_it_is(accounts: Accounts, content: bytes) -> None:
    channel = await accounts.connect()
    for _ in range(2):
        assert (await accounts.post(channel, content)).status_code == 200
    (row,) = await accounts.raw_events()
    assert (row.state, row.body, row.path) == ("failed", content, "")
    assert (await accounts.admin.post(f"/raw-events/{row.id}/replays")).status_code == 409


async def test_a_body_of_more_items_than_can_be_is_kept_as_one(accounts: Accounts) -> None:
    channel = await accounts.connect()
    content = body_of("106540352242922", [{"id": str(number)} for number in range(100_000)], [])
    assert (await accounts.post(channel, content)).status_code == 200
    (row,) = await accounts.raw_events()
    assert (row.state, row.body) == ("failed", content)


async def test_an_item_for_a_sibling_account_goes_to_it(accounts: Accounts) -> None:
    mine, sibling = await accounts.connect(), await accounts.connect("200000000000042")
    await accounts.post(mine, body(text("A"), number="200000000000042"))
    await accounts.post(sibling, body(text("A"), number="200000000000042"))
    (event,) = await accounts.said()
    assert str(event.channel_id) == sibling["id"]


@pytest.mark.parametrize("same_tenant", [True, False])
async def test_an_item_for_an_account_of_another_secret_or_tenant_is_not_believed(
    accounts: Accounts, same_tenant: bool
) -> None:
    mine = await accounts.connect()
    other = accounts if same_tenant else Accounts(accounts.served, accounts.database, new_id())
    await other.connect("200000000000042", secret="another-secret" if same_tenant else "a-secret-of-meta")
    await accounts.post(mine, body(text("A"), number="200000000000042"))
    assert not await accounts.said()
    assert not await other.said()
    (row,) = await accounts.raw_events()
    assert (row.state, str(row.channel_id)) == ("failed", mine["id"])


async def test_what_failed_is_told_once_it_is_understood(accounts: Accounts) -> None:
    mine = await accounts.connect()
    await accounts.post(mine, body(text("A"), number="200000000000042"))
    (failed,) = (await accounts.admin.get("/raw-events")).json()["items"]
    replay = f"/raw-events/{failed['id']}/replays"
    assert (await accounts.admin.post(replay)).json()["type"] == "/problems/still-failed"
    assert (await accounts.served.caller(new_id()).post(replay)).status_code == 404

    sibling = await accounts.connect("200000000000042")
    replayed = (await accounts.admin.post(replay)).json()
    assert (replayed["state"], replayed["reason"], replayed["channel_id"]) == ("accepted", None, sibling["id"])
    (event,) = await accounts.said()
    assert (str(event.channel_id), str(event.raw_event_id)) == (sibling["id"], failed["id"])
    assert (await accounts.admin.post(replay)).json()["type"] == "/problems/not-failed"
    assert len(await accounts.said()) == 1


async def test_what_failed_and_came_again_is_not_told_twice(accounts: Accounts) -> None:
    mine = await accounts.connect()
    await accounts.post(mine, body(text("A"), number="200000000000042"))
    (failed,) = (await accounts.admin.get("/raw-events")).json()["items"]
    sibling = await accounts.connect("200000000000042")
    await asyncio.sleep(0.002)
    await accounts.post(sibling, body(text("A"), number="200000000000042"))
    replayed = await accounts.admin.post(f"/raw-events/{failed['id']}/replays")
    assert replayed.json()["type"] == "/problems/came-again"
    assert len(await accounts.said()) == 1


async def test_nothing_is_acknowledged_that_could_not_be_stored(accounts: Accounts, machine: Machine) -> None:
    channel = await accounts.connect()
    async with away(machine, "ingest"):
        answer = await accounts.post(channel, body(text("A")))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    await accounts.database.engine.dispose()
    assert not await accounts.raw_events()
    assert (await accounts.post(channel, body(text("A")))).status_code == 200
    assert len(await accounts.said()) == 1
