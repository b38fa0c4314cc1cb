"""One API over all services: the gateway says who calls, and passes on what is asked and what is answered."""

from datetime import UTC, datetime
from hmac import compare_digest
from typing import Final
from uuid import UUID

import httpx
from starlette.requests import Request
from starlette.responses import Response

from gateway import handlers
from gateway.domain import PLATFORM_SCOPE, Key
from gateway.limits import Limit
from gateway.routes import destination
from gateway.settings import Settings
from shared.db import Database
from shared.http import (
    BadRequest,
    Caller,
    ContextSigner,
    NotFound,
    Unauthorized,
    Unavailable,
    bearer,
)
from shared.memory import Memory
from shared.telemetry import current_trace

_ASKED: Final = ("accept", "content-type", "idempotency-key", "if-match")
_ANSWERED: Final = ("content-type", "etag", "idempotency-replayed", "location", "retry-after", "allow")
_REMEMBERED: Final = 10_000

PLATFORM: Final = Caller("platform", UUID(int=0), frozenset({PLATFORM_SCOPE}))


class KeyHolders:
    """Knows callers by their API keys, and how often each may come."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._known: Memory[str, Caller] = Memory(_REMEMBERED)
        self._per_key = Limit(settings.requests_per_minute_and_key)
        self._per_tenant = Limit(settings.requests_per_minute_and_tenant)
        self._refused = Limit(settings.refusals_per_minute_and_address)

    async def identify(self, request: Request) -> Caller:
        """The holder of the request's key; raises `Unauthorized`, and `TooManyRequests` for who comes too often."""
        try:
            caller = await self._caller(bearer(request))
        except Unauthorized:
            # Only who guesses is shut out: others may come from the same address.
            self._refused.take(request.client.host if request.client else "unknown")
            raise
        self._count(caller, request)
        return caller

    async def _caller(self, token: str) -> Caller:
        known = self._known.get(token)
        if known is not None:
            return known
        if compare_digest(token.encode(), self._settings.platform_key.get_secret_value().encode()):
            return PLATFORM
        key = Key.parse(token)
        caller = await handlers.caller_of(key, datetime.now(UTC), self._database) if key is not None else None
        if caller is None:
            raise Unauthorized
        return self._known.keep(token, caller, seconds=self._settings.key_memory)

    def _count(self, caller: Caller, request: Request) -> None:
        limit = self._per_key
        headers = request.scope["state"]["answer_headers"]
        headers["RateLimit-Limit"] = str(limit.most)
        headers["RateLimit-Remaining"] = str(max(0, limit.left(caller.id) - 1))
        headers["RateLimit-Reset"] = str(limit.resets_in)
        limit.take(caller.id)
        self._per_tenant.take(caller.tenant_id)


class Proxy:
    """Passes requests on to the services."""

    def __init__(self, services: dict[str, httpx.AsyncClient], holders: KeyHolders, signer: ContextSigner) -> None:
        self._services = services
        self._holders = holders
        self._signer = signer

    async def pass_on(self, request: Request) -> Response:
        """What the service answers; 503 while it is down."""
        caller = await self._holders.identify(request)
        where = destination(request.url.path)
        client = self._services.get(where.service) if where is not None else None
        if where is None or client is None:
            raise NotFound
        headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
        headers["authorization"] = f"Bearer {self._signer.sign(caller, where.service)}"
        if (trace := current_trace()) is not None:
            headers["traceparent"] = trace
        query = request.url.query
        url = f"{where.path}?{query}" if query else where.path
        try:
            answer = await client.request(request.method, url, headers=headers, content=await request.body())
        except (httpx.InvalidURL, UnicodeError):
            raise BadRequest("The address or a header cannot be passed on.") from None
        except httpx.HTTPError:
            raise Unavailable(f"The {where.service} service does not answer.") from None
        told = {name: answer.headers[name] for name in _ANSWERED if name in answer.headers}
        return Response(answer.content, answer.status_code, told)
