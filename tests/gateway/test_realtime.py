"""The stream: who is shown what, once and in order, wherever and however often he is cut off."""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
import pytest_asyncio
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from deploy.documents.records import example_records
from deploy.local.plan import HOST, free_ports
from deploy.serve import PatientProtocol
from gateway.realtime.cursor import Positions
from gateway.realtime.repeats import DISTANCE, Repeats
from gateway.realtime.ring import Ring
from gateway.realtime.shown import SHOWN, public_fields, public_json
from gateway.realtime.stream import FellBehindError, Stream
from gateway.settings import Settings
from shared.bus import Beginning, Place, Placed, Publisher
from shared.events import Envelope, Event, read
from shared.events.conversation import ContactAddressesAdded, MessageAdded, MessageQueued
from shared.events.gateway import ApiKeyChanged
from shared.events.ingest import MessageReceived
from shared.events.privacy import DeadlineNeared, NoticeQueued, PrivacyRequestChanged, SubjectDataRequested
from shared.events.routing import AutoReplyDecided, BusinessHoursChanged, ConversationQueued, PresenceChanged
from shared.http import Caller
from shared.ids import new_id
from tests.support.conversations import Conversation
from tests.support.events import NOON
from tests.support.machine import CALLER_PRIVATE_KEY, BrokerAddress, Machine
from tests.support.services import SERVICES
from tests.support.waiting import until

pytestmark = pytest.mark.kafka

PLATFORM_KEY = "blc_platform_for_tests_only"
TENANT = {
    "name": "Padaria do Largo",
    "country": "BR",
    "time_zone": "America/Sao_Paulo",
    "locale": "pt-BR",
    "legal_regime": "lgpd",
    "role": "controller",
}
EVERYTHING = frozenset(SHOWN.values())
RECORDS = example_records()

Shown = dict[str, Any]


