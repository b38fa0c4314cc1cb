"""The edge of a process: one shape of error, one transaction, answers kept once, pages without gaps, known callers."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

import httpx
import jwt
import orjson
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, Depends, Request, Response
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, model_validator
from sqlalchemy import select, text

from services.metrics.app import service as metrics
from services.metrics.models import Table, Tenant
from shared.db import Database
from shared.http import (
    BadRequest,
    Body,
    Caller,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Page,
    Paging,
    Present,
    TransactionRoute,
    Work,
    check_version,
    requires,
    tell_version,
)
from shared.http.auth import ALGORITHM, ISSUER
from shared.http.bodies import BODY_BYTES
from shared.http.problems import MOST_ERRORS
from shared.ids import new_id
from shared.service import Service
from shared.settings import ServiceSettings
from tests.support.events import message_received
from tests.support.machine import CALLER_PRIVATE_KEY, BrokerAddress, Machine
from tests.support.outbox import said
from tests.support.server import away
from tests.support.serving import Served, serving
from tests.support.waiting import until

fuzz = settings(max_examples=200, deadline=None, derandomize=True, database=None)

Reader = Annotated[Caller, Depends(requires("conversations:read"))]
router = APIRouter(prefix="/zones", route_class=TransactionRoute)
gates: dict[str, "Gate"] = {}


class Gate:
    """Holds a request in the midst of its work."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def pass_through(self) -> None:
        self.reached.set()
        await self.open.wait()


class Part(Body):
    number: int


class Temper(StrEnum):
    CALM = "calm"
    WILD = "wild"


class Mood(Body):
    words: list[str]
    temper: Present[Temper] = Field(None)


class NewZone(Body):
    """A row of a table, and what shall go wrong after it was written."""

    zone: str = Field("Europe/Lisbon", min_length=2)
    parts: list[Part] = Field([])
    fails: str | None = None
    mood: Present[Mood] = Field(None)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.mood and self.fails:
            raise ValueError("has a mood or fails, not both")
        return self


SERVICE = Service("metrics", ServiceSettings, metrics.location, Table, api=[router])


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)

FAILURES: dict[str, Exception] = {
    "not-found": NotFound(),
    "conflict": Conflict("Not now."),
    "invalid": Invalid("Not so."),
    "forbidden": Forbidden(),
    "broken": RuntimeError("secret words"),
}


@router.post("", status_code=201)
async def add(body: NewZone, caller: Reader, uow: Work, response: Response) -> dict[str, str]:
    uow.session.add(Tenant(tenant_id=caller.tenant_id, time_zone=body.zone, version=1))
    uow.emit(message_received(caller.tenant_id))
    await uow.session.flush()
    if gate := gates.get(body.zone):
        await gate.pass_through()
    if body.fails:
        raise FAILURES[body.fails]
    tell_version(response, 1)
    return {"id": str(new_id()), "zone": body.zone}


@router.get("/{tenant_id}")
async def read(tenant_id: UUID, caller: Reader, uow: Work, response: Response) -> dict[str, str]:
    row = await uow.session.scalar(select(Tenant).where(Tenant.tenant_id == tenant_id))
    if row is None:
        raise NotFound("No such zone.")
    tell_version(response, row.version)
    return {"zone": row.time_zone}


@router.patch("/{tenant_id}")
async def change(tenant_id: UUID, caller: Reader, uow: Work, request: Request) -> dict[str, str]:
    check_version(request, 3)
    return {}


@router.put("")
async def put(fails: str, caller: Reader, uow: Work) -> None:
    raise FAILURES[fails]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Served]:
    async with serving(SERVICE, machine.settings(ServiceSettings, "metrics", broker_address, runs="api")) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(machine: Machine) -> AsyncIterator[Database]:
    database = machine.database("metrics")
    yield database
    await database.close()


@pytest.fixture
def client(desk: Served, tenant_id: UUID) -> httpx.AsyncClient:
    return desk.caller(tenant_id)


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The members of a problem besides those that every one has; exactly those."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told.pop("type") == f"/problems/{slug}"
    assert told.pop("status") == status
    assert len(told.pop("trace_id")) == 32
    assert told.pop("title")
    return told


async def zone(database: Database, tenant_id: UUID) -> str | None:
    async with database.unit_of_work([tenant_id]) as uow:
        return await uow.session.scalar(select(Tenant.time_zone).where(Tenant.tenant_id == tenant_id))


