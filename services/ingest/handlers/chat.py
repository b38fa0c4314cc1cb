"""A visit to a web chat: begun, written from both sides, delivered and read; each message once, in one order."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row

from services.ingest import store
from services.ingest.channels.web_chat import (
    KIND,
    TYPING_LIFE,
    USE_COUNTS,
    VISITOR,
    VisitorToken,
    admits,
    is_over,
    mistakes_in,
)
from services.ingest.handlers.webhooks import fingerprint
from services.ingest.models import Channel, ChatMessage, ChatSession
from services.ingest.store import HeldSession, Letter, MessageOfSession, SessionKey, ToVisitor
from shared.db import UnitOfWork
from shared.events import Event
from shared.events.conversation import MessageQueued
from shared.events.ingest import Address, Content, DeliveryChanged, MessageReceived
from shared.events.privacy import NoticeQueued
from shared.http import Forbidden, Invalid, Limit, NotFound, Unauthorized
from shared.personal import BlindIndex

log = structlog.get_logger()

STEPPED = "stepped_chat_sessions"
"""Stands in a transaction's `session.info` for the sessions in which something happens by it."""

_NO_VISITOR = {"error_code": "session_over", "error_title": "The visitor's session is over."}


@dataclass(frozen=True, slots=True)
class BeginVisit:
    """What a visitor tells before he writes; `secret` are random bytes that nobody has had before."""

    channel_id: UUID
    origin: str | None
    name: str | None = field(repr=False)
    email: str | None = field(repr=False)
    pre_chat: Mapping[str, str] = field(repr=False)
    locale: str | None
    secret: bytes = field(repr=False)


async def open_web_chat(channel_id: UUID, origin: str | None, uow: UnitOfWork) -> Channel:
    """The web chat of this id, and its tenant's rows from here on; raises `NotFound` and `Forbidden`."""
    tenant_id = await store.tenant_of_channel(channel_id, uow.session)
    if tenant_id is None:
        raise NotFound
    await uow.enter(tenant_id)
    channel = await store.channel(tenant_id, channel_id, uow.session)
    if channel is None or channel.kind != KIND:
        raise NotFound
    _admit(channel, origin)
    return channel


async def begin_visit(command: BeginVisit, uow: UnitOfWork) -> tuple[ChatSession, VisitorToken]:
    """A new session and its token, which is nowhere kept; raises `NotFound`, `Forbidden` and `Invalid`."""
    channel = await open_web_chat(command.channel_id, command.origin, uow)
    if mistakes := mistakes_in(command.pre_chat, channel.settings["pre_chat_fields"]):
        raise Invalid(errors=mistakes)
    token = VisitorToken(channel.tenant_id, command.secret)
    session = ChatSession(
        id=uow.new_id(),
        tenant_id=channel.tenant_id,
        channel_id=channel.id,
        token_digest=token.digest,
        name=command.name,
        email=command.email,
        pre_chat=dict(command.pre_chat),
        locale=command.locale,
        last_step=0,
        created_at=uow.now,
        used_at=uow.now,
    )
    uow.session.add(session)
    return session, token


async def resume_visit(
    session_id: UUID, token: str, origin: str | None, uow: UnitOfWork, *, for_update: bool = False
) -> ChatSession:
    """The session that this token opens, and its tenant's rows from here on.

    Raises `Unauthorized`, which never tells whether the session, the token or its time is at fault, and `Forbidden`.
    """
    known = VisitorToken.parse(token)
    if known is None:
        raise Unauthorized
    await uow.enter(known.tenant_id)
    found = await store.chat_session(known.tenant_id, session_id, uow.session, for_update=for_update)
    if found is None:
        raise Unauthorized
    session, channel = found
    if not compare_digest(session.token_digest, known.digest) or is_over(session.used_at, uow.now):
        raise Unauthorized
    _admit(channel, origin)
    if uow.now - session.used_at >= USE_COUNTS:
        session.used_at = uow.now
    return session


