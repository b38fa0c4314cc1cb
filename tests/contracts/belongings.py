"""A tenant with one of everything that a path of the public API names, all of it marked as his."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from shared.db import Database, DeadLetter
from shared.ids import new_id
from tests.support.accounts import SECRET, TOKEN, body, text
from tests.support.events import NOON
from tests.support.house import House
from tests.support.machine import Machine
from tests.support.waiting import until
from tests.support.whatsapp import signed

PASSWORD = "pão quente às sete"


@dataclass
class Tenant:
    """A tenant of the house; what is asked for is made when it is asked for first."""

    house: House
    machine: Machine
    word: str
    """Stands in every text of his, and in no other tenant's."""
    shown: Mapping[str, Any]
    """As the gateway showed it when it was founded."""
    visitors: dict[str, str] = field(default_factory=dict)
    """By the header that carries it, the secret of somebody who did not say who he is."""
    made: dict[str, str] = field(default_factory=dict)

    @property
    def admin(self) -> httpx.AsyncClient:
        return self.house.bearer(self.shown["admin_key"]["key"])

    async def visitor(self) -> httpx.AsyncClient:
        """Asks with the secrets of those who visit this tenant, and no key."""
        for name in ("session_id", "request_id"):
            await self.has(name)
        visitor = self.house.stranger
        visitor.headers.update(self.visitors)
        return visitor

    async def without(self, scope: str | None) -> httpx.AsyncClient:
        """Asks with a key that may do one thing, and it is another than this."""
        scopes = ["users:read" if scope == "tenant:read" else "tenant:read"]
        key = await self.add("/v1/api-keys", {"label": f"Key {self.word}", "role": "admin", "scopes": scopes})
        return self.house.bearer(key["key"])

    async def has(self, name: str, path: str = "") -> str:
        """The id, or whatever else stands for the parameter `name` of `path`."""
        of_service = re.match(r"/v1/operations/(\w+)", path)
        place = f"{of_service[1]} {name}" if of_service else name
        if place not in self.made:
            self.made[place] = await MAKERS[name](self, path)
        return self.made[place]

    async def address(self, path: str) -> str:
        """The path with this tenant's things in it."""
        for name in re.findall(r"{(\w+)}", path):
            path = path.replace(f"{{{name}}}", await self.has(name, path))
        return path

    async def add(self, path: str, given: Mapping[str, Any], client: httpx.AsyncClient | None = None) -> dict[str, Any]:
        answer = await (client or self.admin).post(path, json=given)
        assert answer.is_success, f"POST {path}: {answer.status_code} {answer.text}"
        added: dict[str, Any] = answer.json()
        return added

    async def first(self, path: str) -> dict[str, Any]:
        """The first item of a list, once there is one."""

        async def items() -> list[dict[str, Any]]:
            answer = await self.admin.get(path)
            assert answer.is_success, f"GET {path}: {answer.status_code} {answer.text}"
            found: list[dict[str, Any]] = answer.json()["items"]
            return found

        return (await until(items))[0]

    async def change(self, method: str, path: str, given: Mapping[str, Any]) -> None:
        answer = await self.admin.request(method, path, json=given)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"


async def _its_own(tenant: Tenant, _: str) -> str:
    return str(tenant.shown["id"])


async def _slug(tenant: Tenant, _: str) -> str:
    return str(tenant.shown["slug"])


async def _user(tenant: Tenant, _: str) -> str:
    """Who serves, and is online with room for what comes, but accepts nothing by himself."""
    email = f"{tenant.word}.{uuid4().hex}@padaria.example".lower()
    given = {"name": f"Joana {tenant.word}", "email": email, "role": "agent", "password": PASSWORD}
    user = await tenant.add("/v1/users", given)
    path = f"/v1/agents/{user['id']}"
    await until(lambda: tenant.admin.get(path), lambda answer: answer.is_success)
    await tenant.change("PATCH", path, {"skills": [tenant.word], "auto_accept": False})
    await tenant.change("PUT", f"{path}/presence", {"status": "online"})
    return str(user["id"])


async def _agent(tenant: Tenant, _: str) -> str:
    return await tenant.has("user_id")


async def _api_key(tenant: Tenant, _: str) -> str:
    return str((await tenant.add("/v1/api-keys", {"label": f"CRM {tenant.word}", "role": "integration"}))["id"])


async def _channel(tenant: Tenant, _: str) -> str:
    """A web chat: visitors reach it without a provider."""
    questions = [{"key": "order_number", "label": f"Pedido em {tenant.word}"}]
    settings = {"title": f"Fale com {tenant.word}", "pre_chat_fields": questions}
    given = {"kind": "web_chat", "name": f"Chat {tenant.word}", "settings": settings}
    return str((await tenant.add("/v1/channels", given))["id"])


async def _session(tenant: Tenant, _: str) -> str:
    given = {"name": f"Maria {tenant.word}", "pre_chat": {"order_number": tenant.word}}
    path = f"/v1/public/chat/{await tenant.has('channel_id')}/sessions"
    session = await tenant.add(path, given, tenant.house.stranger)
    tenant.visitors["X-Visitor-Token"] = session["token"]
    return str(session["id"])


