"""Every query about web chats, tenant first. Who writes messages of sessions holds the sessions' rows, by their ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.ingest.models import Channel, ChatMessage, ChatSession
from shared.db import Rowset, Statement


@dataclass(frozen=True, slots=True, order=True)
class SessionKey:
    """A session within its tenant."""

    tenant_id: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True)
class MessageOfSession:
    """A message within its session."""

    tenant_id: UUID
    session_id: UUID
    message_id: UUID


@dataclass(slots=True)
class HeldSession:
    """A session that nobody else writes to until the transaction ends."""

    tenant_id: UUID
    session_id: UUID
    channel_id: UUID
    last_step: int
    used_at: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """What a visitor is to be handed."""

    tenant_id: UUID
    message_id: UUID
    attempt: int
    channel_id: UUID
    conversation_id: UUID | None
    contact_id: UUID
    session: SessionKey | None
    """None where his address is none of ours."""
    content: dict[str, Any] = field(repr=False)
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class ToVisitor:
    """A message to a visitor, with its place in his session."""

    id: UUID
    tenant_id: UUID
    session_id: UUID
    conversation_id: UUID | None
    contact_id: UUID
    attempt: int
    content: dict[str, Any] = field(repr=False)
    reply_to: str | None
    step: int
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Following:
    """Who has seen what happened in a session up to a step."""

    tenant_id: UUID
    session_id: UUID
    after: int


MOST_STEPS = 50
"""How many steps of a session are looked at together."""

_WANTED = Rowset("wanted", tenant_id="uuid", session_id="uuid")
_HOLD = Statement(f"""
SELECT s.tenant_id, s.id AS session_id, s.channel_id, s.last_step, s.used_at
FROM {_WANTED} JOIN chat_sessions s ON s.tenant_id = wanted.tenant_id AND s.id = wanted.session_id
ORDER BY s.id FOR UPDATE OF s
""")

_NUMBERED = Rowset("held", tenant_id="uuid", session_id="uuid", last_step="int")
_NUMBER = Statement(f"""
UPDATE chat_sessions s SET last_step = held.last_step FROM {_NUMBERED}
WHERE s.tenant_id = held.tenant_id AND s.id = held.session_id
""")

_TO_VISITORS = Rowset(
    "row",
    id="uuid",
    tenant_id="uuid",
    session_id="uuid",
    conversation_id="uuid",
    contact_id="uuid",
    attempt="int",
    content="jsonb",
    reply_to="text",
    step="int",
    sent_at="timestamptz",
)
_ADD = Statement(f"""
INSERT INTO chat_messages (id, tenant_id, session_id, conversation_id, contact_id, attempt, content, reply_to,
  added_step, changed_step, sent_at, direction, status)
SELECT id, tenant_id, session_id, conversation_id, contact_id, attempt, content, reply_to,
  step, step, sent_at, 'outbound', 'sent'