def _admit(channel: Channel, origin: str | None) -> None:
    if not admits(channel.settings, origin):
        raise Forbidden("Pages of this origin may not open the chat.")


async def take_from_visitor(
    session: ChatSession, text: str, client_message_id: UUID, index: BlindIndex, limit: Limit, uow: UnitOfWork
) -> ChatMessage:
    """What the visitor of a held session writes, said as any other message that came in; the same name twice is one
    message, the first. Raises `TooManyRequests`."""
    known = await store.message_named_by_visitor(session.tenant_id, session.id, client_message_id, uow.session)
    if known is not None:
        return known
    limit.take(session.id)
    # The clock of this process may be behind that of the one which took the message before.
    session.used_at = max(session.used_at, uow.now)
    session.last_step += 1
    session.typing_until = None
    content = Content(type="text", text=text)
    message = ChatMessage(
        id=uow.new_id(),
        tenant_id=session.tenant_id,
        session_id=session.id,
        client_message_id=client_message_id,
        direction="inbound",
        content=_kept(content),
        status="sent",
        added_step=session.last_step,
        changed_step=session.last_step,
        sent_at=session.used_at,
    )
    uow.session.add(message)
    uow.emit(_received(message, session, content, index))
    _step([session.id], uow)
    return message


def _received(message: ChatMessage, session: ChatSession, content: Content, index: BlindIndex) -> MessageReceived:
    address = Address(kind=VISITOR, value=str(session.id))
    return MessageReceived(
        tenant_id=session.tenant_id,
        channel_id=session.channel_id,
        channel_kind=KIND,
        # There is nothing rawer than the message.
        raw_event_id=message.id,
        sender_ref=fingerprint(session, index)(address),
        sender=[address],
        sender_name=session.name,
        sent_at=message.sent_at,
        provider_message_id=str(message.id),
        direction="inbound",
        content=content,
    )


async def hand_to_visitors(events: Sequence[MessageQueued], uow: UnitOfWork) -> None:
    """Put each message of a web chat into its visitor's session, once; who has none any more is not reached."""
    await _hand([(event, _message(event)) for event in events if event.channel_kind == KIND], uow)


async def hand_notices_to_visitors(events: Sequence[NoticeQueued], uow: UnitOfWork) -> None:
    """Put each notice on a web chat into its visitor's session, once, where he alone reads it."""
    await _hand([(event, _notice(event)) for event in events if event.channel_kind == KIND], uow)


async def _hand(queued: Sequence[tuple[Event, Letter]], uow: UnitOfWork) -> None:
    if not queued:
        return
    sessions = await store.hold_sessions([letter.session for _, letter in queued if letter.session], uow.session)
    handed = await store.known_chat_messages([letter for _, letter in queued], uow.session)
    messages: dict[UUID, ToVisitor] = {}
    for event, letter in queued:
        if letter.message_id in handed or letter.message_id in messages:
            continue
        session = sessions.get(letter.session) if letter.session else None
        if session is None or session.channel_id != letter.channel_id or is_over(session.used_at, uow.now):
            _tell(letter, letter.channel_id, "failed", uow, caused_by=event, **_NO_VISITOR)
            continue
        session.last_step += 1
        messages[letter.message_id] = _to_visitor(letter, session, uow)
        _tell(letter, letter.channel_id, "sent", uow, caused_by=event, provider_message_id=str(letter.message_id))
    if messages:
        await store.add_messages_to_visitors(list(messages.values()), uow.session)
        await store.number_steps(sessions.values(), uow.session)
        _step({message.session_id for message in messages.values()}, uow)


def _message(event: MessageQueued) -> Letter:
    return Letter(
        tenant_id=event.tenant_id,
        message_id=event.message_id,
        attempt=event.attempt,
        channel_id=event.channel_id,
        conversation_id=event.conversation_id,
        contact_id=event.contact_id,
        session=_session(event),
        content=_kept(event.content),
        reply_to=event.reply_to,
    )