class TestProblems:
    async def test_a_refusal_tells_its_kind_and_its_reason(self, client: httpx.AsyncClient) -> None:
        told = problem(await client.put("/zones", params={"fails": "conflict"}), 409, "conflict")
        assert told == {"detail": "Not now."}

    async def test_what_is_nowhere_is_not_found(self, client: httpx.AsyncClient) -> None:
        assert problem(await client.get("/nowhere"), 404, "not-found") == {}

    async def test_a_method_that_a_path_does_not_have_tells_which_it_has(self, client: httpx.AsyncClient) -> None:
        answer = await client.delete("/zones")
        assert problem(answer, 405, "method-not-allowed") == {}
        assert answer.headers["allow"] in {"POST", "PUT"}

    async def test_a_body_that_is_not_json_is_invalid(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/zones", content=b"{", headers={"content-type": "application/json"})
        assert problem(answer, 422, "invalid")["errors"] == [
            {
                "pointer": "",
                "detail": "is not JSON: Expecting property name enclosed in double quotes, at character 2",
            }
        ]

    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            (b'{"zone": "Europe/Lisbon"}', "text/plain"),
            (b'{"zone": "Europe/Lisbon"}', "application/x-www-form-urlencoded"),
            (b"[]", "application/json"),
            (b"", "application/json"),
        ],
    )
    async def test_what_comes_for_a_body_is_told_what_it_must_be(
        self, client: httpx.AsyncClient, content: bytes, kind: str
    ) -> None:
        answer = await client.post("/zones", content=content, headers={"content-type": kind})
        assert problem(answer, 422, "invalid")["errors"] == [
            {"pointer": "", "detail": "must be a JSON object, sent as application/json"}
        ]

    async def test_each_fault_of_a_body_is_pointed_at(self, client: httpx.AsyncClient) -> None:
        body = {"zone": "", "colour": "blue", "parts": [{"number": 1}, {"number": "x", "a/b": 1}]}
        told = problem(await client.post("/zones", json=body), 422, "invalid")
        assert {error["pointer"] for error in told["errors"]} == {
            "/zone",
            "/colour",
            "/parts/1/number",
            "/parts/1/a~1b",
        }
        assert "blue" not in str(told)

    @pytest.mark.parametrize(
        ("mood", "pointers"),
        [
            ("odd", ["/mood"]),
            (None, ["/mood"]),
            ({}, ["/mood/words"]),
            ({"words": ["a", 1]}, ["/mood/words/1"]),
            ({"words": [], "temper": "odd"}, ["/mood/temper"]),
            ({"words": [], "Mood": 1}, ["/mood/Mood"]),
        ],
    )
    async def test_a_pointer_leads_through_the_body_as_it_came(
        self, client: httpx.AsyncClient, mood: object, pointers: list[str]
    ) -> None:
        told = problem(await client.post("/zones", json={"mood": mood}), 422, "invalid")
        assert [error["pointer"] for error in told["errors"]] == pointers

    async def test_a_body_whose_members_do_not_fit_together_is_told_why(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/zones", json={"mood": {"words": []}, "fails": "broken"})
        assert problem(answer, 422, "invalid")["errors"] == [{"pointer": "", "detail": "has a mood or fails, not both"}]

    async def test_a_parameter_that_is_wrong_is_named(self, client: httpx.AsyncClient) -> None:
        told = problem(await client.get("/zones/no-id"), 422, "invalid")
        assert [error["pointer"] for error in told["errors"]] == ["path:tenant_id"]

    async def test_a_filter_that_is_misspelt_is_not_passed_over(self, client: httpx.AsyncClient) -> None:
        told = problem(await client.get(f"/zones/{new_id()}", params={"tenat": "x"}), 422, "invalid")
        assert [error["pointer"] for error in told["errors"]] == ["query:tenat"]

    @pytest.mark.parametrize("told", [True, False])
    async def test_a_body_too_large_is_refused_whether_it_says_so_or_not(
        self, client: httpx.AsyncClient, told: bool
    ) -> None:
        async def large() -> AsyncIterator[bytes]:
            for _ in range(6):
                yield b" " * (BODY_BYTES // 5)

        answer = await client.post("/zones", content=b" " * (BODY_BYTES + 1) if told else large())
        assert set(problem(answer, 413, "too-large")) == {"detail"}

    @pytest.mark.parametrize("where", [lambda many: many, lambda many: {"parts": [{"number": 1} | many]}])
    async def test_members_without_end_are_not_told_one_by_one(
        self, client: httpx.AsyncClient, where: Callable[[dict[str, int]], dict[str, Any]]
    ) -> None:
        answer = await client.post("/zones", json=where({f"m{number}": 1 for number in range(30_000)}))
        assert len(problem(answer, 422, "invalid")["errors"]) == 1
        assert len(answer.content) < 500

    async def test_of_many_mistakes_the_first_are_told(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/zones", json={"parts": [{}] * 1_000})
        assert len(problem(answer, 422, "invalid")["errors"]) == MOST_ERRORS

    async def test_what_nobody_foresaw_is_told_without_its_words(self, client: httpx.AsyncClient) -> None:
        answer = await client.put("/zones", params={"fails": "broken"})
        assert problem(answer, 500, "internal-error") == {}
        assert "secret" not in answer.text

    async def test_while_the_database_is_away_callers_are_asked_to_come_back(
        self, desk: Served, client: httpx.AsyncClient, machine: Machine, tenant_id: UUID
    ) -> None:
        async with away(machine, "metrics"):
            answer = await client.get(f"/zones/{tenant_id}")
            assert problem(answer, 503, "unavailable") == {}
            assert answer.headers["retry-after"] == "1"
            assert problem(await desk.stranger.get("/ready"), 503, "unavailable")["detail"]
            assert (await desk.stranger.get("/live")).status_code == 200
        assert (await client.get(f"/zones/{tenant_id}")).status_code == 404

    async def test_work_that_was_refused_leaves_nothing(
        self, client: httpx.AsyncClient, database: Database, tenant_id: UUID
    ) -> None:
        for fails in FAILURES:
            assert (await client.post("/zones", json={"fails": fails})).status_code >= 400
        assert await zone(database, tenant_id) is None
        assert not await said(database, tenant_id)


class TestIdempotency:
    KEY: ClassVar = {"Idempotency-Key": "a key of the caller"}

    async def test_a_repeated_request_gets_its_first_answer_and_has_no_second_effect(
        self, client: httpx.AsyncClient, database: Database, tenant_id: UUID
    ) -> None:
        first = await client.post("/zones", json={}, headers=self.KEY)
        again = await client.post("/zones", json={}, headers=self.KEY)
        assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["content-type"] == first.headers["content-type"]
        assert again.headers["idempotency-replayed"] == "true"
        assert "idempotency-replayed" not in first.headers
        assert len(await said(database, tenant_id)) == 1

    async def test_a_key_that_comes_with_another_body_is_refused(self, client: httpx.AsyncClient) -> None:
        await client.post("/zones", json={}, headers=self.KEY)
        answer = await client.post("/zones", json={"zone": "Europe/Paris"}, headers=self.KEY)
        problem(answer, 422, "idempotency-key-reused")

    async def test_a_twin_under_way_is_told_to_wait(self, client: httpx.AsyncClient) -> None:
        zone = f"zone {new_id()}"
        gates[zone] = gate = Gate()
        first = asyncio.create_task(client.post("/zones", json={"zone": zone}, headers=self.KEY))
        await gate.reached.wait()
        twin = await client.post("/zones", json={"zone": zone}, headers=self.KEY)
        problem(twin, 409, "idempotency-in-progress")
        gate.open.set()
        assert (await first).status_code == 201
        assert (await client.post("/zones", json={"zone": zone}, headers=self.KEY)).json() == (await first).json()

    @pytest.mark.parametrize("fails", ["not-found", "conflict"])
    async def test_a_refusal_is_kept_and_what_it_had_done_is_not(
        self, client: httpx.AsyncClient, database: Database, tenant_id: UUID, fails: str
    ) -> None:
        first = await client.post("/zones", json={"fails": fails}, headers=self.KEY)
        again = await client.post("/zones", json={"fails": fails}, headers=self.KEY)
        assert again.headers["idempotency-replayed"] == "true"
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert await zone(database, tenant_id) is None
        assert not await said(database, tenant_id)

    @pytest.mark.parametrize("fails", ["broken", "forbidden", "invalid"])
    async def test_what_may_pass_by_itself_or_be_put_right_is_not_kept(
        self, client: httpx.AsyncClient, fails: str
    ) -> None:
        for _ in range(2):
            answer = await client.post("/zones", json={"fails": fails}, headers=self.KEY)
            assert answer.status_code in {500, 403, 422}
            assert "idempotency-replayed" not in answer.headers

    async def test_the_same_key_of_another_caller_is_another_key(self, desk: Served, tenant_id: UUID) -> None:
        answers = [
            await caller.post("/zones", json={}, headers=self.KEY)
            for caller in (desk.caller(tenant_id), desk.caller(new_id()), desk.caller(new_id(), name="other"))
        ]
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 3

    async def test_a_kept_answer_cannot_be_read_in_the_table(
        self, client: httpx.AsyncClient, database: Database
    ) -> None:
        answer = await client.post("/zones", json={"zone": "Atlantic/Azores"}, headers=self.KEY)
        async with database.unit_of_work(()) as uow:
            rows = (await uow.session.execute(text("SELECT scope, fingerprint, answer FROM idempotency_answers"))).all()
        kept = b"".join(part for row in rows for part in row)
        for plain in (answer.content, b"Azores", base64.b64encode(answer.content), b"a key of the caller"):
            assert plain not in kept

    async def test_a_key_that_is_no_key_is_refused(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/zones", json={}, headers={"Idempotency-Key": "k" * 256})
        problem(answer, 400, "bad-request")


class TestPages:
    @given(count=st.integers(0, 30), limit=st.integers(1, 12))
    @fuzz
    def test_walking_the_pages_meets_every_item_once(self, count: int, limit: int) -> None:
        met: list[int] = []
        cursor: str | None = None
        while True:
            paging = Paging(limit, cursor)
            after = paging.after(int)
            rest = [number for number in range(count) if after is None or number > after[0]]
            page: Page[int] = paging.page(rest[: paging.more], lambda number: number, lambda number: (number,))
            assert len(page.items) <= limit
            met += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        assert met == list(range(count))

    @given(cursor=st.text(max_size=60) | st.binary(max_size=60).map(encoded) | ANY_JSON.map(orjson.dumps).map(encoded))
    @fuzz
    def test_any_other_cursor_is_a_bad_request(self, cursor: str) -> None:
        for kinds in [(UUID, UUID), (datetime, int)]:
            with pytest.raises(BadRequest):
                Paging(50, cursor).after(*kinds)

    @pytest.mark.parametrize(
        "key",
        [
            ("2026-11-20T12:00:00", 1),
            ("0001-01-01T00:00:00+14:00", 1),
            ("2026-11-20T12:00:00Z", 2**31),
            ("2026-11-20T12:00:00Z", True),
        ],
    )
    def test_a_cursor_that_no_column_could_hold_is_a_bad_request(self, key: tuple[str, object]) -> None:
        with pytest.raises(BadRequest):
            Paging(50, encoded(orjson.dumps(key))).after(datetime, int)


class TestVersions:
    @pytest.mark.parametrize("wanted", ['"3"', '"1", "3"', "*"])
    async def test_who_names_the_present_version_may_change_it(self, client: httpx.AsyncClient, wanted: str) -> None:
        assert (await client.patch(f"/zones/{new_id()}", headers={"If-Match": wanted})).status_code == 200

    @pytest.mark.parametrize("wanted", ['"2"', "3", 'W/"3"', '"33"', ""])
    async def test_who_names_another_version_may_not(self, client: httpx.AsyncClient, wanted: str) -> None:
        answer = await client.patch(f"/zones/{new_id()}", headers={"If-Match": wanted})
        assert set(problem(answer, 412, "precondition-failed")) == {"detail"}


class TestRequestIds:
    async def test_a_request_keeps_the_id_it_came_with(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/nowhere", headers={"X-Request-Id": "order-66.a_B"})
        assert answer.headers.get_list("x-request-id") == ["order-66.a_B"]

    @pytest.mark.parametrize("given", ["", "a b", "<script>", "x" * 101, "é"])
    async def test_an_id_that_could_do_harm_is_replaced(self, client: httpx.AsyncClient, given: str) -> None:
        answer = await client.get("/nowhere", headers={b"X-Request-Id": given.encode()})
        assert UUID(answer.headers["x-request-id"]).version == 7


class TestCallers:
    def claims(self, tenant_id: UUID, **changes: object) -> dict[str, object]:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "metrics", "sub": "caller", "tenant": str(tenant_id), "iat": now}
        return claims | {"scope": "conversations:read", "exp": now + 60} | changes

    async def test_a_context_of_the_gateway_is_believed(self, desk: Served, tenant_id: UUID) -> None:
        token = jwt.encode(self.claims(tenant_id), CALLER_PRIVATE_KEY, ALGORITHM)
        assert (await desk.bearer(token).get(f"/zones/{tenant_id}")).status_code == 404

    @pytest.mark.parametrize(
        "changes",
        [
            {"exp": int(time.time()) - 10},
            {"exp": None},
            {"aud": "ingest"},
            {"iss": "somebody"},
            {"tenant": "all"},
            {"tenant": None},
            {"scope": None},
            {"scope": ["conversations:read"]},
            {"sub": None},
        ],
    )
    async def test_a_context_that_is_not_for_now_and_here_is_not(
        self, desk: Served, tenant_id: UUID, changes: dict[str, object]
    ) -> None:
        claims = {name: value for name, value in self.claims(tenant_id, **changes).items() if value is not None}
        token = jwt.encode(claims, CALLER_PRIVATE_KEY, ALGORITHM)
        answer = await desk.bearer(token).get(f"/zones/{tenant_id}")
        assert problem(answer, 401, "unauthorized") == {}
        assert answer.headers["www-authenticate"] == "Bearer"

    async def test_a_context_that_another_key_signed_is_not(self, desk: Served, tenant_id: UUID) -> None:
        stolen = jwt.encode(self.claims(tenant_id), Ed25519PrivateKey.generate(), ALGORITHM)
        unsigned = jwt.encode(self.claims(tenant_id), "", "none")
        symmetric = jwt.encode(self.claims(tenant_id), b"a secret that is 32 bytes or longer", "HS256")
        for token in (stolen, unsigned, symmetric):
            assert (await desk.bearer(token).get(f"/zones/{tenant_id}")).status_code == 401

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer \xff\xfe"])
    async def test_anything_else_is_not(self, desk: Served, tenant_id: UUID, header: str) -> None:
        headers = {b"Authorization": header.encode("latin-1")}
        answer = await desk.stranger.get(f"/zones/{tenant_id}", headers=headers)
        assert problem(answer, 401, "unauthorized") == {}

    async def test_a_known_caller_without_the_scope_is_forbidden(self, desk: Served, tenant_id: UUID) -> None:
        answer = await desk.caller(tenant_id, ["contacts:read"]).get(f"/zones/{tenant_id}")
        assert problem(answer, 403, "forbidden") == {"detail": "The scope conversations:read is needed."}

    async def test_nothing_is_read_for_a_caller_who_is_not_known(self, desk: Served) -> None:
        answer = await desk.stranger.post("/zones", content=b"{")
        assert answer.status_code == 401


class TestHealth:
    async def test_a_process_without_the_api_tells_nothing_but_its_health(
        self, machine: Machine, broker_address: BrokerAddress, tenant_id: UUID
    ) -> None:
        settings = machine.settings(ServiceSettings, "metrics", broker_address, runs="jobs")
        async with serving(SERVICE, settings) as worker:
            assert (await worker.stranger.get("/live")).status_code == 200
            assert (await worker.caller(tenant_id).get(f"/zones/{tenant_id}")).json()["type"] == "/problems/not-found"
            assert (await worker.stranger.get(f"/zones/{tenant_id}")).status_code == 404

    async def test_operations_need_no_context(self, desk: Served) -> None:
        await until(lambda: desk.stranger.get("/ready"), lambda answer: answer.status_code == 200)
        assert (await desk.stranger.get("/ready")).json() == {"status": "ready"}
        assert (await desk.stranger.get("/live")).json() == {"status": "live"}

    async def test_what_is_measured_names_routes_and_nobody(
        self, desk: Served, client: httpx.AsyncClient, tenant_id: UUID
    ) -> None:
        await client.get(f"/zones/{tenant_id}")
        told = (await desk.stranger.get("/telemetry")).text
        assert 'balcao_http_requests_total{method="GET",route="/zones/{tenant_id}",status="404"}' in told
        assert str(tenant_id) not in told
