"""What callers and providers meet at both doors when something is away, was away, is broken or not theirs."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest
import pytest_asyncio

from deploy.local.keys import Keys
from deploy.local.running import RunningSet
from deploy.processes import PROCESSES
from tests.journeys.reading import Reader, gateway, reading
from tests.journeys.tour import Played
from tests.journeys.whole_set import whole_set
from tests.support.waiting import until
from tests.support.whatsapp import WhatsApp, body_of, message_of, signed, text

pytestmark = pytest.mark.journey

LIMIT = 5 * 1024 * 1024
SPOILT: list[dict[str, Any]] = [
    {"text": {}},
    {"text": "Olá"},
    {"text": {"body": "a\x00b\ud800"}},
    {"text": {"body": "x" * 200_000}},
    {"type": None},
    {"type": "never-heard-of"},
    {"from": None, "from_user_id": None},
    {"from": {"number": 1}},
    {"id": None},
    {"id": "i" * 3000},
    {"timestamp": "yesterday"},
    {"timestamp": str(10**15)},
]
"""What may be wrong with a message."""
OTHER_TENANT = {
    "name": "Outra",
    "slug": "outra",
    "country": "PT",
    "time_zone": "Europe/Lisbon",
    "locale": "pt-PT",
    "legal_regime": "gdpr",
    "role": "controller",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(played: Played) -> AsyncIterator[RunningSet]:
    """The set on which the tour was played, started again."""
    async with whole_set(played.root) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def read(running: RunningSet) -> AsyncIterator[Reader]:
    async with reading(running) as read:
        yield read


@pytest_asyncio.fixture(loop_scope="session")
async def admin(running: RunningSet) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway, with the demo tenant's admin key."""
    async with gateway(running, running.demo["admin_key"]) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def whatsapp(running: RunningSet) -> AsyncIterator[WhatsApp]:
    async with httpx.AsyncClient(timeout=20) as client:
        yield WhatsApp(running.demo["channels"]["whatsapp"], client)


@contextmanager
def _frozen(process: psutil.Process) -> Iterator[None]:
    """While the block lasts the process does nothing, and nobody starts it again."""
    process.suspend()
    try:
        yield
    finally:
        process.resume()


@contextmanager
def _without_postgres(running: RunningSet) -> Iterator[None]:
    """While the block lasts every connection is cut and no new one gets an answer."""
    server = psutil.Process(running.pids()["postgres"])
    with _frozen(server):
        for connection in server.children():
            connection.kill()
        yield


def _is_unavailable(answer: httpx.Response) -> bool:
    """Whether it is the problem that tells to come back later, and when."""
    return (
        answer.status_code == 503
        and answer.headers["content-type"] == "application/problem+json"
        and answer.json()["type"] == "/problems/unavailable"
        and int(answer.headers["retry-after"]) > 0
    )


# What a second start finds.


async def test_a_second_start_finds_the_demo_tenant_of_the_first(played: Played, running: RunningSet) -> None:
    assert set(running.pids()) == {"postgres", "broker", "simulator", *PROCESSES}
    # Its ports have moved.
    moved = {"webhook_url": running.demo["channels"]["whatsapp"]["webhook_url"]}
    whatsapp = played.demo["channels"]["whatsapp"] | moved
    assert running.demo == played.demo | {"channels": {"whatsapp": whatsapp}}
    assert (played.root / "demo.json").stat().st_mode & 0o777 == 0o600