@dataclass
class Gateway:
    """A gateway that serves on a port of its own."""

    url: str

    def client(self, key: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=10)

    @asynccontextmanager
    async def events(self, key: str, after: str | None = None) -> AsyncIterator["Following"]:
        """The stream as server-sent events."""
        headers = {"Last-Event-ID": after} if after else {}
        async with self.client(key) as client, client.stream("GET", "/v1/events", headers=headers) as answer:
            if answer.status_code != 200:
                await answer.aread()
                raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
            yield Following(answer)

    @asynccontextmanager
    async def socket(self, key: str | None, after: str | None = None) -> AsyncIterator[ClientConnection]:
        url = f"ws{self.url.removeprefix('http')}/v1/realtime" + (f"?after={after}" if after else "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with connect(url, additional_headers=headers, close_timeout=0.05) as websocket:
            yield websocket


class Following:
    """What a reader of server-sent events sees."""

    def __init__(self, answer: httpx.Response) -> None:
        self.headers = answer.headers
        self._lines = answer.aiter_lines()
        self.id: str | None = None
        self.comments = 0

    async def next(self) -> Shown:
        """The next event; raises `StopAsyncIteration` at the end."""
        fields: dict[str, str] = {}
        async for line in self._lines:
            name, _, value = line.partition(": ")
            if line.startswith(":"):
                self.comments += 1
            elif line:
                fields[name] = value
            else:
                self.id = fields.get("id", self.id)
                if "data" in fields:
                    shown: Shown = json.loads(fields["data"])
                    assert (shown["id"], shown["type"]) == (fields["id"], fields["event"])
                    return shown
                fields.clear()
        raise StopAsyncIteration

    async def many(self, count: int) -> list[Shown]:
        async with asyncio.timeout(20):
            return [await self.next() for _ in range(count)]


@dataclass
class House:
    """Two gateways on one broker, and a mouth for all speakers."""

    gateways: Sequence[Gateway]
    publisher: Publisher
    front: Gateway = field(init=False)

    def __post_init__(self) -> None:
        self.front = self.gateways[0]

    async def tenant(self) -> tuple[UUID, str]:
        """A new tenant, and its admin's key."""
        async with self.front.client(PLATFORM_KEY) as client:
            made = (await client.post("/v1/tenants", json=TENANT | {"slug": f"t-{uuid4().hex}"})).json()
        return UUID(made["id"]), made["admin_key"]["key"]

    async def key(self, admin: str, **fields: Any) -> dict[str, Any]:
        async with self.front.client(admin) as client:
            answer = await client.post("/v1/api-keys", json={"label": "x", "role": "integration"} | fields)
        made: dict[str, Any] = answer.json()
        return made

    async def say(self, *events: Event) -> None:
        await self.publisher.publish([said(event).to_record() for event in events])


def said(event: Event) -> Event:
    return event.in_envelope(Envelope(new_id(), NOON))


def settings(machine: Machine, broker: BrokerAddress, **changes: Any) -> Settings:
    values = {
        "caller_private_key": CALLER_PRIVATE_KEY,
        "platform_key": PLATFORM_KEY,
        "services": {name: "http://127.0.0.1:9" for name in SERVICES if name != "gateway"},
        "key_memory": 0.05,
        "stream_recheck": 0.1,
        "runs": "api",
    }
    return machine.settings(Settings, "gateway", broker, **values | changes)


@asynccontextmanager
async def gateway(settings: Settings) -> AsyncIterator[Gateway]:
    edge = SERVICES["gateway"].asgi
    port = free_ports()["gateway"]
    served: dict[str, Any] = {"http": PatientProtocol, "lifespan": "off", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(edge, HOST, port, log_level="warning", **served))

    async def started() -> bool:
        return server.started

    async with SERVICES["gateway"].running(edge.app, settings):  # type: ignore[arg-type]
        serving = asyncio.create_task(server._serve())
        try:
            await until(started)
            yield Gateway(f"http://{HOST}:{port}")
        finally:
            server.should_exit = True
            await serving


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[House]:
    common = settings(machine, broker_address)
    publisher = Publisher(broker_address.servers, idempotent=common.broker_idempotent)
    async with AsyncExitStack() as stack:
        gateways = [await stack.enter_async_context(gateway(common)) for _ in range(2)]
        stack.push_async_callback(publisher.close)
        yield House(gateways, publisher)


async def test_an_event_is_shown_with_its_public_fields(house: House) -> None:
    tenant_id, key = await house.tenant()
    message = Conversation(tenant_id).message(0)
    async with house.front.events(key) as stream:
        await house.say(message)
        (shown,) = await stream.many(1)
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert shown.keys() == {"id", "type", "occurred_at", "data"}
    assert (shown["type"], shown["occurred_at"]) == ("conversation.message-added.v1", "2026-11-20T12:00:00Z")
    assert shown["data"]["text"] == "oi"
    assert "tenant_id" not in shown["data"]


async def test_who_is_cut_off_again_and_again_at_either_gateway_sees_everything_once_and_in_order(house: House) -> None:
    tenant_id, key = await house.tenant()
    conversations = [Conversation(tenant_id) for _ in range(12)]
    dice = random.Random(7)
    total = 600

    async def talk() -> None:
        for number in range(0, total, 4):
            said_now = [dice.choice(conversations).message(number + more) for more in range(4)]
            await house.say(*said_now, Conversation(uuid4()).message(0))
            sent.extend(said_now)
            await asyncio.sleep(0.005)

    sent: list[MessageAdded] = []
    seen: list[Shown] = []
    async with house.front.events(key) as stream:
        speaking = asyncio.create_task(talk())
        seen += await stream.many(1)
    cuts = 0
    while cuts < 50 or len(seen) < total:
        cuts += 1
        gateway, after = dice.choice(house.gateways), seen[-1]["id"]
        count = min(dice.randrange(24), total - len(seen)) if cuts < 50 else total - len(seen)
        if dice.random() < 0.5:
            async with gateway.events(key, after) as stream:
                seen += await stream.many(count)
        else:
            async with gateway.socket(key, after) as websocket:
                seen += await received(websocket, count)
    await speaking
    assert {one["type"] for one in seen} == {"conversation.message-added.v1"}
    assert told_by_conversation(seen) == {
        str(one.conversation_id): [str(m.message_id) for m in sent if m.conversation_id == one.conversation_id]
        for one in conversations
    }


def told_by_conversation(seen: Sequence[Shown]) -> dict[str, list[str]]:
    told: dict[str, list[str]] = defaultdict(list)
    for one in seen:
        told[one["data"]["conversation_id"]].append(one["data"]["message_id"])
    return told


async def received(websocket: ClientConnection, count: int) -> list[Shown]:
    """The next events; what only says the position is passed over."""
    events: list[Shown] = []
    async with asyncio.timeout(20):
        while len(events) < count:
            shown = json.loads(await websocket.recv())
            if shown["type"] != "position":
                events.append(shown)
    return events


async def test_both_doors_and_both_gateways_show_the_same(house: House) -> None:
    tenant_id, key = await house.tenant()
    conversation = Conversation(tenant_id)
    first, second = house.gateways
    async with first.events(key) as events, second.socket(key) as websocket:
        await received(websocket, 0)
        assert json.loads(await websocket.recv())["type"] == "position"
        await house.say(*(conversation.message(number) for number in range(5)))
        told = await events.many(5), await received(websocket, 5)
    assert without_ids(told[0]) == without_ids(told[1])


def without_ids(told: Sequence[Shown]) -> list[Shown]:
    return [{name: value for name, value in one.items() if name != "id"} for one in told]


async def test_nobody_is_shown_what_happens_at_another_tenant(house: House) -> None:
    (mine, key), (others, other_key) = await house.tenant(), await house.tenant()
    async with house.front.events(key) as own, house.front.events(other_key) as foreign:
        await house.say(*(Conversation(tenant).message(0) for tenant in (others, mine, others, mine)))
        own_seen, foreign_seen = await own.many(2), await foreign.many(2)
        position = own_seen[-1]["id"]
    assert not {one["data"]["conversation_id"] for one in own_seen} & {
        one["data"]["conversation_id"] for one in foreign_seen
    }
    # Not by another's position either.
    await house.say(Conversation(others).message(0), last := Conversation(mine).message(0))
    async with house.front.events(key, foreign_seen[0]["id"]) as stream:
        seen = await until_message(stream, last)
    async with house.front.events(key, position) as stream:
        assert [one["data"]["conversation_id"] for one in await stream.many(1)] == [str(last.conversation_id)]
    assert {one["data"]["conversation_id"] for one in seen} <= {
        str(last.conversation_id), *(one["data"]["conversation_id"] for one in own_seen)
    }  # fmt: skip


async def until_message(stream: Following, message: MessageAdded) -> list[Shown]:
    seen = await stream.many(1)
    while seen[-1]["data"].get("message_id") != str(message.message_id):
        seen += await stream.many(1)
    return seen


async def test_each_is_shown_what_his_scopes_open(house: House) -> None:
    tenant_id, admin = await house.tenant()
    case = Conversation(tenant_id)
    whose = {"tenant_id": tenant_id, "conversation_id": case.conversation_id, "contact_id": case.contact_id}
    queued = ConversationQueued(**whose, channel_id=case.channel_id, queue_id=uuid4(), queued_at=NOON)
    requested = PrivacyRequestChanged(
        tenant_id=tenant_id,
        request_id=uuid4(),
        right="access",
        state="received",
        due_at=NOON,
        legal_latest_at=NOON,
        changed_at=NOON,
    )
    keys = {
        scope: (await house.key(admin, role="admin", scopes=[scope]))["key"]
        for scope in ("conversations:read", "routing:read", "privacy:read", "metrics:read")
    }
    async with (
        house.front.events(keys["conversations:read"]) as history,
        house.front.events(keys["routing:read"]) as routing,
        house.front.events(keys["privacy:read"]) as privacy,
    ):
        await house.say(requested, case.message(0), queued, requested, case.resolved(1), queued)
        assert {one["type"].partition(".")[0] for one in await history.many(2)} == {"conversation"}
        assert {one["type"].partition(".")[0] for one in await routing.many(2)} == {"routing"}
        assert {one["type"].partition(".")[0] for one in await privacy.many(2)} == {"privacy"}
    with pytest.raises(httpx.HTTPStatusError) as refused:
        async with house.front.events(keys["metrics:read"]):
            pass
    assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as denied:
        async with house.front.socket(keys["metrics:read"]):
            pass
    assert denied.value.response.status_code == 403


async def test_a_change_made_at_the_gateway_reaches_the_stream_that_may_see_it(
    house: House, machine: Machine, broker_address: BrokerAddress
) -> None:
    tenant_id, key = await house.tenant()
    speaking = settings(machine, broker_address, runs="api,relay")
    async with gateway(speaking) as speaker, house.front.events(key) as stream, speaker.client(key) as client:
        await client.patch(f"/v1/tenants/{tenant_id}", json={"name": "Padaria Nova"})
        while (shown := (await stream.many(1))[0])["data"].get("name") != "Padaria Nova":
            assert shown["type"] == "gateway.tenant-changed.v1"


async def test_what_was_missed_for_too_long_is_not_told_but_that_it_was_is(
    house: House, machine: Machine, broker_address: BrokerAddress
) -> None:
    tenant_id, key = await house.tenant()
    async with gateway(settings(machine, broker_address, stream_events=5)) as forgetful:
        async with forgetful.events(key) as stream:
            await house.say(Conversation(tenant_id).message(0))
            (seen,) = await stream.many(1)
        await house.say(*(Conversation(uuid4()).message(number) for number in range(60)))
        async with forgetful.events(key) as stream:
            await house.say(last := Conversation(tenant_id).message(0))
            await stream.many(1)
        async with forgetful.events(key, seen["id"]) as stream:
            (resync,) = await stream.many(1)
            assert (resync["type"], resync["data"]) == ("resync", {"reason": "too_old"})
            await house.say(next_one := Conversation(tenant_id).message(0))
            (shown,) = await stream.many(1)
    assert shown["data"]["message_id"] == str(next_one.message_id) != str(last.message_id)


@pytest.mark.parametrize("after", ["x", "AQ", "Last", "é", "AQAAAAAA", "A" * 4096])
async def test_a_position_that_nobody_gave_is_answered_with_resync(house: House, after: str) -> None:
    _, key = await house.tenant()
    async with house.front.client(key) as client, client.stream("GET", "/v1/events", params={"after": after}) as answer:
        assert (await Following(answer).many(1))[0]["data"] == {"reason": "unreadable_position"}


async def test_the_header_goes_before_the_address(house: House) -> None:
    tenant_id, key = await house.tenant()
    async with house.front.events(key) as stream:
        await house.say(*(Conversation(tenant_id).message(number) for number in range(3)))
        told = await stream.many(3)
    first, second, _ = (one["id"] for one in told)
    async with house.front.client(key) as client:
        headers = {"Last-Event-ID": second}
        async with client.stream("GET", "/v1/events", params={"after": first}, headers=headers) as answer:
            assert without_ids(await Following(answer).many(1)) == without_ids(told[2:])


async def test_who_was_told_nothing_yet_has_a_position_all_the_same(house: House) -> None:
    tenant_id, key = await house.tenant()
    async with house.front.socket(key) as websocket:
        position = json.loads(await websocket.recv())
    assert (position["type"], position["data"]) == ("position", {})
    await house.say(message := Conversation(tenant_id).message(0))
    async with house.gateways[1].events(key, position["id"]) as stream:
        (shown,) = await stream.many(1)
    assert shown["data"]["message_id"] == str(message.message_id)


async def test_a_silent_stream_says_that_it_lives_and_where_it_is(
    house: House, machine: Machine, broker_address: BrokerAddress
) -> None:
    tenant_id, key = await house.tenant()
    async with gateway(settings(machine, broker_address, stream_heartbeat=0.05)) as lively:
        async with lively.events(key) as stream:
            at_first = asyncio.create_task(stream.many(1))
            await until(lambda: asyncio.sleep(0, stream.comments), lambda comments: comments > 3)
            await house.say(Conversation(uuid4()).message(0))
            await until(lambda: asyncio.sleep(0, stream.comments), lambda comments: comments > 8)
            position = stream.id
            await house.say(Conversation(tenant_id).message(0))
            shown = await at_first
        assert position is not None
        async with lively.events(key, position) as stream:
            assert without_ids(await stream.many(1)) == without_ids(shown)


async def test_a_revoked_key_ends_its_streams_within_seconds(house: House) -> None:
    _, admin = await house.tenant()
    made = await house.key(admin)
    async with house.front.events(made["key"]) as stream, house.gateways[1].socket(made["key"]) as websocket:
        async with house.front.client(admin) as client:
            assert (await client.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
        async with asyncio.timeout(5):
            with pytest.raises(StopAsyncIteration):
                await stream.next()
            with pytest.raises(ConnectionClosed) as closed:
                await received(websocket, 1)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


async def test_a_browser_says_who_it_is_in_its_first_message(house: House) -> None:
    tenant_id, key = await house.tenant()
    async with house.front.socket(None) as websocket:
        await websocket.send(json.dumps({"authorization": f"Bearer {key}"}))
        assert json.loads(await websocket.recv())["type"] == "position"
        await house.say(Conversation(tenant_id).message(0))
        assert len(await received(websocket, 1)) == 1


@pytest.mark.parametrize(
    "said", ['{"authorization":"Bearer blc_no"}', "{}", "[]", "no json", '{"authorization":1}', b"\x00"]
)
async def test_who_says_nothing_good_in_his_first_message_is_sent_away(house: House, said: str | bytes) -> None:
    async with house.front.socket(None) as websocket:
        await websocket.send(said)
        with pytest.raises(ConnectionClosed) as closed:
            await websocket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


async def test_who_says_nothing_at_all_is_sent_away_in_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.realtime.web_socket.AUTHORIZATION_SECONDS", 0.1)
    async with house.front.socket(None) as websocket, asyncio.timeout(3):
        with pytest.raises(ConnectionClosed):
            await websocket.recv()


async def test_a_bad_key_is_refused_before_the_stream_begins(house: House) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        async with house.front.events("blc_no"):
            pass
    assert refused.value.response.status_code == 401
    with pytest.raises(InvalidStatus) as denied:
        async with house.front.socket("blc_no"):
            pass
    assert denied.value.response.status_code == 401
    assert denied.value.response.headers["content-type"] == "application/problem+json"


async def test_streams_are_bounded_for_each_tenant_and_in_all(
    house: House, machine: Machine, broker_address: BrokerAddress
) -> None:
    (_, key), (_, other), (_, third) = await house.tenant(), await house.tenant(), await house.tenant()
    async with gateway(settings(machine, broker_address, streams=2, streams_per_tenant=1)) as small:

        async def status(key: str) -> int:
            async with small.client(key) as client, client.stream("GET", "/v1/events") as answer:
                return answer.status_code

        async with small.events(key):
            assert await status(key) == 429
            async with small.events(other):
                assert await status(third) == 503
        await until(lambda: status(key), lambda answered: answered == 200)


async def test_a_reader_who_takes_nothing_holds_up_nobody(
    house: House, machine: Machine, broker_address: BrokerAddress
) -> None:
    tenant_id, key = await house.tenant()
    conversation = Conversation(tenant_id)
    async with gateway(settings(machine, broker_address, stream_events=10)) as small:
        async with small.events(key) as quick:
            lazy_reader, lazy_writer = await asyncio.open_connection(HOST, httpx.URL(small.url).port, limit=1024)
            head = ["GET /v1/events HTTP/1.1", "Host: here", f"Authorization: Bearer {key}", "Connection: close"]
            lazy_writer.write("\r\n".join([*head, "", ""]).encode())
            await lazy_reader.readuntil(b"retry")
            for _ in range(20):
                texts = [conversation.message(0).model_copy(update={"text": "ã" * 100_000}) for _ in range(4)]
                await house.say(*texts)
                await quick.many(4)
            seen = b"".join([piece async for piece in pieces_of(lazy_reader)]).decode(errors="ignore")
            lazy_writer.close()
            await lazy_writer.wait_closed()
        last = seen.rpartition("\nid: ")[2].partition("\n")[0]
        async with small.events(key, last) as stream:
            assert (await stream.many(1))[0]["type"] == "resync"


async def pieces_of(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    async with asyncio.timeout(20):
        while piece := await reader.read(65536):
            yield piece


# What is shown of an event.


def test_no_event_shows_an_address_or_a_text_beyond_its_scope() -> None:
    assert "text" in public_fields(MessageAdded)
    assert "recipient" not in public_fields(MessageQueued)
    assert "text" not in public_fields(AutoReplyDecided)
    hidden = {"tenant_id", "sender", "recipient", "addresses"}
    assert not hidden & {name for event in SHOWN for name in public_fields(event)}
    assert public_fields(ContactAddressesAdded) == {"contact_id", "channel_id", "channel_kind"}


def test_what_came_in_and_the_keys_are_shown_to_nobody() -> None:
    assert not {MessageReceived, ApiKeyChanged, SubjectDataRequested, NoticeQueued} & SHOWN.keys()
    assert SHOWN[PresenceChanged] == SHOWN[BusinessHoursChanged] == "routing:read"


def test_what_becomes_of_the_requests_of_persons_is_shown_to_who_may_read_them() -> None:
    assert SHOWN[PrivacyRequestChanged] == SHOWN[DeadlineNeared] == "privacy:read"
    assert not {"subject_id", "references"} & (public_fields(PrivacyRequestChanged) | public_fields(DeadlineNeared))


@pytest.mark.parametrize("event", SHOWN, ids=lambda event: event.type)
def test_each_event_is_shown_as_it_was_said(event: type[Event]) -> None:
    record = RECORDS[event.type]
    shown = public_json(event.type, record.headers["ce_time"], record.value)
    said = read(record.headers, record.value)
    assert orjson.loads(f"{{{shown}}}") == {
        "type": event.type,
        "occurred_at": record.headers["ce_time"],
        "data": said.model_dump(mode="json", include=set(public_fields(event))),
    }


BEYOND_WRITING = RECORDS[MessageAdded.type].value.replace(b'"whatsapp"', b"[" * 300 + b"]" * 300)


@pytest.mark.parametrize("value", [b"", b"[]", b"{", b'{"data":{}}', b'{"data":[],"personal":{}}', BEYOND_WRITING])
def test_what_cannot_be_read_is_passed_over(value: bytes) -> None:
    assert public_json(MessageAdded.type, "2026-11-20T12:00:00Z", value) is None


# Positions.

PLACES = st.builds(Place, st.sampled_from(["conversation.events", "routing.events"]), st.integers(0, 20))


@given(st.binary(max_size=8), st.dictionaries(PLACES, st.integers(0, 2**62), max_size=20))
def test_positions_are_read_as_they_were_written(life: bytes, offsets: dict[Place, int]) -> None:
    read = Positions.parse(str(Positions(life, offsets)))
    assert read.life == life
    assert all(read[place] == offset for place, offset in offsets.items())
    assert str(read) == str(Positions(life, offsets))


@given(st.dictionaries(PLACES, st.integers(0, 2**40)), st.lists(st.tuples(PLACES, st.integers(0, 2**40))))
def test_positions_that_move_are_written_as_if_they_had_always_stood_there(
    offsets: dict[Place, int], moves: list[tuple[Place, int]]
) -> None:
    moving = Positions(b"", offsets)
    for place, offset in moves:
        moving.move(place, offset)
        assert len(str(moving)) > 0
    assert str(moving) == str(Positions(b"", offsets | dict(moves)))


def test_positions_in_what_the_stream_no_longer_reads_are_passed_over() -> None:
    written = str(Positions(b"", {Place("ingest.events", 3): 7, PLACE: 5}))
    assert dict(Positions.parse(written).items())[PLACE] == 5
    assert Positions.parse(written).reach([(PLACE, 5)])
    assert {place.topic for place, _ in Positions.parse(written).items()} == {PLACE.topic}


@given(st.text(max_size=100) | st.binary(max_size=60).map(lambda raw: raw.hex()))
def test_any_text_is_positions_or_a_value_error(text: str) -> None:
    try:
        Positions.parse(text)
    except ValueError:
        return


# The ring.

PLACE = Place("conversation.events", 0)
TENANT_ID, OTHER_ID = UUID(int=7), UUID(int=8)
CALLER = Caller("someone", TENANT_ID, EVERYTHING)


def placed(offset: int, tenant_id: UUID = TENANT_ID, event: Event | None = None, place: Place = PLACE) -> Placed:
    record = said(event or Conversation(tenant_id).message(offset)).to_record()
    return Placed(place, offset, {name: value.encode() for name, value in record.headers.items()}, record.value)


def ring(since: int = 0, *, life: str = "", start: int = 0, **bounds: Any) -> Ring:
    made = Ring(**{"most": 100, "most_bytes": 1_000_000, "seconds": 60} | bounds)
    made.begin(beginning(since, life=life, start=start))
    return made


def beginning(since: int = 0, *, life: str = "", start: int = 0) -> Beginning:
    return Beginning(frozenset({life} - {""}), {PLACE: start}, {PLACE: since}, {PLACE: since})


async def types(stream: Stream) -> list[str]:
    return [one.type.partition(".")[2] or one.type for one in await stream.next(0)]


async def test_an_event_that_was_published_twice_is_shown_once_by_gateways_old_and_new() -> None:
    other = [placed(offset) for offset in range(20)]
    twice = placed(3)
    again = Placed(PLACE, 20, twice.headers, twice.value)
    log = [*other[:3], twice, *other[4:], again, placed(21)]
    old, new = ring(), ring(since=10, start=0)
    for one in (old, new):
        one.take(log)
    after = str(Positions(b"", {PLACE: 12}))
    told = [await Stream(one, CALLER, after).next(0) for one in (old, new)]
    assert told[0] == told[1]
    assert len(told[0]) == 9


def test_a_copy_is_known_by_the_log_alone() -> None:
    first, later = Repeats(), Repeats()
    log = [(offset, b"a" if offset % 1500 == 10 else str(offset).encode()) for offset in range(3 * DISTANCE)]
    known = [first.is_new(PLACE, *record) for record in log]
    assert known[DISTANCE * 2 :] == [later.is_new(PLACE, *record) for record in log[DISTANCE:]][DISTANCE:]


@pytest.mark.parametrize("bounds", [{"most": 5}, {"most_bytes": 6000}, {"seconds": 0.0}])
async def test_the_ring_is_bounded_and_says_from_where_on_it_is_whole(bounds: dict[str, Any]) -> None:
    small = ring(**bounds)
    small.take([placed(offset) for offset in range(10)])
    assert len(small._entries) <= 5
    assert small.misses(Positions(b"", {PLACE: 4})) == "too_old"
    assert small.misses(Positions(b"", {PLACE: 10})) is None
    stream = Stream(small, CALLER, str(Positions(b"", {PLACE: 10})))
    stream.close()
    small.take([placed(offset, OTHER_ID) for offset in range(10, 20)])
    assert len(small._logs) <= 1


async def test_who_is_slower_than_the_ring_turns_is_cut_off_and_the_others_are_not() -> None:
    small = ring(most=5)
    quick, slow = Stream(small, CALLER, None), Stream(small, CALLER, None)
    assert await types(quick) == await types(slow) == []
    for offset in range(8):
        small.take([placed(offset)])
        assert await types(quick) == ["message-added.v1"]
    with pytest.raises(FellBehindError):
        await slow.next(0)


async def test_a_position_ahead_of_the_gateway_waits_for_it() -> None:
    behind = ring()
    behind.take([placed(0)])
    stream = Stream(behind, CALLER, str(Positions(b"", {PLACE: 3})))
    assert await types(stream) == []
    behind.take([placed(1), placed(2), placed(3)])
    (told,) = await stream.next(1)
    assert Positions.parse(told.id)[PLACE] == 4


async def test_a_position_that_the_log_never_reaches_is_told_to_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.realtime.stream.AHEAD_SECONDS", -1)
    stream = Stream(ring(), CALLER, str(Positions(b"", {PLACE: 3})))
    assert await types(stream) == ["resync"]


async def test_who_stays_while_a_broker_forgets_is_shown_nothing_twice_and_misses_nothing() -> None:
    one = ring(life="a")
    stream = Stream(one, CALLER, None)
    told_before, never_read = placed(0), placed(1)
    one.take([told_before])
    assert await types(stream) == ["message-added.v1"] or await types(stream)
    former = (stream.say_position()).id
    one.begin(beginning(life="b"))
    one.take([told_before, never_read])
    (told,) = await stream.next(1)
    assert Positions.parse(told.id)[PLACE] == 2
    assert await types(Stream(one, CALLER, former)) == ["resync"]
    assert await types(Stream(one, CALLER, told.id)) == []


async def test_an_event_becomes_public_once_for_all_who_look(monkeypatch: pytest.MonkeyPatch) -> None:
    one = ring()
    streams = [Stream(one, CALLER, None) for _ in range(3)]
    for stream in streams:
        await stream.next(0)
    one.take([placed(0)])
    told = [await stream.next(1) for stream in streams]
    assert told[0] == told[1] == told[2]
    assert all(each[0].public is told[0][0].public for each in told)
