"""The stream as server-sent events (WHATWG HTML, section 9.2): `GET /v1/events`."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.realtime.cursor import LONGEST
from gateway.realtime.realtime import RETRY_SECONDS, Realtime, first_of
from gateway.realtime.stream import FellBehindError, Stream, Told
from shared.http import AS_IT_COMES, EVENT_STREAM, Caller, TransactionRoute, bearer, send_in_time


class EventStream(Response):
    """An answer that lasts: until the client goes, falls behind, or may see it no more."""

    media_type = EVENT_STREAM

    def __init__(self, realtime: Realtime, caller: Caller, shown: str, after: str | None) -> None:
        super().__init__(headers=AS_IT_COMES)
        del self.headers["content-length"]
        self._realtime = realtime
        self._caller = caller
        self._shown = shown
        self._after = after

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        async with self._realtime.opened(self._caller, self._shown, self._after) as stream:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await first_of(self._tell(stream, send), _until_gone(receive), stream.ended.wait())
        with suppress(TimeoutError):
            await _send(send, "", more=False)

    async def _tell(self, stream: Stream, send: Send) -> None:
        """Until the client is too slow: then he comes back by himself."""
        text = f"retry: {RETRY_SECONDS * 1000}\n"
        try:
            while True:
                told = await stream.next(self._realtime.heartbeat)
                text += _written(told) if told else f": still here\nid: {stream.say_position().id}\n\n"
                await _send(send, text)
                text = ""
        except (FellBehindError, TimeoutError):
            return


def _written(told: Sequence[Told]) -> str:
    return "".join(f"id: {one.id}\nevent: {one.type}\ndata: {one.json}\n\n" for one in told)


async def _send(send: Send, text: str, *, more: bool = True) -> None:
    """Raises `TimeoutError` when the client takes nothing of what was sent before."""
    await send_in_time({"type": "http.response.body", "body": text.encode(), "more_body": more}, send)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


_EXAMPLE: Final = """\
retry: 2000
: still here
id: AQCq5bQcBAzq

id: AQCq5bQcBA3q
event: routing.presence-changed.v1
data: {"id":"AQCq5bQcBA3q","type":"routing.presence-changed.v1","occurred_at":"2026-11-20T11:00:05Z","data":{…}}

"""

events = APIRouter(route_class=TransactionRoute, tags=["Realtime"])

After = Annotated[
    str | None, Query(max_length=LONGEST, description="The `id` of the last event that was told; left out, from now.")
]
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", max_length=LONGEST, description="The same; it goes before `after`.")
]


async def _watcher(request: Request) -> Caller:
    """The caller: what he may see is decided event by event."""
    caller: Caller = request.state.caller
    return caller


_watcher.scope = None  # type: ignore[attr-defined]
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {EventStream.media_type: {"schema": {"type": "string"}, "example": _EXAMPLE}}}
}
Watcher = Annotated[Caller, Depends(_watcher)]


@events.get("/v1/events", summary="Follow what happens", response_class=Response, responses=_ANSWERS)
async def follow_events(
    request: Request, caller: Watcher, after: After = None, last_event_id: LastEventId = None
) -> Response:
    """Server-sent events, each with the JSON object `{id, type, occurred_at, data}`, for as long as the client stays.

    Who comes back with the last id is told exactly what he missed, or `resync` with a `reason` when that is no longer
    known. Each event is shown to who may read such things: `conversations:read` for conversations, messages and what
    became of them, `routing:read`, `users:read`, `tenant:read`; 403 for who may read none of these. 429 when the tenant
    has too many streams open.
    """
    realtime: Realtime = request.app.state.realtime
    return EventStream(realtime, caller, bearer(request), last_event_id or after)
