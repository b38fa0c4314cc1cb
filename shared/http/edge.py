"""Where a request begins and ends: its id, its trace, its one transaction, and its answer whatever happens."""

import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

import structlog
from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.db import Database, UnitOfWork
from shared.http.auth import PUBLIC_SCOPE, Callers
from shared.http.bodies import BODY_BYTES, Bodies, whole
from shared.http.idempotency import Answers
from shared.http.problems import Invalid, MethodNotAllowed, NotFound, as_problem
from shared.http.streams import EVENT_STREAM
from shared.ids import new_id
from shared.telemetry import HTTP_REQUESTS, HTTP_SECONDS, by_labels, span

log = structlog.get_logger()

MEMBERS: Final = 200
"""What an object in a body may have, several times what any has that is known."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_EVENT_STREAM: Final = EVENT_STREAM.encode()
HEALTH: Final = frozenset({"/live", "/ready", "/telemetry"})


class Body(BaseModel):
    """The body of a request: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _is_not_endless(cls, value: Any) -> Any:
        # Each unknown member would be told of, at a cost far above that of sending it.
        if isinstance(value, dict) and len(value) > MEMBERS:
            raise PydanticCustomError("too_many_members", "must not have more than {most} members", {"most": MEMBERS})
        return value


@dataclass(frozen=True, slots=True)
class Door:
    """What is answered without the framework's help, for its traffic is heavy and its shape not ours."""

    app: ASGIApp
    body_bytes: int = BODY_BYTES


@dataclass(frozen=True, slots=True)
class Declared:
    """A path as it is declared, under which requests are counted and traced."""

    path: str


Match = Callable[[str], tuple[Declared, dict[str, str]] | None]
"""What a path is declared as, and what stands for its parameters; None for one that is not there."""


def straight(match: Match, acts: Mapping[str, Callable[[Request], Awaitable[Response]]]) -> ASGIApp:
    """An app that leads to one act a method, without the framework's router, which takes longer than some acts do."""
    allowed = {"Allow": ", ".join(sorted(acts))}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found = match(scope["path"])
        if found is None:
            raise NotFound
        scope["route"], scope["path_params"] = found
        if (act := acts.get(scope["method"])) is None:
            raise MethodNotAllowed(headers=allowed)
        answer = await act(_Asked(scope, receive, send))
        await answer(scope, receive, send)

    return app


class _Asked(Request):
    """A request whose body is only ever taken whole, without the generators of one that may be taken in pieces."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await whole(self.receive)
        return self._body


@dataclass(frozen=True, slots=True)
class Desk:
    """What the edge of a process works with."""

    database: Database
    callers: Callers
    answers: Answers


class TransactionRoute(APIRoute):
    """A route that knows its caller and does its work in one transaction, committed before the answer leaves.

    A GET can only read, where it is not said of the route that it writes.
    """

    get_writes: ClassVar[bool] = False

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        act = super().get_route_handler()
        known = set(_query_names(self.dependant))

        async def handle(request: Request) -> Response:
            # A filter that is misspelt must not look like one that found everything.
            if unknown := sorted(set(request.query_params) - known):
                raise Invalid(errors=[{"pointer": f"query:{name}", "detail": "is not known here"} for name in unknown])
            desk: Desk = request.app.state.desk
            caller = request.state.caller = await desk.callers.identify(request)
            # Read whole before the transaction: nobody waits for a slow sender with a connection in hand.
            await request.body()
            reads = request.method == "GET" and not self.get_writes
            opened = desk.database.reading if reads else desk.database.unit_of_work
            async with opened([caller.tenant_id]) as uow:
                request.state.uow = uow
                # Behind one address are many who are not known: none may be given what another was answered.
                is_known = PUBLIC_SCOPE not in caller.scopes
                if request.method == "POST" and is_known and "idempotency-key" in request.headers:
                    return await desk.answers.once(request, caller, uow, act)
                return await act(request)

        return handle


class StreamRoute(APIRoute):
    """A route that knows its caller and leaves transactions to its endpoint: none is open while something is sent."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        act = super().get_route_handler()

        async def handle(request: Request) -> Response:
            desk: Desk = request.app.state.desk
            request.state.caller = await desk.callers.identify(request)
            return await act(request)

        return handle


def _query_names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        yield field.alias
    for needed in dependant.dependencies:
        yield from _query_names(needed)


async def _work(request: Request) -> UnitOfWork:
    uow: UnitOfWork = request.state.uow
    return uow


Work = Annotated[UnitOfWork, Depends(_work)]
"""The transaction of this request."""


class RequestEdge:
    """The outermost layer of a process: bounds the body, traces, counts, and never lets an error out bare."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        doors: Mapping[str, Door] | None = None,
        open_to: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.app = app
        self._rest = Door(app)
        self._doors = dict(doors or {})
        self._bodies = Bodies()
        # A process that runs other parts than the API has nothing but its health to tell.
        self._open_to = open_to

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(new_id())
        started = time.perf_counter()
        status = 0

        # What anyone on the way wants to be told beside the answer, whichever it will be.
        told: dict[str, str] = {"x-request-id": request_id}
        scope.setdefault("state", {})["answer_headers"] = told

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
                scope["state"]["endless"] = any(
                    name == b"content-type" and value.startswith(_EVENT_STREAM) for name, value in headers
                )
                beside = ((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in told.items())
                # In a list of its own: an answer may be one that others are given, too.
                message = {**message, "headers": [*headers, *beside]}
            await send(message)

        door = self._door(scope)
        body = self._bodies.bounded(receive, door.body_bytes)
        with span(scope["method"], parent=headers.get("traceparent"), kind=SpanKind.SERVER) as current:
            try:
                await door.app(scope, body, tell)
            except Exception as error:  # noqa: BLE001 - the last one who can answer
                problem = as_problem(error)
                if problem.status >= 500:
                    say = log.warning if problem.status == 503 else log.error
                    say("a request failed", request_id=request_id, path=_route(scope), exc_info=error)
                if not status:
                    await problem.to_response()(scope, receive, tell)
            finally:
                body.close()
            if current.is_recording():
                current.update_name(f"{scope['method']} {_route(scope)}")
                current.set_attribute("http.response.status_code", status)
            _measure(scope, status, time.perf_counter() - started, request_id)

    def _door(self, scope: Scope) -> Door:
        path = scope["path"]
        if not self._open_to(path):
            return _CLOSED
        for beginning, door in self._doors.items():
            if path.startswith(beginning):
                scope["app"] = self.app
                return door
        return self._rest


_CLOSED: Final = Door(NotFound().to_response())


def _measure(scope: Scope, status: int, seconds: float, request_id: str) -> None:
    method, route = scope["method"], _route(scope)
    _counter(method, route, status).inc()
    _histogram(route).observe(seconds)
    if route not in HEALTH:
        say = log.debug if status < 400 else log.info
        say("request", method=method, path=route, status=status, ms=round(seconds * 1000, 1), request_id=request_id)


_counter = by_labels(HTTP_REQUESTS, most=1024)
_histogram = by_labels(HTTP_SECONDS, most=256)


def _route(scope: Scope) -> str:
    """The path as it was declared, so that neither logs nor labels hold anybody's id."""
    return getattr(scope.get("route"), "path", "unmatched")