async def test_its_agents_are_at_work_again(running: RunningSet, read: Reader) -> None:
    agents = {agent["id"]: agent for agent in running.demo["agents"]}
    sender = "5511970000043"
    async with (
        httpx.AsyncClient(base_url=running.simulator_url, timeout=10) as simulator,
        httpx.AsyncClient(base_url=running.gateway_url, timeout=10) as visited,
    ):
        message = {"from": sender, "text": "Vocês abrem amanhã?"}
        number = running.demo["channels"]["whatsapp"]["phone_number_id"]
        written = await simulator.post("/customers/messages", json={"phone_number_id": number, "messages": [message]})
        assert written.status_code == 202
        contact = await until(lambda: read.contact_of(sender))
        assert contact is not None

        async def assigned() -> list[dict[str, Any]]:
            items = await read.items("/v1/conversations", contact_id=contact["id"])
            return [one for one in items if one["assignee_id"] in agents]

        [conversation] = await until(assigned)
        agent = agents[conversation["assignee_id"]]
        login = await visited.post("/v1/auth/tokens", json={name: agent[name] for name in ("email", "password")})
        answered = await visited.post(
            f"/v1/conversations/{conversation['id']}/messages",
            json={"text": "Abrimos às 7 h."},
            headers={"Authorization": f"Bearer {login.json()['access_token']}"},
        )
        assert answered.status_code == 201, answered.text

        async def sent() -> list[str]:
            items: list[dict[str, Any]] = (await simulator.get("/ledger/sends")).json()["items"]
            return [send["text"] for send in items if send["to"] == sender]

        assert await until(sent) == ["Abrimos às 7 h."]


# What is away.


@pytest.mark.kafka
async def test_without_the_broker_webhooks_are_acknowledged_and_flow_when_it_returns(
    running: RunningSet, whatsapp: WhatsApp, read: Reader
) -> None:
    texts = [text("5521900000001", number) for number in range(5)]
    with _frozen(psutil.Process(running.pids()["broker"])):
        for one in texts:
            assert (await whatsapp.attempt(whatsapp.body(one))).status_code == 200
        assert await read.messages_of("5521900000001") == []
    messages = await until(lambda: read.messages_of("5521900000001"), lambda found: len(found) == 5, seconds=30)
    assert [message["provider_message_id"] for message in messages] == [one.id for one in texts]
    assert [message["seq"] for message in messages] == [1, 2, 3, 4, 5]


async def test_without_postgres_everyone_is_told_to_come_back_and_then_served(
    running: RunningSet, whatsapp: WhatsApp, admin: httpx.AsyncClient, read: Reader
) -> None:
    one = text("5521900000002")
    with _without_postgres(running):
        webhook = await whatsapp.attempt(whatsapp.body(one))
        api = await admin.get("/v1/contacts")
    assert _is_unavailable(webhook), webhook.text
    assert _is_unavailable(api), api.text
    await whatsapp.deliver(one)
    assert len(await until(lambda: read.messages_of(one.sender), seconds=30)) == 1


async def test_without_one_service_the_others_go_on(
    running: RunningSet, admin: httpx.AsyncClient, read: Reader
) -> None:
    # Everyone has come back from what was before.
    await read.figures()
    metrics = psutil.Process(running.pids()["metrics"])
    running.kill("metrics")
    await until(lambda: _is_gone(metrics))
    away = await admin.get("/v1/metrics/messages-received")
    there = await admin.get("/v1/waiting")
    assert _is_unavailable(away), away.text
    assert there.status_code == 200
    assert "definition" in await read.get("/v1/metrics/messages-received")


async def _is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


# What providers may not, or should not, post.


@pytest.mark.parametrize("signature", [None, "sha256=", f"sha256={'0' * 64}", "sha1=5d41402abc4b2a76", "sha256=ção"])
async def test_what_is_not_signed_by_the_provider_is_refused_and_not_stored(
    signature: str | None, whatsapp: WhatsApp, read: Reader
) -> None:
    before = await _raw_events(read)
    headers = {} if signature is None else {"X-Hub-Signature-256": signature.encode()}
    answer = await _post(whatsapp.url, whatsapp.body(text("5521900000003")), headers)
    assert answer.status_code == 401
    assert await _raw_events(read) == before


async def test_a_body_that_was_changed_after_signing_is_refused(whatsapp: WhatsApp, read: Reader) -> None:
    before = await _raw_events(read)
    body = whatsapp.body(text("5521900000003"))
    answer = await _post(whatsapp.url, body + b" ", signed(body, whatsapp.app_secret))
    assert answer.status_code == 401
    assert await _raw_events(read) == before


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_of_more_than_five_megabytes_is_too_large(announced: bool, whatsapp: WhatsApp) -> None:
    body = b" " * (LIMIT + 1)
    answer = await _post(whatsapp.url, body if announced else _in_chunks(body), signed(body, whatsapp.app_secret))
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


async def test_a_body_of_five_megabytes_is_taken_in(whatsapp: WhatsApp) -> None:
    assert (await whatsapp.attempt(b" " * LIMIT)).status_code == 200


