"""Who calls: the holder of a key or of an access token, or somebody who does not say."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Final
from uuid import UUID

from starlette.requests import Request

from gateway import handlers
from gateway.domain import PLATFORM_SCOPE, Key, place_of
from gateway.settings import Settings
from gateway.tokens import AccessTokens
from shared.db import Database
from shared.http import PUBLIC_SCOPE, Caller, Limit, NotFound, TooManyRequests, Unauthorized, bearer
from shared.memory import Memory

_REMEMBERED: Final = 10_000
_SLUG_SECONDS: Final = 60
"""How long it is remembered whose a slug is; no tenant ever gives its own up."""
_NOBODYS: Final = UUID(int=0)

PLATFORM: Final = Caller("platform", _NOBODYS, frozenset({PLATFORM_SCOPE}))


class Authenticator:
    """Knows callers by what they show, and how often each may come."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.tokens = AccessTokens(settings.caller_private_key.get_secret_value())
        self._settings = settings
        self._database = database
        self._known: Memory[str, Caller] = Memory(_REMEMBERED)
        self._slugs: Memory[str, UUID] = Memory(_REMEMBERED)
        self._per_key = Limit(settings.requests_per_minute_and_key)
        self._per_tenant = Limit(settings.requests_per_minute_and_tenant)
        self._per_address = Limit(settings.public_requests_per_minute_and_address)
        self._refused = Limit(settings.refusals_per_minute_and_address)

    async def identify(self, request: Request) -> Caller:
        """The holder of the request's key or token.

        Raises `Unauthorized`, and `TooManyRequests` for who comes too often.
        """
        try:
            caller = await self.holder(bearer(request))
        except Unauthorized:
            # Only who guesses is shut out: others may come from the same address.
            self._refused.take(_address(request))
            raise
        _count(self._per_key, caller, request)
        self._per_tenant.take(caller.tenant_id)
        return caller

    async def visitor(self, request: Request, tenant_slug: str | None) -> Caller:
        """Whoever calls from the request's address, with what is open to all: of the tenant that the address names.

        Raises `TooManyRequests`, and `NotFound` for a slug that is no tenant's.
        """
        caller = Caller(f"public|{_address(request)}", _NOBODYS, frozenset({PUBLIC_SCOPE}))
        _count(self._per_address, caller, request)
        if tenant_slug is None:
            return caller
        return replace(caller, tenant_id=await self._tenant(tenant_slug))

    async def _tenant(self, slug: str) -> UUID:
        known = self._slugs.get(slug) or await handlers.tenant_of_slug(slug, self._database)
        if known is None:
            raise NotFound
        return self._slugs.keep(slug, known, seconds=_SLUG_SECONDS)

    @contextmanager
    def guess(self, request: Request) -> Iterator[None]:
        """A log-in, which counts for its address if it is refused; raises `TooManyRequests` when that was too often."""
        address = _address(request)
        if self._refused.left(address) <= 0:
            raise TooManyRequests(headers={"Retry-After": str(self._refused.resets_in)})
        try:
            yield
        except (Unauthorized, TooManyRequests):
            self._refused.take(address)
            raise

    async def holder(self, shown: str) -> Caller:
        """The holder of a key or token, uncounted; raises `Unauthorized`."""
        known = self._known.get(shown)
        if known is not None:
            return known
        if compare_digest(shown.encode(), self._settings.platform_key.get_secret_value().encode()):
            return PLATFORM
        caller, seconds = await self._found(shown)
        if caller is None:
            raise Unauthorized
        return self._known.keep(shown, caller, seconds=min(seconds, self._settings.key_memory))

    async def _found(self, shown: str) -> tuple[Caller | None, float]:
        """Who shows this, and for how many seconds that holds at most."""
        now = datetime.now(UTC)
        if (key := Key.parse(shown)) is not None:
            return await handlers.caller_of_key(key, now, self._database), self._settings.key_memory
        if (token := self.tokens.read(shown)) is not None:
            return await handlers.caller_of_token(token, self._database), (token.expires_at - now).total_seconds()
        return None, 0


def _count(limit: Limit, caller: Caller, request: Request) -> None:
    headers = request.scope["state"]["answer_headers"]
    headers["RateLimit-Limit"] = str(limit.most)
    headers["RateLimit-Remaining"] = str(max(0, limit.left(caller.id) - 1))
    headers["RateLimit-Reset"] = str(limit.resets_in)
    limit.take(caller.id)


def _address(request: Request) -> str:
    return place_of(request.client.host) if request.client else "unknown"
