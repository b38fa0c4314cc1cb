"""Logging in and out: what is told to whom, how often may be guessed, and what a token opens for how long."""

import asyncio
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import httpx
import jwt
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from gateway import handlers
from gateway.domain import ALLOWED, FAILURE_MEMORY, Role, locked_seconds
from gateway.handlers import Entrance, LogIn
from gateway.handlers.logins import fingerprint
from gateway.models import EndedToken, LoginFailures
from gateway.passwords import Passwords
from gateway.tokens import AUDIENCE, AccessToken, AccessTokens
from shared.http import Caller, ContextSigner, ContextVerifier, Unauthorized, Unavailable
from tests.gateway.businesses import PASSWORD, Business, CountingHasher, Founds, Opens, new_email, play
from tests.support.machine import CALLER_PRIVATE_KEY, CALLER_PUBLIC_KEY, Machine
from tests.support.server import administering
from tests.support.serving import Served
from tests.support.waiting import until

WRONG = "não é esta aqui"


async def status(client: httpx.AsyncClient) -> int:
    return (await client.get("/v1/users")).status_code


def same(answer: httpx.Response) -> Mapping[str, Any]:
    """All that two answers must have in common for nobody to tell them apart."""
    body = {name: value for name, value in answer.json().items() if name != "trace_id"}
    headers = {name for name in answer.headers if not name.startswith("ratelimit")}
    return {"status": answer.status_code, "body": body, "headers": headers}


async def test_a_password_is_given_for_a_token_that_does_what_the_role_allows(business: Business) -> None:
    user = await business.add_user("supervisor")
    answer = await business.log_in(user["email"].upper())
    told = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert (told["token_type"], told["expires_in"], told["user"]) == ("Bearer", 3600, user)
    seen: list[Caller] = []

    def service(request: httpx.Request) -> httpx.Response:
        context = request.headers["authorization"].removeprefix("Bearer ")
        seen.append(ContextVerifier(CALLER_PUBLIC_KEY, "routing").verify(context))
        return httpx.Response(200)

    play(business.served, service)
    await business.bearer(told["access_token"]).get("/v1/queues")
    assert seen == [Caller(user["id"], business.id, ALLOWED[Role.SUPERVISOR])]


async def test_a_password_is_the_same_from_every_keyboard(business: Business) -> None:
    user = await business.add_user(password="pa\u0303o quente")
    assert (await business.log_in(user["email"], "p\u00e3o quente")).status_code == 200


async def test_who_fails_is_not_told_why_and_it_costs_as_much(business: Business, founds: Founds) -> None:
    hasher: CountingHasher = business.served.app.state.hasher
    email = new_email()
    at_two = await business.add_user(email=email)
    await (await founds(business.served)).add_user(email=email)
    silent = await business.add_user(password=None)
    gone = await business.add_user()
    await business.change(gone, active=False)
    tries = [(at_two["email"], WRONG), (silent["email"], PASSWORD), (gone["email"], PASSWORD), (new_email(), PASSWORD)]
    for slug, cost in (({}, 5), ({"tenant_slug": business.slug}, 1), ({"tenant_slug": "nobodys"}, 1)):
        answers, costs = [], set()
        for address, password in tries:
            before = hasher.verified
            answers.append(same(await business.log_in(address, password, **slug)))
            costs.add(hasher.verified - before)
        assert costs == {cost}
        assert all(answer == answers[0] for answer in answers)
        assert answers[0]["status"] == 401


async def test_the_password_decides_which_tenant_is_meant(business: Business, founds: Founds) -> None:
    email = new_email()
    here = await business.add_user(email=email, password="palavra de um lado")
    elsewhere = await founds(business.served)
    there = await elsewhere.add_user(email=email, password="palavra do outro")
    for password, user in (("palavra de um lado", here), ("palavra do outro", there)):
        assert (await business.log_in(email, password)).json()["user"]["id"] == user["id"]
    wrong_tenant = await business.log_in(email, "palavra do outro", tenant_slug=business.slug)
    assert wrong_tenant.status_code == 401


async def test_ten_failures_lock_an_address_and_nobody_learns_whether_it_is_anybodys(
    business: Business, opens: Opens
) -> None:
    user = await business.add_user()
    for address in (user["email"], new_email()):
        fails = [await business.log_in(address, WRONG, tenant_slug=business.slug) for _ in range(10)]
        assert {answer.status_code for answer in fails} == {401}
    right, nobodys = await business.log_in(user["email"]), await business.log_in(address)
    assert same(right) == same(nobodys)
    assert right.status_code == 429
    assert 14 * 60 < int(right.headers["retry-after"]) <= 15 * 60
    async with opens() as other_gateway:
        body = {"email": user["email"], "password": PASSWORD}
        assert (await other_gateway.stranger.post("/v1/auth/tokens", json=body)).status_code == 429


async def test_guesses_at_the_same_moment_are_all_counted(business: Business) -> None:
    email = new_email()
    answers = await asyncio.gather(*(business.log_in(email, tenant_slug=business.slug) for _ in range(14)))
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 4


