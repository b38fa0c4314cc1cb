"""The visitor's side of web chat, and what the staff sees of a visitor."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import Row
from starlette.types import Message, Send

from services.ingest import handlers, store
from services.ingest.channels.web_chat import SESSION_LIFE
from services.ingest.handlers import BeginVisit, VisitorStreams
from services.ingest.models import ChatMessage, ChatSession
from services.ingest.schemas import (
    ChatMessageShown,
    ChatSessionBegun,
    ChatSessionShown,
    NewChatMessage,
    NewChatSession,
    ReadChange,
    TypingChange,
    WebChatShown,
)
from services.ingest.settings import Settings
from services.ingest.store import MessageOfSession
from shared.bearers import SECRET_BYTES
from shared.http import (
    AS_IT_COMES,
    EVENT_STREAM,
    Caller,
    Limit,
    NotFound,
    Page,
    Pages,
    StreamRoute,
    TransactionRoute,
    Work,
    requires,
    send_in_time,
)
from shared.service import Kernel

RETRY_MS = 2000
"""How long a page waits before it listens again."""

ReadConversations = Annotated[Caller, Depends(requires("conversations:read"))]

Token = Annotated[str, Header(description="The token of the session.")]
Origin = Annotated[str | None, Header(description="As the browser sends it.")]


@dataclass(frozen=True, slots=True)
class Lobby:
    """What visits work with while the process runs."""

    kernel: Kernel[Settings]
    streams: VisitorStreams
    begun: Limit
    written: Limit


@asynccontextmanager
async def lobby(kernel: Kernel[Settings]) -> AsyncIterator[Lobby]:
    """The lobby, with the visitors' streams running."""
    settings = kernel.settings
    streams = VisitorStreams(kernel.database, most=settings.chat_streams, every=settings.chat_poll)
    async with streams.running():
        yield Lobby(kernel, streams, Limit(settings.chat_sessions_per_minute), Limit(settings.chat_messages_per_minute))


async def _lobby(request: Request) -> Lobby:
    known: Lobby = request.app.state.lobby
    return known


InLobby = Annotated[Lobby, Depends(_lobby)]


def _visit(*, for_update: bool) -> Callable[..., Coroutine[Any, Any, ChatSession]]:
    async def visit(session_id: UUID, uow: Work, x_visitor_token: Token = "", origin: Origin = None) -> ChatSession:
        return await handlers.resume_visit(session_id, x_visitor_token, origin, uow, for_update=for_update)

    return visit


Visit = Annotated[ChatSession, Depends(_visit(for_update=False))]
HeldVisit = Annotated[ChatSession, Depends(_visit(for_update=True))]


class _Events(StreamingResponse):
    """Server-sent events (WHATWG HTML, §9.2), whose source is closed with them."""

    media_type = EVENT_STREAM

    async def stream_response(self, send: Send) -> None:
        async def give(message: Message) -> None:
            await send_in_time(message, send)

        async with aclosing(cast("AsyncGenerator[str]", self.body_iterator)):
            await super().stream_response(give)


_PUBLIC: Mapping[str, Any] = {
    "prefix": "/public/chat",
    "tags": ["Web chat"],
    "dependencies": [Depends(requires("public"))],
}


class _VisitRoute(TransactionRoute):
    """Whoever looks shows that he is there, and what he is shown is delivered."""

    get_writes = True


chat = APIRouter(**_PUBLIC, route_class=_VisitRoute)
chat_events = APIRouter(**_PUBLIC, route_class=StreamRoute)
chat_sessions = APIRouter(prefix="/chat-sessions", route_class=TransactionRoute, tags=["Conversations"])


@chat.get("/{channel_id}", summary="Read a web chat")
async def read_chat(channel_id: UUID, uow: Work, origin: Origin = None) -> WebChatShown:
    """What a page needs to open it. 403 for pages of other origins than those allowed."""
    channel = await handlers.open_web_chat(channel_id, origin, uow)
    settings = channel.settings
    return WebChatShown(channel_id=channel.id, title=settings["title"], pre_chat_fields=settings["pre_chat_fields"])


@chat.post("/{channel_id}/sessions", status_code=201, summary="Begin a chat session")
async def begin_session(
    channel_id: UUID, body: NewChatSession, uow: Work, request: Request, here: InLobby, origin: Origin = None
) -> ChatSessionBegun:
    """A visitor comes. The `token` of the answer is his secret: sent as `X-Visitor-Token`, it lets him go on after a
    reload, until the session has not been used for 30 days. 429 when too many begin at one address."""
    here.begun.take(request.state.caller.id)
    command = BeginVisit(channel_id, origin, **dict(body), secret=secrets.token_bytes(SECRET_BYTES))
    session, token = await handlers.begin_visit(command, uow)
    return ChatSessionBegun(
        id=session.id,
        channel_id=session.channel_id,
        token=str(token),
        created_at=session.created_at,
        expires_at=session.used_at + SESSION_LIFE,
    )