async def _post(url: str, body: bytes | AsyncIterator[bytes], headers: Mapping[str, Any]) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(url, content=body, headers=headers)


async def _in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1 << 16):
        yield body[start : start + (1 << 16)]


@pytest.mark.parametrize("body", [b"", b"{", b'{"object": "page"}', b"\xff\xfe", b"[" * 100_000])
async def test_what_is_signed_but_cannot_be_read_is_acknowledged_and_shown_as_failed(
    body: bytes, whatsapp: WhatsApp, read: Reader
) -> None:
    before = await read.items("/v1/raw-events", state="failed")
    # A provider that is refused would post it for days, and nobody would ever see it.
    assert (await whatsapp.attempt(body)).status_code == 200
    assert (await whatsapp.attempt(body)).status_code == 200
    new = [event for event in await read.items("/v1/raw-events", state="failed") if event not in before]
    assert len(new) == 1
    assert new[0]["reason"]


@pytest.mark.parametrize("channel_id", ["0197f0a4-7d1c-7000-8000-000000000000", "none", "%00"])
async def test_a_channel_that_is_not_connected_is_not_found(
    channel_id: str, running: RunningSet, whatsapp: WhatsApp
) -> None:
    body = whatsapp.body(text("5521900000004"))
    url = f"{running.ingest_url}/webhooks/whatsapp/{channel_id}"
    answer = await _post(url, body, signed(body, whatsapp.app_secret))
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize(("number", "spoilt"), list(enumerate(SPOILT)), ids=lambda value: ascii(value)[:40])
async def test_a_bad_item_of_a_batch_spoils_none_of_the_others(
    number: int, spoilt: dict[str, Any], whatsapp: WhatsApp, read: Reader
) -> None:
    sender, other = f"55219000010{number:02}", f"55219000020{number:02}"
    good = [text(sender, 0), text(sender, 1)]
    messages = [message_of(good[0]), message_of(text(other)) | spoilt, message_of(good[1])]
    body = body_of(whatsapp.phone_number_id, messages, [sender, other])
    assert (await whatsapp.attempt(body)).status_code == 200
    found = await until(lambda: read.messages_of(sender), lambda found: len(found) == 2)
    assert [message["provider_message_id"] for message in found] == [one.id for one in good]
    assert await read.dead_letters() == []


async def test_what_is_posted_again_changes_nothing(whatsapp: WhatsApp, read: Reader) -> None:
    texts = [text("5521900000005", number) for number in range(3)]
    await whatsapp.deliver(*texts)
    first = await until(lambda: read.messages_of("5521900000005"), lambda found: len(found) == 3)
    figures, raw_events = await _settled(read), await _raw_events(read)
    await whatsapp.deliver(*reversed(texts))
    await whatsapp.deliver(texts[1])
    # Once it is counted, what was posted before it has gone the whole way, too.
    await whatsapp.deliver(last := text("5521900000005", 3))
    after = await until(lambda: read.messages_of("5521900000005"), lambda found: len(found) == 4)
    assert after[:3] == first
    assert after[3]["provider_message_id"] == last.id
    assert await _settled(read) == figures | {"messages-received": figures["messages-received"] + 1}
    assert await _raw_events(read) == raw_events + 1


async def _settled(read: Reader) -> dict[str, int]:
    """The figures once they tell of every message and contact that is there."""
    written = [one for one in await read.all_messages() if one["direction"] == "inbound"]
    there = (len(written), len(await read.items("/v1/contacts")))
    return await until(read.figures, lambda found: (found["messages-received"], found["subjects"]) == there)


async def _raw_events(read: Reader) -> int:
    states = ("accepted", "kept", "failed")
    return sum([len(await read.items("/v1/raw-events", state=state)) for state in states])


# What callers may not, or should not, ask.


async def test_a_field_that_is_not_known_is_pointed_at(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/v1/contacts", json={"name": "Ana", "nmae": "Ana", "attributes": {"a": 1}})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/nmae"]


