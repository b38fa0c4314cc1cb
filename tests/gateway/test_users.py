"""Users: who may add and change them, and what ends with that."""

import asyncio
from uuid import uuid4

import httpx
import pytest

from gateway.domain import ALLOWED, Role, may_give, normal_email
from shared.events.gateway import ApiKeyChanged, UserChanged
from tests.gateway.businesses import PASSWORD, Business, Founds, new_email
from tests.support.serving import Served
from tests.support.waiting import until


async def status(client: httpx.AsyncClient) -> int:
    return (await client.get("/v1/users")).status_code


async def test_a_user_is_added_read_and_listed_without_his_password(business: Business) -> None:
    user = await business.add_user(name="Joana Prado")
    one = await business.admin.get(f"/v1/users/{user['id']}")
    listed = await business.admin.get("/v1/users")
    assert one.json() == user == listed.json()["items"][0]
    assert (user["name"], user["active"], one.headers["etag"]) == ("Joana Prado", True, '"1"')
    assert not [part for part in ("password", "hash", "argon2") if part in one.text + listed.text]


async def test_the_services_hear_of_a_user_as_he_stands(business: Business) -> None:
    user = await business.add_user(name="Joana")
    await business.change(user, name="Joana Prado", role="supervisor")
    await business.change(user, name="Joana Prado")
    told = await business.said(UserChanged)
    assert [(event.name, event.role, event.active, event.version) for event in told] == [
        ("Joana", "agent", True, 1),
        ("Joana Prado", "supervisor", True, 2),
    ]
    assert user["email"] not in str(told)


async def test_an_address_is_one_whatever_its_capitals(business: Business, founds: Founds) -> None:
    email = new_email()
    await business.add_user(email=email.upper())
    again = await business.admin.post("/v1/users", json={"name": "Ana", "email": f" {email} ", "role": "agent"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/email-taken")
    elsewhere = await founds(business.served)
    assert (await elsewhere.add_user(email=email))["email"] == email


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("password", "too short"),
        ("password", "Password123"),
        ("password", "1234567890"),
        ("password", "x" * 201),
        ("email", "joana"),
        ("email", "joana@padaria@example"),
        ("email", f"{'x' * 250}@padaria.example"),
        ("role", "owner"),
        ("name", ""),
        ("nickname", "Jo"),
    ],
)
async def test_a_user_that_cannot_be_is_refused_with_a_pointer(business: Business, field: str, value: str) -> None:
    body = {"name": "Joana", "email": new_email(), "role": "agent", field: value}
    answer = await business.admin.post("/v1/users", json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]
    assert value not in answer.text or field in {"nickname", "name"}


async def test_a_user_is_changed_only_from_the_version_that_was_seen(business: Business) -> None:
    user = await business.add_user()
    path = f"/v1/users/{user['id']}"
    changed = await business.admin.patch(path, json={"name": "Ana"}, headers={"If-Match": '"1"'})
    assert (changed.json()["name"], changed.headers["etag"]) == ("Ana", '"2"')
    late = await business.admin.patch(path, json={"name": "Late"}, headers={"If-Match": '"1"'})
    assert late.status_code == 412
    for nothing in ({"name": None}, {"password": None}, {"active": None}, {"email": new_email()}):
        assert (await business.admin.patch(path, json=nothing)).status_code == 422


async def test_another_tenants_user_is_not_there(business: Business, founds: Founds) -> None:
    other = await founds(business.served)
    user = await other.add_user()
    path = f"/v1/users/{user['id']}"
    assert (await business.admin.get(path)).status_code == 404
    assert (await business.admin.patch(path, json={"active": False})).status_code == 404
    key = {"label": "As him", "role": "agent", "user_id": user["id"]}
    assert (await business.admin.post("/v1/api-keys", json=key)).status_code == 422
    assert user["id"] not in (await business.admin.get("/v1/users")).text


async def test_scopes_decide_who_reads_and_who_writes_users(business: Business) -> None:
    supervisor = await business.logged_in(await business.add_user("supervisor"))
    agent = await business.logged_in(await business.add_user("agent"))
    body = {"name": "Ana", "email": new_email(), "role": "agent"}
    assert [await status(supervisor), (await supervisor.post("/v1/users", json=body)).status_code] == [200, 403]
    assert [await status(agent), (await agent.post("/v1/users", json=body)).status_code] == [403, 403]


async def test_nobody_gives_a_role_that_may_more_than_he_himself(business: Business) -> None:
    scopes = sorted(ALLOWED[Role.AGENT] | {"users:read", "users:write"})
    key = await business.key(role="admin", scopes=scopes)
    head = business.bearer(key["key"])
    body = {"name": "Ana", "email": new_email(), "password": PASSWORD}
    assert (await head.post("/v1/users", json=body | {"role": "admin"})).status_code == 403
    made = await head.post("/v1/users", json=body | {"role": "agent"})
    assert made.status_code == 201
    path = f"/v1/users/{made.json()['id']}"
    assert (await head.patch(path, json={"role": "supervisor"})).status_code == 403
    assert (await head.patch(path, json={"name": "Ana Maria"})).status_code == 200


