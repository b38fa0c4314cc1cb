"""A service's real application in this process, asked as the gateway asks it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar, cast
from uuid import UUID

import httpx
from fastapi import FastAPI

from gateway.domain import SCOPES
from shared.http import Caller, ContextSigner
from shared.service import Service
from shared.settings import ServiceSettings
from tests.support.machine import CALLER_PRIVATE_KEY

S = TypeVar("S", bound=ServiceSettings)

_SIGNER = ContextSigner(CALLER_PRIVATE_KEY)


@dataclass(frozen=True)
class Served:
    """An application that runs, and ways to it."""

    name: str
    app: FastAPI
    transport: httpx.ASGITransport

    @property
    def stranger(self) -> httpx.AsyncClient:
        """Asks without saying who."""
        return httpx.AsyncClient(transport=self.transport, base_url="http://here")

    def caller(self, tenant_id: UUID, scopes: Iterable[str] = SCOPES, *, name: str = "caller") -> httpx.AsyncClient:
        """Asks with the context that the gateway signs for a caller; nothing of it needs closing."""
        context = _SIGNER.sign(Caller(name, tenant_id, frozenset(scopes)), self.name)
        return self.bearer(context)

    def bearer(self, token: str) -> httpx.AsyncClient:
        """Asks with any token."""
        client = self.stranger
        client.headers["Authorization"] = f"Bearer {token}"
        return client


@asynccontextmanager
async def serving(service: Service[S], settings: S) -> AsyncIterator[Served]:
    """The parts of a service that `settings.runs` names, until the block ends."""
    edge = service.asgi
    app = cast("FastAPI", edge.app)
    async with service.running(app, settings):
        yield Served(service.name, app, httpx.ASGITransport(edge))
