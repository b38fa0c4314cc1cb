"""Who calls: the gateway says it in a short-lived signed context, and every service verifies it for itself."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final, Protocol
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from fastapi import Depends, Request

from shared.http.problems import Forbidden, Unauthorized
from shared.memory import Memory

ALGORITHM: Final = "EdDSA"
ISSUER: Final = "balcao-gateway"
PUBLIC_SCOPE: Final = "public"
"""What they may do of whom nothing is known but an address."""
LIFETIME: Final = 60
"""Seconds for which a context is good."""
_REUSE: Final = 30
_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, for which tenant, and what he may do."""

    id: str
    tenant_id: UUID
    scopes: frozenset[str]


class Callers(Protocol):
    """How a process learns who calls."""

    async def identify(self, request: Request) -> Caller:
        """The caller of a request; raises `Unauthorized`."""


class ContextSigner:
    """The gateway's side: says to a service who calls."""

    def __init__(self, private_key: str) -> None:
        self._key = load_pem_private_key(private_key.encode(), password=None)
        self._signed: Memory[tuple[Caller, str], str] = Memory(_REMEMBERED)

    def sign(self, caller: Caller, audience: str) -> str:
        """A context for one service, good for half a minute at least."""
        kept = self._signed.get((caller, audience))
        if kept is not None:
            return kept
        now = time.time()
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "sub": caller.id,
            "tenant": str(caller.tenant_id),
            "scope": " ".join(sorted(caller.scopes)),
            "iat": int(now),
            "exp": int(now) + LIFETIME,
        }
        token = jwt.encode(claims, self._key, ALGORITHM)  # type: ignore[arg-type]
        return self._signed.keep((caller, audience), token, seconds=_REUSE)


class ContextVerifier:
    """A service's side: believes only what the gateway signed for it."""

    def __init__(self, public_key: str, audience: str) -> None:
        self._key = load_pem_public_key(public_key.encode())
        self._audience = audience
        self._verified: Memory[str, Caller] = Memory(_REMEMBERED)

    async def identify(self, request: Request) -> Caller:
        return self.verify(bearer(request))

    def verify(self, token: str) -> Caller:
        """The caller that a context names; raises `Unauthorized`."""
        kept = self._verified.get(token)
        if kept is not None:
            return kept
        try:
            claims = jwt.decode(
                token,
                self._key,  # type: ignore[arg-type]
                [ALGORITHM],
                audience=self._audience,
                issuer=ISSUER,
                options={"require": ["exp", "iat", "sub"]},
                leeway=2,
            )
            caller = Caller(claims["sub"], UUID(claims["tenant"]), frozenset(claims["scope"].split()))
        except (jwt.InvalidTokenError, KeyError, ValueError, AttributeError):
            raise Unauthorized from None
        return self._verified.keep(token, caller, seconds=max(0.0, claims["exp"] - time.time()))


def bearer(request: Request) -> str:
    """The bearer token of a request (RFC 6750); raises `Unauthorized` when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized
    return token.strip()


def requires(scope: str) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that gives the caller if he has `scope`; else the answer is 403."""

    # Asynchronous like all dependencies here: others are sent to a thread.
    async def caller(request: Request) -> Caller:
        known: Caller = request.state.caller
        if scope not in known.scopes:
            raise Forbidden(f"The scope {scope} is needed.")
        return known

    caller.scope = scope  # type: ignore[attr-defined]
    return caller


ReadOperations = Annotated[Caller, Depends(requires("operations:read"))]
WriteOperations = Annotated[Caller, Depends(requires("operations:write"))]