async def test_nobody_takes_over_a_user_who_may_more_than_he_himself(business: Business) -> None:
    scopes = sorted(ALLOWED[Role.AGENT] | {"users:read", "users:write"})
    head = business.bearer((await business.key(role="admin", scopes=scopes))["key"])
    admin = await business.add_user("admin")
    for change in ({"password": "uma palavra nova"}, {"active": False}, {"role": "agent"}):
        assert (await head.patch(f"/v1/users/{admin['id']}", json=change)).status_code == 403


async def test_the_last_active_admin_stays(business: Business) -> None:
    one = await business.add_user("admin")
    for change in ({"active": False}, {"role": "agent"}):
        refused = await business.change(one, **change)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/last-admin")
    other = await business.add_user("admin")
    assert (await business.change(one, active=False)).status_code == 200
    assert (await business.change(other, active=False)).status_code == 409
    assert (await business.change(other, name="Chefe")).status_code == 200


async def test_two_admins_who_remove_each_other_at_once_do_not_both_go(business: Business) -> None:
    admins = [await business.add_user("admin", password=None) for _ in range(2)]
    answers = await asyncio.gather(*(business.change(admin, active=False) for admin in admins))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_a_user_added_twice_with_one_idempotency_key_is_one(business: Business) -> None:
    body = {"name": "Ana", "email": new_email(), "role": "agent", "password": PASSWORD}
    once, again = [
        await business.admin.post("/v1/users", json=body, headers={"Idempotency-Key": "a"}) for _ in range(2)
    ]
    assert (once.status_code, again.json()) == (201, once.json())
    assert again.headers["idempotency-replayed"] == "true"


class TestKeysOfUsers:
    async def test_such_a_key_calls_as_the_user_with_at_most_what_his_role_allows(self, business: Business) -> None:
        user = await business.add_user("supervisor")
        key = await business.key(role="admin", user_id=user["id"])
        assert (key["user_id"], set(key["scopes"])) == (user["id"], set(ALLOWED[Role.SUPERVISOR]))
        beyond = {"label": "x", "role": "admin", "user_id": user["id"], "scopes": ["users:write"]}
        assert (await business.admin.post("/v1/api-keys", json=beyond)).status_code == 403

    async def test_it_loses_what_his_role_loses(self, business: Business) -> None:
        user = await business.add_user("supervisor")
        client = business.bearer((await business.key(role="supervisor", user_id=user["id"]))["key"])
        assert await status(client) == 200
        await business.change(user, role="agent")
        await until(lambda: status(client), lambda now: now == 403)

    async def test_it_dies_with_him_and_stays_dead(self, business: Business) -> None:
        user = await business.add_user("supervisor")
        key = await business.key(role="supervisor", user_id=user["id"])
        client = business.bearer(key["key"])
        assert await status(client) == 200
        await business.change(user, active=False)
        await until(lambda: status(client), lambda now: now == 401)
        told = [event.revoked_at for event in await business.said(ApiKeyChanged) if str(event.api_key_id) == key["id"]]
        assert [moment is None for moment in told] == [True, False]
        await business.change(user, active=True)
        assert await status(business.bearer(key["key"])) == 401

    async def test_nobody_lets_one_call_as_who_may_more_than_he_himself(self, business: Business) -> None:
        head = business.bearer((await business.key(role="admin", scopes=["api_keys:write", "tenant:read"]))["key"])
        admin = await business.add_user("admin")
        body = {"label": "As the chief", "role": "admin", "user_id": admin["id"], "scopes": ["tenant:read"]}
        assert (await head.post("/v1/api-keys", json=body)).status_code == 403

    async def test_nobody_who_is_not_active_is_given_one(self, business: Business) -> None:
        user = await business.add_user(password=None)
        await business.change(user, active=False)
        for user_id in (user["id"], str(uuid4())):
            body = {"label": "x", "role": "agent", "user_id": user_id}
            answer = await business.admin.post("/v1/api-keys", json=body)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/user_id")


async def test_users_come_in_pages(business: Business, at_gateway: Served) -> None:
    users = [await business.add_user(password=None) for _ in range(3)]
    first = (await business.admin.get("/v1/users?limit=2")).json()
    rest = (await business.admin.get(f"/v1/users?limit=2&cursor={first['next_cursor']}")).json()
    assert [user["id"] for user in first["items"] + rest["items"]] == [user["id"] for user in users]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (" Joana@Padaria.Example ", "joana@padaria.example"),
        ("JOÃO@padaria.example", "joão@padaria.example"),
        ("ｊoana@padaria.example", "joana@padaria.example"),
    ],
)
def test_an_address_has_one_form(written: str, kept: str) -> None:
    assert normal_email(written) == kept == normal_email(kept)


def test_an_admin_may_give_every_role_and_an_agent_his_own() -> None:
    assert all(may_give(role, ALLOWED[Role.ADMIN]) for role in Role)
    assert [role for role in Role if may_give(role, ALLOWED[Role.AGENT])] == [Role.AGENT]
