"""One API over all services: the gateway says who calls, and passes on what is asked and what is answered."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.authentication import Authenticator
from gateway.limits import Places
from gateway.routes import Destination, destination
from shared.http import (
    EVENT_STREAM,
    BadRequest,
    Caller,
    ContextSigner,
    NotFound,
    Passage,
    TooManyRequests,
    Unavailable,
)
from shared.telemetry import current_trace

STREAMS: Final = 1_000
"""Answers of which more may come that one gateway passes on at once."""
_STREAMS_OF_ONE: Final = 20

_ASKED: Final = frozenset({"accept", "content-type", "idempotency-key", "if-match", "last-event-id"})
_ASKED_BY_VISITORS: Final[Mapping[str, frozenset[str]]] = {
    "ingest": _ASKED | {"origin", "x-visitor-token"},
    "privacy": _ASKED | {"x-tracking-token"},
}
"""What a service is told of who says nothing of himself: of secrets only its own."""
_ANSWERED: Final = {
    "allow",
    "cache-control",
    "content-disposition",
    "content-type",
    "etag",
    "idempotency-replayed",
    "location",
    "retry-after",
    "x-accel-buffering",
}

# Any page may ask for what is open to everyone (Fetch standard, CORS): no cookie is ever looked at, and for which pages
# a chat is there, its service decides by their origin.
_TO_ANY_PAGE: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Disposition, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "
    "Retry-After, X-Request-Id",
}
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Max-Age": "600",
}

_ANSWER_SECONDS: Final = 10
# A stream may last; but a service that sends not even a comment for so long is gone.
PATIENCE: Final = httpx.Timeout(_ANSWER_SECONDS, connect=2.0, read=60.0)


class Proxy:
    """Passes requests on to the services."""

    def __init__(self, services: Mapping[str, Passage], authenticator: Authenticator, signer: ContextSigner) -> None:
        self._services = services
        self._authenticator = authenticator
        self._signer = signer
        self._streams = Places(_STREAMS_OF_ONE, STREAMS)

    async def pass_on(self, request: Request) -> Response:
        """What the service answers, events as they come; 503 while it is down."""
        path: str = request.scope["path"]
        where = destination(path)
        if path.startswith("/v1/public/"):
            return await self._pass_visitor_on(request, where)
        caller = await self._authenticator.identify(request)
        if where is None:
            raise NotFound
        return await self._ask(request, where, caller, _ASKED)

    async def _pass_visitor_on(self, request: Request, where: Destination | None) -> Response:
        request.scope["state"]["answer_headers"].update(_TO_ANY_PAGE)
        if where is None:
            # Nobody is asked here who he is, not even for what is not there.
            await self._authenticator.visitor(request, None)
            raise NotFound
        asked = _ASKED_BY_VISITORS[where.service]
        if request.method == "OPTIONS":
            headers = {"Access-Control-Allow-Headers": ", ".join(sorted(asked)), **_PREFLIGHT}
            return Response(status_code=204, headers=headers)
        caller = await self._authenticator.visitor(request, where.tenant_slug)
        return await self._ask(request, where, caller, asked)

    async def _ask(self, request: Request, where: Destination, caller: Caller, asked: frozenset[str]) -> Response:
        service = self._services.get(where.service)
        if service is None:
            raise NotFound
        # Of what is said twice, the first holds.
        headers = {name: value for name, value in reversed(request.headers.items()) if name in asked}
        headers["authorization"] = f"Bearer {self._signer.sign(caller, where.service)}"
        if (trace := current_trace()) is not None:
            headers["traceparent"] = trace
        query = request.scope["query_string"].decode("latin-1")
        path = f"{where.path}?{query}" if query else where.path
        body = await request.body()
        try:
            answer = await _whole(service.ask(request.method, path, headers=headers, content=body))
        except (httpx.InvalidURL, UnicodeError):
            raise BadRequest("The address or a header cannot be passed on.") from None
        except (httpx.HTTPError, TimeoutError):
            raise Unavailable(f"The {where.service} service does not answer.") from None
        return await self._told(answer, caller)

    async def _told(self, answer: httpx.Response, caller: Caller) -> Response:
        headers = {name: value for name, value in answer.headers.items() if name in _ANSWERED}
        if not _is_passed_as_it_comes(answer):
            return Response(answer.content, answer.status_code, headers)
        try:
            self._streams.take(caller.id)
        except TooManyRequests:
            await answer.aclose()
            raise
        return _Passing(answer, headers, leave=partial(self._streams.leave, caller.id))


async def _whole(asked: Awaitable[httpx.Response]) -> httpx.Response:
    """The answer with all of its body, unless that is passed on as it comes; raises `TimeoutError`."""
    async with asyncio.timeout(_ANSWER_SECONDS):
        answer = await asked
        if not _is_passed_as_it_comes(answer):
            try:
                await answer.aread()
            finally:
                await answer.aclose()
    return answer


class _Passing(StreamingResponse):
    """An answer that is passed on piece by piece, until it ends or the client leaves."""

    def __init__(self, answer: httpx.Response, headers: dict[str, str], *, leave: Callable[[], None]) -> None:
        super().__init__(_pieces(answer), answer.status_code, headers)
        self._answer = answer
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
            await self._answer.aclose()


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_bytes():
            yield piece
    except httpx.HTTPError:
        # The service went away. Who follows events comes again where he left off; half a file must not pass for one.
        if not _has_events(answer):
            raise Unavailable("The service went away before the end of the file.") from None


def _is_passed_as_it_comes(answer: httpx.Response) -> bool:
    """Whether more may come than is held here, or later: a file, or events."""
    return "content-disposition" in answer.headers or _has_events(answer)


def _has_events(answer: httpx.Response) -> bool:
    return str(answer.headers.get("content-type", "")).startswith(EVENT_STREAM)
