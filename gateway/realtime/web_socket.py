"""The stream over a WebSocket (RFC 6455): `GET /v1/realtime`."""

import asyncio
from typing import Final

import orjson
import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.requests import Request
from starlette.websockets import WebSocketState

from gateway.realtime.realtime import Realtime, first_of
from gateway.realtime.stream import FellBehindError, Stream
from shared.http import Caller, Problem, Unauthorized, Unavailable, bearer
from shared.http.problems import as_problem
from shared.http.streams import SEND_SECONDS

log = structlog.get_logger()

AUTHORIZATION_SECONDS: Final = 5
"""How long a client that could not send the header may take for the message in its stead."""

# Close codes: RFC 6455 section 7.4.1, and 1013 of the IANA registry.
_NOT_ALLOWED: Final = 1008
_TRY_AGAIN: Final = 1013

socket = APIRouter()


@socket.websocket("/v1/realtime")
async def follow(websocket: WebSocket) -> None:
    """Each message is one event, `{id, type, occurred_at, data}`, as on `GET /v1/events`; `?after=` resumes alike.

    The key or token stands in the header `Authorization`, or, since a browser cannot set it, in a first message
    `{"authorization": "Bearer …"}` within five seconds; never in the URL. A message of the type `position` says, at
    first and while nothing happens, from where to go on. A handshake is refused with a problem; what was accepted is
    closed with 1008 when the caller may not, or no longer, see it, and with 1013 when he is too slow or comes too soon.
    """
    try:
        await _show(websocket)
    except WebSocketDisconnect:
        return
    except Exception as error:
        problem = as_problem(error)
        if problem.status >= 500 and not isinstance(error, Problem):
            log.exception("a stream failed")
        await _refuse(websocket, problem)


async def _show(websocket: WebSocket) -> None:
    realtime: Realtime = websocket.app.state.realtime
    in_header = "authorization" in websocket.headers
    if not in_header:
        with realtime.stranger(websocket.client.host if websocket.client else "unknown"):
            await websocket.accept()
            request = _asking(websocket, await _first_message(websocket))
    else:
        request = _asking(websocket, websocket.headers["authorization"])
    caller: Caller = await websocket.app.state.desk.callers.identify(request)
    async with realtime.opened(caller, bearer(request), websocket.query_params.get("after")) as stream:
        if in_header:
            await websocket.accept()
        await first_of(
            _tell(stream, websocket, realtime.heartbeat),
            _until_gone(websocket),
            _until_ended(stream),
        )


async def _first_message(websocket: WebSocket) -> str:
    """The authorization that it holds; empty when it holds none or does not come in time."""
    try:
        async with asyncio.timeout(AUTHORIZATION_SECONDS):
            message = orjson.loads(await websocket.receive_text())
        return str(message["authorization"])
    except (TimeoutError, ValueError, KeyError, TypeError):
        return ""


def _asking(websocket: WebSocket, authorization: str) -> Request:
    """The handshake as a request, so that it is known and counted as one."""
    headers = [(b"authorization", authorization.encode())]
    return Request(
        {**websocket.scope, "type": "http", "method": "GET", "headers": headers, "state": {"answer_headers": {}}}
    )


async def _tell(stream: Stream, websocket: WebSocket, heartbeat: float) -> None:
    try:
        while True:
            told = await stream.next(heartbeat) or [stream.say_position()]
            async with asyncio.timeout(SEND_SECONDS):
                for one in told:
                    await websocket.send_text(one.json)
    except (FellBehindError, TimeoutError):
        raise Unavailable("The reader is too slow.") from None


async def _until_gone(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _until_ended(stream: Stream) -> None:
    await stream.ended.wait()
    raise Unauthorized("The key or token no longer opens this.")


async def _refuse(websocket: WebSocket, problem: Problem) -> None:
    if websocket.application_state is WebSocketState.CONNECTING:
        await websocket.send_denial_response(problem.to_response())
    elif websocket.application_state is WebSocketState.CONNECTED:
        code = _NOT_ALLOWED if problem.status in {401, 403} else _TRY_AGAIN
        await websocket.close(code, problem.detail or problem.title)