def _notice(event: NoticeQueued) -> Letter:
    return Letter(
        tenant_id=event.tenant_id,
        message_id=event.notice_id,
        attempt=1,
        channel_id=event.channel_id,
        conversation_id=None,
        contact_id=event.subject_id,
        session=_session(event),
        content=_kept(Content(type="text", text=event.text)),
    )


def _session(event: MessageQueued | NoticeQueued) -> SessionKey | None:
    """The session that the visitor used last."""
    for address in event.recipient:
        if address.kind == VISITOR:
            try:
                return SessionKey(event.tenant_id, UUID(address.value))
            except ValueError:
                return None
    return None


def _to_visitor(letter: Letter, session: HeldSession, uow: UnitOfWork) -> ToVisitor:
    return ToVisitor(
        id=letter.message_id,
        tenant_id=letter.tenant_id,
        session_id=session.session_id,
        conversation_id=letter.conversation_id,
        contact_id=letter.contact_id,
        attempt=letter.attempt,
        content=letter.content,
        reply_to=letter.reply_to,
        step=session.last_step,
        sent_at=uow.now,
    )


async def deliver(messages: AbstractSet[MessageOfSession], uow: UnitOfWork) -> frozenset[UUID]:
    """Tell of messages that they were given to their visitors; those of which nobody had told it yet."""
    if not messages:
        return frozenset()
    keys = {SessionKey(message.tenant_id, message.session_id) for message in messages}
    sessions = await store.hold_sessions(keys, uow.session)
    delivered = await store.deliver_chat_messages(sorted(messages, key=lambda message: message.message_id), uow.session)
    for row in delivered:
        channel_id = sessions[SessionKey(row.tenant_id, row.session_id)].channel_id
        _tell(row, channel_id, "delivered", uow, provider_message_id=str(row.message_id))
    return frozenset(row.message_id for row in delivered)


async def read_by_visitor(session: ChatSession, message_id: UUID, uow: UnitOfWork) -> None:
    """The visitor of a held session has read all up to this message; raises `NotFound`."""
    up_to = await store.step_of_message(session.tenant_id, session.id, message_id, uow.session)
    if up_to is None:
        raise NotFound
    read = await store.read_chat_messages(
        SessionKey(session.tenant_id, session.id), uow.session, up_to=up_to, last_step=session.last_step
    )
    if not read:
        return
    session.last_step += len(read)
    for row in read:
        _tell(row, session.channel_id, "read", uow, provider_message_id=str(row.message_id))
    _step([session.id], uow)


def note_typing(session: ChatSession, typing: bool, uow: UnitOfWork) -> None:
    """Whether the visitor writes just now; it passes by itself."""
    session.typing_until = uow.now + TYPING_LIFE if typing else None


def _kept(content: Content) -> dict[str, Any]:
    return content.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


def _tell(
    message: Letter | Row[Any],
    channel_id: UUID,
    state: str,
    uow: UnitOfWork,
    *,
    caused_by: Event | None = None,
    **more: str,
) -> None:
    """Tell what became of a message to a visitor; of a notice nobody is told, and it is only noted."""
    if message.conversation_id is None:
        log.info("a notice on a web chat", notice_id=str(message.message_id), state=state)
        return
    told = DeliveryChanged(
        tenant_id=message.tenant_id,
        conversation_id=message.conversation_id,
        contact_id=message.contact_id,
        channel_id=channel_id,
        message_id=message.message_id,
        attempt=message.attempt,
        state=state,
        occurred_at=uow.now,
        **more,
    )
    uow.emit(told, caused_by=caused_by)


def _step(session_ids: Iterable[UUID], uow: UnitOfWork) -> None:
    """Let those who follow these sessions in this process be told as soon as the transaction has committed."""
    uow.session.info.setdefault(STEPPED, set()).update(session_ids)