async def test_a_lock_ends_by_itself_and_is_then_forgotten(business: Business) -> None:
    user, unknown = await business.add_user(), new_email()
    for email in (user["email"], unknown):
        for _ in range(11):
            last = await business.log_in(email, WRONG, tenant_slug=business.slug)
        assert last.status_code == 429
    index = business.served.app.state.entrance.blind_index
    rows = LoginFailures.fingerprint.in_([fingerprint(email, None, index) for email in (user["email"], unknown)])
    async with business.database.unit_of_work(()) as uow:
        await uow.session.execute(update(LoginFailures).where(rows).values(since=uow.now - FAILURE_MEMORY))
    assert (await business.log_in(user["email"])).status_code == 200
    async with business.database.unit_of_work(()) as uow:
        assert [row.failures for row in await uow.session.scalars(select(LoginFailures).where(rows))] == [0]


async def test_nothing_that_was_sent_to_log_in_is_kept_as_it_was(business: Business, machine: Machine) -> None:
    user = await business.add_user()
    await business.log_in(user["email"], WRONG)
    async with administering(machine, "gateway") as admin:
        for table in ("logins", "login_failures"):
            assert user["email"] not in str(await admin.fetch(f"SELECT * FROM {table}"))
        kept = await admin.fetchval("SELECT password_hash FROM users WHERE email = $1", user["email"])
    assert kept.startswith("$argon2id$")


async def test_success_neither_counts_nor_forgives(business: Business) -> None:
    user = await business.add_user()
    for _ in range(9):
        assert (await business.log_in(user["email"], WRONG, tenant_slug=business.slug)).status_code == 401
        assert (await business.log_in(user["email"])).status_code == 200
    assert (await business.log_in(user["email"], WRONG)).status_code == 401
    assert (await business.log_in(user["email"])).status_code == 429


async def test_who_fails_too_often_from_one_place_is_shut_out_there(opens: Opens, founds: Founds) -> None:
    async with opens(refusals_per_minute_and_address=3) as served:
        business = await founds(served)
        user = await business.add_user()
        fails = [await business.log_in(new_email()) for _ in range(3)]
        assert [answer.status_code for answer in fails] == [401, 401, 401]
        hasher: CountingHasher = served.app.state.hasher
        before = hasher.verified
        shut_out = await business.log_in(user["email"])
        assert (shut_out.status_code, hasher.verified) == (429, before)
        assert 1 <= int(shut_out.headers["retry-after"]) <= 60
        elsewhere = httpx.ASGITransport(served.transport.app, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=elsewhere, base_url="http://here") as client:
            body = {"email": user["email"], "password": PASSWORD}
            assert (await client.post("/v1/auth/tokens", json=body)).status_code == 200


async def test_after_logging_out_that_token_opens_nothing_and_the_others_do(business: Business) -> None:
    user = await business.add_user("supervisor")
    one, other = [await business.logged_in(user) for _ in range(2)]
    assert [await status(one), await status(other)] == [200, 200]
    assert (await one.delete("/v1/auth/tokens/current")).status_code == 204
    await until(lambda: status(one), lambda now: now == 401)
    assert await status(other) == 200


async def test_an_ended_token_is_forgotten_when_it_would_have_expired(business: Business) -> None:
    user = await business.add_user("supervisor")
    assert (await (await business.logged_in(user)).delete("/v1/auth/tokens/current")).status_code == 204
    mine = EndedToken.tenant_id == business.id
    async with business.database.unit_of_work([business.id]) as uow:
        await uow.session.execute(update(EndedToken).where(mine).values(expires_at=uow.now - timedelta(seconds=1)))
    assert (await (await business.logged_in(user)).delete("/v1/auth/tokens/current")).status_code == 204
    async with business.database.unit_of_work([business.id]) as uow:
        [left] = await uow.session.scalars(select(EndedToken).where(mine))
        assert left.expires_at > uow.now


async def test_only_a_token_is_given_back(business: Business) -> None:
    assert (await business.admin.delete("/v1/auth/tokens/current")).status_code == 403
    assert (await business.served.stranger.delete("/v1/auth/tokens/current")).status_code == 401


@pytest.mark.parametrize("change", [{"password": "uma palavra nova"}, {"role": "admin"}, {"active": False}])
async def test_a_new_password_or_role_and_the_end_of_a_user_end_his_tokens(
    business: Business, change: dict[str, Any]
) -> None:
    user = await business.add_user("supervisor")
    clients = [await business.logged_in(user) for _ in range(2)]
    await business.change(user, name="Joana Prado", role="supervisor")
    assert [await status(client) for client in clients] == [200, 200]
    assert (await business.change(user, **change)).status_code == 200
    for client in clients:
        await until(lambda asked=client: status(asked), lambda now: now == 401)  # type: ignore[misc]