@pytest.mark.parametrize(
    "path", ["/v1/conversations", "/v1/contacts", "/v1/channels", "/v1/raw-events", "/v1/api-keys"]
)
@pytest.mark.parametrize("cursor", ["x", "WyJ4Il0", "WzFd", "bnVsbA", "W10"])
async def test_a_cursor_of_nobodys_making_is_a_bad_request(path: str, cursor: str, admin: httpx.AsyncClient) -> None:
    answer = await admin.get(path, params={"cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-cursor")


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("ingest", "/channels"),
        ("ingest", "/raw-events"),
        ("routing", "/waiting"),
        ("conversation", "/conversations"),
        ("conversation", "/contacts"),
        ("conversation", "/dead-letters"),
        ("metrics", "/metrics/messages-received"),
        ("privacy", "/privacy/register"),
    ],
)
async def test_a_service_believes_nobody_but_thegateway(service: str, path: str, running: RunningSet) -> None:
    async with httpx.AsyncClient(base_url=running.ports.url(service), timeout=10) as client:
        for token in (None, "nonsense", running.demo["admin_key"]):
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            answer = await client.get(path, headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthorized")


async def test_a_repeated_request_with_its_key_is_answered_as_the_first_time(admin: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    first = await admin.post("/v1/contacts", json={"name": "Ana"}, headers=headers)
    again = await admin.post("/v1/contacts", json={"name": "Ana"}, headers=headers)
    other = await admin.post("/v1/contacts", json={"name": "Bia"}, headers=headers)
    assert (first.status_code, "idempotency-replayed" in first.headers) == (201, False)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_what_is_another_tenants_is_not_there(
    played: Played, running: RunningSet, admin: httpx.AsyncClient, whatsapp: WhatsApp, read: Reader
) -> None:
    await whatsapp.deliver(one := text("5521900000006"))
    await until(lambda: read.messages_of(one.sender))
    contact = await read.contact_of(one.sender)
    assert contact is not None
    (conversation,) = await read.items("/v1/conversations", contact_id=contact["id"])
    async with gateway(running, Keys.of(played.root).platform_key) as platform:
        tenant = await platform.post("/v1/tenants", json=OTHER_TENANT)
        assert tenant.status_code == 201, tenant.text
    async with gateway(running, tenant.json()["admin_key"]["key"]) as stranger:
        for path in (
            f"/v1/contacts/{contact['id']}",
            f"/v1/conversations/{conversation['id']}",
            f"/v1/conversations/{conversation['id']}/messages",
            f"/v1/conversations/{conversation['id']}/notes",
            f"/v1/channels/{running.demo['channels']['whatsapp']['id']}",
            f"/v1/tenants/{running.demo['tenant_id']}",
        ):
            assert (await admin.get(path)).status_code == 200, path
            assert (await stranger.get(path)).status_code == 404, path
        for path in ("/v1/contacts", "/v1/conversations", "/v1/channels", "/v1/raw-events?state=accepted"):
            assert (await stranger.get(path)).json() == {"items": [], "next_cursor": None}, path
        renamed = await stranger.patch(f"/v1/contacts/{contact['id']}", json={"name": "Mine"})
        noted = await stranger.post(f"/v1/conversations/{conversation['id']}/notes", json={"text": "Mine"})
    assert (renamed.status_code, noted.status_code) == (404, 404)
    assert await read.get(f"/v1/contacts/{contact['id']}") == contact
    assert await read.items(f"/v1/conversations/{conversation['id']}/notes") == []


async def test_a_revoked_key_opens_nothing_within_five_seconds(running: RunningSet, admin: httpx.AsyncClient) -> None:
    key = (await admin.post("/v1/api-keys", json={"label": "CRM", "role": "integration"})).json()
    async with gateway(running, key["key"]) as holder:
        assert (await holder.get("/v1/contacts")).status_code == 200
        assert (await admin.delete(f"/v1/api-keys/{key['id']}")).status_code == 204
        refused = await until(lambda: holder.get("/v1/contacts"), lambda answer: answer.status_code == 401, seconds=5)
    assert refused.json()["type"] == "/problems/unauthorized"


async def test_every_process_is_ready_after_all_this(running: RunningSet) -> None:
    async with httpx.AsyncClient(timeout=10) as client:
        for process in PROCESSES:
            ask = partial(client.get, f"{running.ports.url(process)}/ready")
            await until(ask, lambda answer: answer.is_success, seconds=30)