async def _conversation(tenant: Tenant, _: str) -> str:
    given = {"text": f"O bolo de {tenant.word} já está pronto?", "client_message_id": str(uuid4())}
    path = f"/v1/public/chat/sessions/{await tenant.has('session_id')}/messages"
    visitor = tenant.house.stranger
    visitor.headers.update(tenant.visitors)
    await tenant.add(path, given, visitor)
    conversation = await tenant.first("/v1/conversations")
    path = f"/v1/conversations/{conversation['id']}"
    await tenant.change(
        "PATCH", path, {"subject": tenant.word, "labels": [tenant.word], "attributes": {"a": tenant.word}}
    )
    await tenant.add(f"{path}/notes", {"text": f"Nota de {tenant.word}"})
    return str(conversation["id"])


async def _message(tenant: Tenant, _: str) -> str:
    return str((await tenant.first(f"/v1/conversations/{await tenant.has('conversation_id')}/messages"))["id"])


async def _contact(tenant: Tenant, _: str) -> str:
    await tenant.has("conversation_id")
    return str((await tenant.first("/v1/contacts"))["id"])


async def _queue(tenant: Tenant, _: str) -> str:
    return str((await tenant.add("/v1/queues", {"name": f"Fila {tenant.word}"}))["id"])


async def _offer(tenant: Tenant, _: str) -> str:
    await tenant.has("user_id")
    await tenant.has("conversation_id")
    return str((await tenant.first("/v1/offers"))["id"])


async def _raw_event(tenant: Tenant, _: str) -> str:
    """A text without a body, which is kept as it came."""
    number = str(uuid4().int % 10**15)
    credentials = {"app_secret": SECRET, "verify_token": TOKEN}
    settings = {"phone_number_id": number}
    given = {"kind": "whatsapp", "name": f"WhatsApp {tenant.word}", "settings": settings, "credentials": credentials}
    channel = await tenant.add("/v1/channels", given)
    posted = body(text(text={}), number=number)
    ingest = tenant.house.processes["ingest"].stranger
    answer = await ingest.post(f"/webhooks/whatsapp/{channel['id']}", content=posted, headers=signed(posted, SECRET))
    assert answer.status_code == 200, answer.text
    return str((await tenant.first("/v1/raw-events?state=failed"))["id"])


async def _request(tenant: Tenant, _: str) -> str:
    """Of somebody who is no contact of the tenant's."""
    given = {
        "identifiers": [{"kind": "email", "value": f"{tenant.word}@example.com".lower()}],
        "type": "access",
        "contact_channel": "whatsapp",
        "text": f"O que sabe {tenant.word} de mim?",
    }
    path = f"/v1/public/{tenant.shown['slug']}/privacy/requests"
    request = await tenant.add(path, given, tenant.house.stranger)
    tenant.visitors["X-Tracking-Token"] = request["tracking_token"]
    read = f"/v1/privacy/requests/{request['id']}"
    await until(lambda: tenant.admin.get(read), lambda answer: answer.is_success)
    return str(request["id"])


async def _dead_letter(tenant: Tenant, path: str) -> str:
    """No caller can make one: it is written as a consumer that gave up would."""
    service = path.split("/")[3]
    letter = DeadLetter(
        id=new_id(), tenant_id=tenant.shown["id"], event_id=new_id(), type=f"gateway.{tenant.word.lower()}-changed.v1",
        topic="gateway.events", key="a", headers={}, data=b"{}", partition=0, offset=0,
        reason=f"Cannot read {tenant.word}", attempts=1, died_at=NOON,
    )  # fmt: skip
    database: Database = tenant.machine.database(service)
    try:
        async with database.unit_of_work([tenant.shown["id"]]) as uow:
            uow.session.add(letter)
    finally:
        await database.close()
    return str(letter.id)


MAKERS: Mapping[str, Callable[[Tenant, str], Awaitable[str]]] = {
    "agent_id": _agent,
    "api_key_id": _api_key,
    "channel_id": _channel,
    "contact_id": _contact,
    "conversation_id": _conversation,
    "letter_id": _dead_letter,
    "message_id": _message,
    "offer_id": _offer,
    "queue_id": _queue,
    "raw_event_id": _raw_event,
    "request_id": _request,
    "session_id": _session,
    "tenant_id": _its_own,
    "tenant_slug": _slug,
    "user_id": _user,
}
"""By a parameter of a path, how a tenant comes to have what it names."""


async def settle(house: House, machine: Machine, word: str) -> Tenant:
    """A new tenant of whom all have heard, with nothing but its first key."""
    tenant = Tenant(house, machine, word, await house.found(f"Padaria {word}"))
    await tenant.first("/v1/queues")
    await until(lambda: tenant.admin.get("/v1/privacy/register"), lambda answer: answer.is_success)
    return tenant
