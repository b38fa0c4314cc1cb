"""The front door: who gets in, how often, and what is passed on in whose name."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import ALLOWED, SCOPES, Key, Role, is_good
from gateway.routes import RESERVED_SLUGS, Destination, destination, public_path
from gateway.settings import Settings
from shared.events.gateway import ApiKeyChanged, TenantChanged
from shared.http import ContextVerifier, Limit, TooManyRequests
from tests.gateway.businesses import play
from tests.support.machine import CALLER_PRIVATE_KEY, CALLER_PUBLIC_KEY, BrokerAddress, Machine
from tests.support.outbox import said
from tests.support.services import SERVICES
from tests.support.serving import Served, serving

PLATFORM_KEY = "blc_platform_for_tests_only"
TENANT = {
    "name": "Padaria do Largo",
    "country": "BR",
    "time_zone": "America/Sao_Paulo",
    "locale": "pt-BR",
    "legal_regime": "lgpd",
    "role": "controller",
}


class Front:
    """A gateway that runs, with no service behind it."""

    def __init__(self, served: Served) -> None:
        self.served = served

    def client(self, key: str) -> httpx.AsyncClient:
        return self.served.bearer(key)

    async def tenant(self, **changes: Any) -> dict[str, Any]:
        body = TENANT | {"slug": f"t-{uuid4().hex}"} | changes
        answer = await self.client(PLATFORM_KEY).post("/v1/tenants", json=body)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def with_service(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        """Let `answer` play every service."""
        play(self.served, answer)


def settings(machine: Machine, broker: BrokerAddress, **changes: Any) -> Settings:
    values = {
        "caller_private_key": CALLER_PRIVATE_KEY,
        "platform_key": PLATFORM_KEY,
        "services": {name: "http://127.0.0.1:9" for name in SERVICES if name != "gateway"},
        "key_memory": 0.01,
        "runs": "api",
    }
    return machine.settings(Settings, "gateway", broker, **values | changes)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def front(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Front]:
    async with serving(SERVICES["gateway"], settings(machine, broker_address)) as served:
        yield Front(served)


async def test_the_platform_adds_a_tenant_and_its_first_admin(front: Front, machine: Machine) -> None:
    tenant = await front.tenant()
    answer = await front.client(tenant["admin_key"]["key"]).get(f"/v1/tenants/{tenant['id']}")
    assert answer.json()["name"] == TENANT["name"]
    database = machine.database("gateway")
    told = await said(database, UUID(tenant["id"]))
    await database.close()
    assert [type(event) for event in told] == [TenantChanged, ApiKeyChanged]
    assert tenant["admin_key"]["key"] not in str(told)


async def test_only_the_platform_adds_tenants_and_it_does_nothing_else(front: Front) -> None:
    tenant = await front.tenant()
    body = TENANT | {"slug": "another"}
    assert (await front.client(tenant["admin_key"]["key"]).post("/v1/tenants", json=body)).status_code == 403
    assert (await front.client(PLATFORM_KEY).get("/v1/api-keys")).status_code == 403


async def test_a_slug_is_given_once(front: Front) -> None:
    tenant = await front.tenant()
    body = TENANT | {"slug": tenant["slug"]}
    answer = await front.client(PLATFORM_KEY).post("/v1/tenants", json=body)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/slug-taken")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("slug", reserved) for reserved in sorted(RESERVED_SLUGS)),
        ("country", "Brazil"),
        ("country", "ZZ"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "localtime"),
        ("locale", "de"),
        ("legal_regime", "none"),
        ("slug", "-a-"),
    ],
)
async def test_a_tenant_that_cannot_be_is_refused_with_a_pointer(front: Front, field: str, value: str) -> None:
    answer = await front.client(PLATFORM_KEY).post("/v1/tenants", json=TENANT | {"slug": "x", field: value})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]


async def test_another_tenants_things_are_not_there(front: Front) -> None:
    one, other = await front.tenant(), await front.tenant()
    client = front.client(other["admin_key"]["key"])
    assert (await client.get(f"/v1/tenants/{one['id']}")).status_code == 404
    assert (await client.delete(f"/v1/api-keys/{one['admin_key']['id']}")).status_code == 404
    assert one["admin_key"]["id"] not in (await client.get("/v1/api-keys")).text


async def test_a_key_does_what_its_role_and_scopes_allow(front: Front) -> None:
    admin = front.client((await front.tenant())["admin_key"]["key"])
    body = {"label": "Reader", "role": "admin", "scopes": ["tenant:read"]}
    made = (await admin.post("/v1/api-keys", json=body)).json()
    reader = front.client(made["key"])
    assert (await reader.get("/v1/api-keys")).status_code == 403
    assert (await reader.post("/v1/api-keys", json=body)).status_code == 403
    beyond = {"label": "Agent", "role": "agent", "scopes": ["api_keys:write"]}
    assert (await admin.post("/v1/api-keys", json=beyond)).status_code == 403


async def test_a_revoked_key_opens_nothing_and_stays_revoked(front: Front) -> None:
    admin = front.client((await front.tenant())["admin_key"]["key"])
    made = (await admin.post("/v1/api-keys", json={"label": "CRM", "role": "integration"})).json()
    assert (await admin.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
    assert (await admin.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
    assert (await front.client(made["key"]).get("/v1/api-keys")).status_code == 401


async def test_a_key_shows_its_secret_once(front: Front) -> None:
    tenant = await front.tenant()
    shown = (await front.client(tenant["admin_key"]["key"]).get("/v1/api-keys")).json()
    assert [set(item) & {"key", "digest"} for item in shown["items"]] == [set()]


async def test_an_expired_key_opens_nothing(front: Front) -> None:
    admin = front.client((await front.tenant())["admin_key"]["key"])
    soon = datetime.now(UTC) + timedelta(seconds=0.3)
    key = {"label": "x", "role": "viewer", "expires_at": soon.isoformat()}
    made = (await admin.post("/v1/api-keys", json=key)).json()
    await asyncio.sleep((soon - datetime.now(UTC)).total_seconds())
    assert (await front.client(made["key"]).get("/v1/tenants/" + str(uuid4()))).status_code == 401


@pytest.mark.parametrize("token", ["", "blc_", "blc_platform_", "blc_" + "A" * 64, "blc_" + "!" * 64, "Bearer", "é"])
async def test_a_token_that_is_no_key_is_refused(front: Front, token: str) -> None:
    client = front.served.stranger
    answer = await client.get("/v1/conversations", headers=[(b"authorization", b"Bearer " + token.encode())])
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_tenant_changes_its_name_but_not_its_regime(front: Front) -> None:
    tenant = await front.tenant()
    client = front.client(tenant["admin_key"]["key"])
    path = f"/v1/tenants/{tenant['id']}"
    changed = await client.patch(path, json={"name": "Padaria Nova"}, headers={"If-Match": '"1"'})
    assert (changed.json()["name"], changed.headers["etag"]) == ("Padaria Nova", '"2"')
    assert (await client.patch(path, json={"name": "Late"}, headers={"If-Match": '"1"'})).status_code == 412
    assert (await client.patch(path, json={"legal_regime": "gdpr"})).status_code == 422


async def test_who_comes_too_often_is_told_when_to_come_again(machine: Machine, broker_address: BrokerAddress) -> None:
    few = settings(machine, broker_address, requests_per_minute_and_key=3)
    async with serving(SERVICES["gateway"], few) as served:
        front = Front(served)
        tenant = await front.tenant()
        client = front.client(tenant["admin_key"]["key"])
        answers = [await client.get("/v1/api-keys") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


async def test_who_guesses_keys_is_shut_out(machine: Machine, broker_address: BrokerAddress) -> None:
    few = settings(machine, broker_address, refusals_per_minute_and_address=3)
    async with serving(SERVICES["gateway"], few) as served:
        guesses = [await served.bearer(f"blc_{number}").get("/v1/api-keys") for number in range(4)]
    assert [answer.status_code for answer in guesses] == [401, 401, 401, 429]


async def test_a_request_is_passed_on_in_the_callers_name(front: Front) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(418, headers={"ETag": '"7"', "Set-Cookie": "a=b", "X-Inner": "1"}, content=b"tea")

    front.with_service(answer)
    tenant = await front.tenant()
    client = front.client(tenant["admin_key"]["key"])
    headers = {"If-Match": '"6"', "Cookie": "c=d", "X-Forwarded-For": "6.6.6.6"}
    told = await client.patch("/v1/conversations/1?status=open&x=%C3%A9", content=b"body", headers=headers)
    assert (told.status_code, told.headers["etag"], told.content) == (418, '"7"', b"tea")
    assert not {"set-cookie", "x-inner"} & set(told.headers)
    (request,) = seen
    assert (request.method, request.url.raw_path) == ("PATCH", b"/conversations/1?status=open&x=%C3%A9")
    assert (request.content, request.headers["if-match"]) == (b"body", '"6"')
    assert not {"cookie", "x-forwarded-for"} & set(request.headers)
    scheme, _, context = request.headers["authorization"].partition(" ")
    caller = ContextVerifier(CALLER_PUBLIC_KEY, "conversation").verify(context)
    assert (scheme, str(caller.tenant_id), caller.scopes) == ("Bearer", tenant["id"], SCOPES)


async def test_a_service_that_is_away_is_a_503_and_the_gateway_goes_on(front: Front) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    front.with_service(away)
    tenant = await front.tenant()
    client = front.client(tenant["admin_key"]["key"])
    answer = await client.get("/v1/conversations")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await client.get("/v1/api-keys")).status_code == 200


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/v1/conversations", Destination("conversation", "/conversations")),
        ("/v1/contacts/1", Destination("conversation", "/contacts/1")),
        ("/v1/operations/ingest/dead-letters", Destination("ingest", "/dead-letters")),
        ("/v1/operations/ingest/dead-letters/1/replays", Destination("ingest", "/dead-letters/1/replays")),
        ("/v1/operations/ingest/telemetry", None),
        ("/v1/operations/postgres/dead-letters", None),
        ("/v1/channels/../telemetry", None),
        ("/v1/channels/..", None),
        ("/v1/channels/%2e%2e/telemetry", None),
        ("/v1/channels//telemetry", None),
        ("/v1/channels/./x", None),
        ("/v1/channels\\..\\telemetry", None),
        ("/v1/channels/x\n", None),
        ("/v1/conversationsx", None),
        ("/v1/webhooks/whatsapp/1", None),
        ("/v1", None),
        ("/v2/conversations", None),
    ],
)
def test_a_path_leads_to_one_service_or_nowhere(path: str, where: Destination | None) -> None:
    assert destination(path) == where


def test_a_services_own_path_has_its_public_twin() -> None:
    for service, path in (("conversation", "/contacts/1"), ("privacy", "/dead-letters")):
        assert destination(public_path(service, path)) == Destination(service, path)


@given(st.text())
def test_any_text_is_a_key_or_none(text: str) -> None:
    for token in (text, f"blc_{text}"):
        key = Key.parse(token)
        assert key is None or Key.parse(str(key)) == key


def test_a_key_says_whose_it_is_and_hides_its_secret() -> None:
    key = Key(uuid4(), bytes(range(32)))
    assert Key.parse(str(key)) == key
    assert "\\x01" not in repr(key)


def test_no_role_is_allowed_what_is_no_scope_of_a_tenant() -> None:
    assert all(scopes <= SCOPES for scopes in ALLOWED.values())
    assert ALLOWED[Role.ADMIN] == SCOPES


def test_a_key_is_good_until_it_expires_or_is_revoked() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert is_good(now, expires_at=None, revoked_at=None)
    assert not is_good(now, expires_at=now, revoked_at=None)
    assert not is_good(now, expires_at=None, revoked_at=now)


def test_a_limit_begins_anew_with_each_minute() -> None:
    time = [0.0]
    limit = Limit(2, clock=lambda: time[0])
    assert [limit.take("a"), limit.take("a"), limit.take("b")] == [1, 0, 1]
    with pytest.raises(TooManyRequests):
        limit.take("a")
    time[0] = 60.0
    assert limit.take("a") == 1