async def test_a_changed_password_is_the_one_that_logs_in(business: Business) -> None:
    user = await business.add_user()
    await business.change(user, password="uma palavra nova")
    assert (await business.log_in(user["email"])).status_code == 401
    assert (await business.log_in(user["email"], "uma palavra nova")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"email": "joana@padaria.example"},
        {"email": "joana", "password": PASSWORD},
        {"email": "joana@padaria.example", "password": ""},
        {"email": "joana@padaria.example", "password": PASSWORD, "role": "admin"},
        {"email": "joana@padaria.example", "password": {"$ne": ""}},
    ],
)
async def test_a_log_in_that_cannot_be_is_refused_without_repeating_the_password(
    at_gateway: Served, body: dict[str, Any]
) -> None:
    answer = await at_gateway.stranger.post("/v1/auth/tokens", json=body)
    assert answer.status_code == 422
    assert PASSWORD not in answer.text


class TestTokens:
    TOKEN = AccessToken(uuid4(), uuid4(), uuid4(), 3, datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1))
    TOKENS = AccessTokens(CALLER_PRIVATE_KEY)

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        told = {
            "iss": "balcao-gateway", "aud": AUDIENCE, "sub": str(uuid4()), "tenant": str(uuid4()),
            "jti": str(uuid4()), "ver": 1, "iat": now, "exp": now + 60,
        }  # fmt: skip
        return told | changes

    def signed(self, kind: str = "at+jwt", **changes: Any) -> str:
        return jwt.encode(self.claims(**changes), CALLER_PRIVATE_KEY, "EdDSA", headers={"typ": kind})

    def test_a_token_says_what_was_signed(self) -> None:
        assert self.TOKENS.read(self.TOKENS.sign(self.TOKEN, datetime.now(UTC))) == self.TOKEN
        assert self.TOKENS.read(self.signed()) is not None

    def test_it_is_no_context_of_a_caller(self) -> None:
        token = self.TOKENS.sign(self.TOKEN, datetime.now(UTC))
        for audience in ("conversation", "ingest"):
            with pytest.raises(Unauthorized):
                ContextVerifier(CALLER_PUBLIC_KEY, audience).verify(token)

    async def test_a_context_of_a_caller_opens_nothing_at_the_gateway(self, business: Business) -> None:
        signer = ContextSigner(CALLER_PRIVATE_KEY)
        user = await business.add_user("admin")
        caller = Caller(user["id"], business.id, ALLOWED[Role.ADMIN])
        for audience in ("gateway", "conversation", AUDIENCE):
            assert await status(business.bearer(signer.sign(caller, audience))) == 401

    async def test_a_token_for_nobody_opens_nothing(self, business: Business) -> None:
        assert await status(business.bearer(self.signed(tenant=str(business.id)))) == 401

    @pytest.mark.parametrize(
        "changes",
        [{"kind": "JWT"}, {"aud": "conversation"}, {"iss": "another"}, {"exp": 1_700_000_000}, {"jti": None}],
        ids=str,
    )
    def test_what_is_not_meant_as_a_token_is_none(self, changes: dict[str, Any]) -> None:
        assert self.TOKENS.read(self.signed(**changes)) is None

    def test_no_other_algorithm_and_no_other_key_signs(self) -> None:
        claims = self.claims()
        unsigned = jwt.encode(claims, "", "none", headers={"typ": "at+jwt"})
        by_public_key = jwt.encode(claims, "x" * 32, "HS256", headers={"typ": "at+jwt"})
        assert self.TOKENS.read(unsigned) is self.TOKENS.read(by_public_key) is None


class SlowHasher(CountingHasher):
    """Lets nobody through until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library calls it so
        self.go_on.wait(20)
        return super().verify(hash, password)


class TestPasswords:
    async def test_who_is_one_too_many_is_sent_away_and_has_not_failed(self, business: Business) -> None:
        user, hasher = await business.add_user(), SlowHasher()
        entrance: Entrance = business.served.app.state.entrance
        slow = replace(entrance, passwords=await Passwords.ready(hasher))
        command = LogIn(user["email"], PASSWORD, business.slug)
        waiting = [asyncio.create_task(slow.passwords.whose(WRONG, [], most=1)) for _ in range(64)]
        await asyncio.sleep(0)
        for _ in range(12):
            with pytest.raises(Unavailable):
                await handlers.log_in(command, slow)
        hasher.go_on.set()
        assert await asyncio.gather(*waiting) == [None] * 64
        assert (await handlers.log_in(command, slow))[0].email == user["email"]

    async def test_the_hash_is_argon2id_and_salted(self) -> None:
        passwords = await Passwords.ready()
        one, other = [await passwords.hash(PASSWORD) for _ in range(2)]
        assert one != other
        assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert await passwords.whose(PASSWORD, [other, one], most=2) == 0
        assert PasswordHasher().verify(one, PASSWORD)


def test_a_lock_lasts_for_what_is_left_of_a_quarter_of_an_hour() -> None:
    since = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert locked_seconds(10, since, since) == 0
    assert locked_seconds(11, since, since) == 900
    assert locked_seconds(99, since, since + timedelta(minutes=14, seconds=59.9)) == 1
