"""A tenant at a gateway that runs, its staff, and services that are played."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from uuid import UUID, uuid4

import httpx
from argon2 import PasswordHasher

from gateway.proxy import Proxy
from gateway.routes import SERVICES
from shared.db import Database
from shared.http import ContextSigner, Passage
from tests.support.machine import CALLER_PRIVATE_KEY
from tests.support.outbox import said
from tests.support.serving import Served

PASSWORD = "pão quente às sete"


class CountingHasher(PasswordHasher):
    """argon2id as cheap as it gets, and how often it was asked."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library calls it so
        self.verified += 1
        return super().verify(hash, password)


@dataclass(frozen=True)
class Business:
    """A tenant at a gateway, and its staff."""

    served: Served
    database: Database
    id: UUID
    slug: str
    admin: httpx.AsyncClient
    """Asks with the key of the first admin."""

    def bearer(self, shown: str) -> httpx.AsyncClient:
        return self.served.bearer(shown)

    async def add_user(self, role: str = "agent", **changes: Any) -> dict[str, Any]:
        body = {"name": "Joana", "email": new_email(), "role": role, "password": PASSWORD} | changes
        answer = await self.admin.post("/v1/users", json=body)
        assert answer.status_code == 201, answer.text
        user: dict[str, Any] = answer.json()
        return user

    async def change(self, user: dict[str, Any], **changes: Any) -> httpx.Response:
        return await self.admin.patch(f"/v1/users/{user['id']}", json=changes)

    async def log_in(self, email: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
        body = {"email": email, "password": password} | more
        return await self.served.stranger.post("/v1/auth/tokens", json=body)

    async def logged_in(self, user: dict[str, Any]) -> httpx.AsyncClient:
        """Asks with a new access token of a user's."""
        answer = await self.log_in(user["email"], tenant_slug=self.slug)
        assert answer.status_code == 200, answer.text
        return self.bearer(answer.json()["access_token"])

    async def key(self, **changes: Any) -> dict[str, Any]:
        answer = await self.admin.post("/v1/api-keys", json={"label": "Key", "role": "agent"} | changes)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def said(self, *kinds: type) -> list[Any]:
        """What the services were told of this tenant, as far as it is of these kinds."""
        return [event for event in await said(self.database, self.id) if isinstance(event, kinds)]


class Opens(Protocol):
    """Starts a gateway; `changes` go before the settings of tests."""

    def __call__(self, **changes: Any) -> AbstractAsyncContextManager[Served]: ...


Founds = Callable[[Served], Awaitable[Business]]


def new_email() -> str:
    return f"{uuid4().hex}@padaria.example"


def play(served: Served, answer: Callable[[httpx.Request], httpx.Response]) -> None:
    """Let `answer` play every service."""
    state = served.app.state
    passages = {name: Passage("http://service", httpx.MockTransport(answer)) for name in SERVICES}
    state.proxy = Proxy(passages, state.desk.callers, ContextSigner(CALLER_PRIVATE_KEY))