@chat.post("/sessions/{session_id}/messages", status_code=201, summary="Write a chat message")
async def write_message(body: NewChatMessage, session: HeldVisit, uow: Work, here: InLobby) -> ChatMessageShown:
    """What the visitor writes; it is kept when the answer comes. The same `client_message_id` twice is one message, the
    first. 429 when he writes too fast."""
    index = here.kernel.blind_index
    message = await handlers.take_from_visitor(session, body.text, body.client_message_id, index, here.written, uow)
    return _show(message)


@chat.get("/sessions/{session_id}/messages", summary="List chat messages")
async def list_messages(
    session: Visit,
    paging: Pages,
    uow: Work,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="The `seq` of the last message that is known.")] = 0,
) -> Page[ChatMessageShown]:
    """Both sides' messages in their order. Those to the visitor become delivered by it."""
    reached = paging.after(int)
    rows = await store.list_chat_messages(
        session.tenant_id, session.id, uow.session, after=reached[0] if reached else after, limit=paging.more
    )
    shown = [row for row in rows[: paging.limit] if row.direction == "outbound" and row.status == "sent"]
    delivered = await handlers.deliver({MessageOfSession(row.tenant_id, row.session_id, row.id) for row in shown}, uow)
    return paging.page(
        rows, lambda row: _show(row, "delivered" if row.id in delivered else row.status), lambda row: (row.added_step,)
    )


@chat.put("/sessions/{session_id}/typing", status_code=204, summary="Tell whether a visitor is typing")
async def tell_typing(body: TypingChange, session: HeldVisit, uow: Work) -> None:
    """Good for six seconds; who goes on says so again."""
    handlers.note_typing(session, body.typing, uow)


@chat.put("/sessions/{session_id}/read", status_code=204, summary="Tell what a visitor has read")
async def tell_read(body: ReadChange, session: HeldVisit, uow: Work) -> None:
    """He has read all messages up to this one."""
    await handlers.read_by_visitor(session, body.message_id, uow)


@chat_events.get("/sessions/{session_id}/events", summary="Listen to a chat session", response_class=_Events)
async def listen(
    session_id: UUID,
    here: InLobby,
    x_visitor_token: Token = "",
    origin: Origin = None,
    last_event_id: Annotated[
        int, Header(ge=0, description="After which event to go on; without it, from the first.")
    ] = 0,
) -> _Events:
    """Server-sent events: `message` holds a message of either side, and its id is the message's `seq`; `status` holds
    one whose status has changed. Messages to the visitor become delivered by it. It ends when the session does."""
    async with here.kernel.database.unit_of_work(()) as uow:
        session = await handlers.resume_visit(session_id, x_visitor_token, origin, uow)
    here.streams.check_room(session.id)
    # Who comes from before the database was restored has seen what nobody knows any more.
    source = _stream(here, session, min(last_event_id, session.last_step))
    return _Events(source, headers=AS_IT_COMES)


async def _stream(here: Lobby, session: ChatSession, after: int) -> AsyncGenerator[str]:
    async with here.streams.listening(session.tenant_id, session.id, after) as listener:
        yield f"retry: {RETRY_MS}\n\n"
        while True:
            try:
                async with asyncio.timeout(here.kernel.settings.chat_heartbeat):
                    steps = await listener.next()
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if steps is None:
                return
            yield "".join(map(_event, steps))
            here.streams.gave(listener, steps)


def _event(step: Row[Any]) -> str:
    return f"id: {step.step}\nevent: {step.kind}\ndata: {_show(step).model_dump_json()}\n\n"


@chat_sessions.get("/{session_id}", summary="Read a chat session")
async def read_session(session_id: UUID, caller: ReadConversations, uow: Work) -> ChatSessionShown:
    """What a visitor told before he wrote, and whether he is typing; the session's id is the value of the contact's
    address of kind `visitor`."""
    found = await store.chat_session(caller.tenant_id, session_id, uow.session)
    if found is None:
        raise NotFound
    session, _ = found
    fields: dict[str, Any] = {name: getattr(session, name, None) for name in ChatSessionShown.model_fields}
    typing = session.typing_until is not None and session.typing_until > uow.now
    return ChatSessionShown(**fields | {"typing": typing})


def _show(row: ChatMessage | Row[Any], status: str | None = None) -> ChatMessageShown:
    content = row.content
    return ChatMessageShown(
        id=row.id,
        seq=row.added_step,
        direction=row.direction,
        type=content["type"],
        text=content.get("text"),
        attachments=content.get("attachments", []),
        reply_to=row.reply_to,
        client_message_id=row.client_message_id,
        status=status or row.status,
        sent_at=row.sent_at,
    )