FROM {_TO_VISITORS} ORDER BY id
""")

_NAMED = Rowset("named", tenant_id="uuid", message_id="uuid")
_KNOWN = Statement(f"""
SELECT m.id FROM {_NAMED} JOIN chat_messages m ON m.tenant_id = named.tenant_id AND m.id = named.message_id
""")

_TOLD = "m.id AS message_id, m.tenant_id, m.session_id, m.conversation_id, m.contact_id, m.attempt"
_DELIVER = Statement(f"""
UPDATE chat_messages m SET status = 'delivered' FROM {_NAMED}
WHERE m.tenant_id = named.tenant_id AND m.id = named.message_id AND m.direction = 'outbound' AND m.status = 'sent'
RETURNING {_TOLD}
""")
_READ = Statement(f"""
WITH unread AS (
  SELECT id, row_number() OVER (ORDER BY added_step) AS place FROM chat_messages
  WHERE tenant_id = :tenant_id AND session_id = :session_id AND direction = 'outbound' AND status <> 'read'
    AND added_step <= :up_to
)
UPDATE chat_messages m SET status = 'read', changed_step = :last_step + unread.place
FROM unread WHERE m.tenant_id = :tenant_id AND m.id = unread.id
RETURNING {_TOLD}
""")

# A step adds a message or tells its new status, whichever it was that got its number; of several changes of a message
# the last one is left. A session that is over has no row to join.
_FOLLOWED = Rowset("followed", tenant_id="uuid", session_id="uuid", after="int")
_NEWS = Statement(f"""
SELECT followed.session_id, s.last_step, news.*
FROM {_FOLLOWED}
LEFT JOIN chat_sessions s ON s.tenant_id = followed.tenant_id AND s.id = followed.session_id AND s.used_at > :used_since
LEFT JOIN LATERAL (
  (SELECT 'message' AS kind, added_step AS step, id, client_message_id, direction, content, reply_to, status,
     added_step, sent_at
   FROM chat_messages m
   WHERE m.tenant_id = s.tenant_id AND m.session_id = s.id AND added_step > followed.after
   ORDER BY added_step LIMIT {MOST_STEPS})
  UNION ALL
  (SELECT 'status', changed_step, id, client_message_id, direction, content, reply_to, status, added_step, sent_at
   FROM chat_messages m
   WHERE m.tenant_id = s.tenant_id AND m.session_id = s.id AND changed_step > followed.after
     AND changed_step > added_step
   ORDER BY changed_step LIMIT {MOST_STEPS})
  ORDER BY step LIMIT {MOST_STEPS}
) AS news ON true
WHERE s.id IS NULL OR s.last_step > followed.after
ORDER BY followed.session_id, news.step
""")


async def chat_session(
    tenant_id: UUID, session_id: UUID, session: AsyncSession, *, for_update: bool = False
) -> tuple[ChatSession, Channel] | None:
    """The session and the web chat that it is of."""
    query = (
        select(ChatSession, Channel)
        .join(Channel, (Channel.tenant_id == ChatSession.tenant_id) & (Channel.id == ChatSession.channel_id))
        .where(ChatSession.tenant_id == tenant_id, ChatSession.id == session_id)
    )
    found = await session.execute(query.with_for_update(of=ChatSession) if for_update else query)
    row = found.one_or_none()
    return (row[0], row[1]) if row is not None else None


async def message_named_by_visitor(
    tenant_id: UUID, session_id: UUID, client_message_id: UUID, session: AsyncSession
) -> ChatMessage | None:
    query = select(ChatMessage).where(
        ChatMessage.tenant_id == tenant_id,
        ChatMessage.session_id == session_id,
        ChatMessage.client_message_id == client_message_id,
    )
    return await session.scalar(query)


async def step_of_message(tenant_id: UUID, session_id: UUID, message_id: UUID, session: AsyncSession) -> int | None:
    """A message's place in this session."""
    query = select(ChatMessage.added_step).where(
        ChatMessage.tenant_id == tenant_id, ChatMessage.session_id == session_id, ChatMessage.id == message_id
    )
    return await session.scalar(query)


async def list_chat_messages(
    tenant_id: UUID, session_id: UUID, session: AsyncSession, *, after: int, limit: int
) -> Sequence[ChatMessage]:
    query = select(ChatMessage).where(
        ChatMessage.tenant_id == tenant_id, ChatMessage.session_id == session_id, ChatMessage.added_step > after
    )
    return (await session.scalars(query.order_by(ChatMessage.added_step).limit(limit))).all()


async def hold_sessions(keys: Iterable[SessionKey], session: AsyncSession) -> dict[SessionKey, HeldSession]:
    """These sessions, as far as they are there, held until the transaction ends."""
    rows = await session.execute(_HOLD, _WANTED.of(sorted(set(keys))))
    return {SessionKey(row.tenant_id, row.session_id): HeldSession(*row) for row in rows}


async def known_chat_messages(letters: Iterable[Letter], session: AsyncSession) -> set[UUID]:
    """Which of the messages that are to be handed over are there already."""
    return set((await session.execute(_KNOWN, _NAMED.of(letters))).scalars())


async def add_messages_to_visitors(messages: Sequence[ToVisitor], session: AsyncSession) -> None:
    await session.execute(_ADD, _TO_VISITORS.of(messages))


async def number_steps(sessions: Iterable[HeldSession], session: AsyncSession) -> None:
    """Write down how many steps these held sessions have now."""
    await session.execute(_NUMBER, _NUMBERED.of(sessions))


async def deliver_chat_messages(messages: Iterable[MessageOfSession], session: AsyncSession) -> Sequence[Row[Any]]:
    """Those of these messages that became delivered by it; their sessions are held."""
    return (await session.execute(_DELIVER, _NAMED.of(messages))).all()


async def read_chat_messages(
    key: SessionKey, session: AsyncSession, *, up_to: int, last_step: int
) -> Sequence[Row[Any]]:
    """The messages to the visitor that became read, each a step of the held session after its `last_step`."""
    values = {"tenant_id": key.tenant_id, "session_id": key.session_id, "up_to": up_to, "last_step": last_step}
    return (await session.execute(_READ, values)).all()


async def news_of_sessions(
    followed: Iterable[Following], session: AsyncSession, *, used_since: datetime
) -> Sequence[Row[Any]]:
    """Up to `MOST_STEPS` of each session where something happened, in order; `last_step` is None where it is over."""
    return (await session.execute(_NEWS, _FOLLOWED.of(followed) | {"used_since": used_since})).all()
