"""Every query about sends, tenant first. Who changes sends holds them, in the order of their key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.ingest.channels.sending import QUEUED, UNKNOWN
from services.ingest.models import Channel, DeliveryStatus, Send
from shared.db import Rowset, Session, Statement, hold_names

ECHOED_WITHIN: Final = timedelta(hours=1)
"""So long after a notice whose outcome is not known, what says the same is its echo."""


@dataclass(frozen=True, slots=True, order=True)
class SendKey:
    """An attempt to send a message."""

    tenant_id: UUID
    message_id: UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class NewSend:
    """An attempt to be made."""

    tenant_id: UUID
    message_id: UUID
    attempt: int
    channel_id: UUID
    channel_kind: str
    conversation_id: UUID | None
    contact_id: UUID
    recipient: list[dict[str, Any]] = field(repr=False)
    content: dict[str, Any] = field(repr=False)
    text_digest: bytes | None
    """Of a notice."""
    reply_to: str | None
    queued_at: datetime

    @property
    def key(self) -> SendKey:
        return SendKey(self.tenant_id, self.message_id, self.attempt)


@dataclass(frozen=True, slots=True)
class News:
    """What was told of a send, which is named by its key, by the provider's id, or by both."""

    tenant_id: UUID
    channel_id: UUID
    message_id: UUID | None
    attempt: int | None
    provider_message_id: str | None
    state: str
    occurred_at: datetime
    error_code: str | None = None
    error_title: str | None = None
    trace: str | None = None

    @property
    def key(self) -> SendKey | None:
        if self.message_id is None or self.attempt is None:
            return None
        return SendKey(self.tenant_id, self.message_id, self.attempt)


@dataclass(slots=True)
class HeldSend:
    """A send that nobody else changes until the transaction ends."""

    tenant_id: UUID
    message_id: UUID
    attempt: int
    channel_id: UUID
    conversation_id: UUID | None
    contact_id: UUID
    state: str
    provider_message_id: str | None
    error_code: str | None
    error_title: str | None
    changed_at: datetime
    superseded: bool
    """There is a newer attempt."""

    @property
    def key(self) -> SendKey:
        return SendKey(self.tenant_id, self.message_id, self.attempt)


@dataclass(frozen=True, slots=True)
class Echo:
    """What a provider told to have been sent on a channel, and by which id he knows it."""

    tenant_id: UUID
    channel_id: UUID
    provider_message_id: str
    text_digest: bytes | None
    """SHA-256 of its text."""


@dataclass(frozen=True, slots=True)
class DueSend:
    """An attempt with all that it needs."""

    send: Send
    channel: Channel | None
    arrived_before: bool
    """An older attempt was proved to have reached the person after all."""


_NEW = Rowset(
    "row",
    tenant_id="uuid",
    message_id="uuid",
    attempt="integer",
    channel_id="uuid",
    channel_kind="text",
    conversation_id="uuid",
    contact_id="uuid",
    recipient="jsonb",
    content="jsonb",
    text_digest="bytea",
    reply_to="text",
    queued_at="timestamptz",
)
_ADD = Statement(f"""
INSERT INTO sends ({_NEW.columns}, state, changed_at) SELECT {_NEW.columns}, '{QUEUED}', queued_at FROM {_NEW}
ORDER BY tenant_id, message_id, attempt
ON CONFLICT (tenant_id, message_id, attempt) DO NOTHING
RETURNING tenant_id, message_id, attempt
""")


_TOLD = Rowset(
    "told", tenant_id="uuid", channel_id="uuid", message_id="uuid", attempt="integer", provider_message_id="text"
)
_HOLD = Statement(f"""
WITH told AS MATERIALIZED (SELECT {_TOLD.columns} FROM {_TOLD}), named AS MATERIALIZED (
  SELECT s.tenant_id, s.message_id, s.attempt
  FROM told JOIN sends s USING (tenant_id, message_id, attempt) WHERE s.channel_id = told.channel_id
  UNION
  SELECT s.tenant_id, s.message_id, s.attempt
  FROM told JOIN sends s USING (tenant_id, channel_id, provider_message_id)
)
SELECT s.tenant_id, s.message_id, s.attempt, s.channel_id, s.conversation_id, s.contact_id, s.state,
  s.provider_message_id, s.error_code, s.error_title, s.changed_at, EXISTS (
    SELECT FROM sends newer WHERE newer.tenant_id = s.tenant_id AND newer.message_id = s.message_id
      AND newer.attempt > s.attempt
  ) AS superseded
FROM sends s JOIN named USING (tenant_id, message_id, attempt)
ORDER BY s.tenant_id, s.message_id, s.attempt FOR UPDATE OF s
""")

_CHANGED = Rowset(
    "row",
    tenant_id="uuid",
    message_id="uuid",
    attempt="integer",
    state="text",
    provider_message_id="text",
    error_code="text",
    error_title="text",
    changed_at="timestamptz",
)
# What became of it is known, so that what was to be sent and to whom need not be kept here any longer.
_CHANGE = Statement(f"""
UPDATE sends SET state = row.state, provider_message_id = row.provider_message_id, error_code = row.error_code,
  error_title = row.error_title, changed_at = row.changed_at, recipient = NULL, content = NULL
FROM {_CHANGED}
WHERE sends.tenant_id = row.tenant_id AND sends.message_id = row.message_id AND sends.attempt = row.attempt
""")

_NAMED = Rowset("named", tenant_id="uuid", channel_id="uuid", provider_message_id="text")
_STATUSES = Statement(f"""
SELECT s.* FROM {_NAMED} JOIN delivery_statuses s USING (tenant_id, channel_id, provider_message_id)
ORDER BY s.occurred_at
""")

# A provider may echo what was sent before he has told his id of it, or without ever telling it: then its words tell
# what it is. What says the same long after is somebody else's.
_ECHOES = Rowset("echo", tenant_id="uuid", channel_id="uuid", provider_message_id="text", text_digest="bytea")
_OF_NOTICES = Statement(f"""
SELECT echo.tenant_id, echo.channel_id, echo.provider_message_id, echo.text_digest FROM {_ECHOES}
WHERE EXISTS (
  SELECT FROM sends s WHERE s.tenant_id = echo.tenant_id AND s.channel_id = echo.channel_id
    AND s.provider_message_id = echo.provider_message_id AND s.conversation_id IS NULL
) OR EXISTS (
  SELECT FROM sends s WHERE s.tenant_id = echo.tenant_id AND s.channel_id = echo.channel_id
    AND s.conversation_id IS NULL AND s.text_digest = echo.text_digest
    AND s.state IN ('{QUEUED}', '{UNKNOWN.state}') AND (s.state = '{QUEUED}' OR s.changed_at > :unknown_since)
)
""")


async def add_sends(sends: Sequence[NewSend], session: AsyncSession) -> frozenset[SendKey]:
    """Store the attempts that were not there yet; the keys of those."""
    return frozenset(SendKey(*row) for row in await session.execute(_ADD, _NEW.of(sends)))


async def due_send(tenant_id: UUID, message_id: UUID, attempt: int, session: AsyncSession) -> DueSend | None:
    """An attempt that is to be made, with its channel."""
    older = aliased(Send)
    arrived = select(older.attempt).where(
        older.tenant_id == tenant_id,
        older.message_id == message_id,
        older.attempt < attempt,
        older.state.in_(("delivered", "read")),
    )
    query = (
        select(Send, Channel, arrived.exists())
        .outerjoin(Channel, (Channel.tenant_id == Send.tenant_id) & (Channel.id == Send.channel_id))
        .where(Send.tenant_id == tenant_id, Send.message_id == message_id, Send.attempt == attempt)
    )
    row = (await session.execute(query)).one_or_none()
    return DueSend(*row) if row is not None else None


async def hold_sends(news: Sequence[News], session: Session) -> list[HeldSend]:
    """The sends that these news name.

    The provider's ids of the news are locked first: so whoever keeps a status and whoever records the id that it names
    wait for each other, and the later one sees what the earlier one wrote.
    """
    names = (
        f"{one.tenant_id}|{one.channel_id}|{one.provider_message_id}"
        for one in news
        if one.provider_message_id is not None
    )
    await hold_names(names, session)
    return [HeldSend(*row) for row in await session.execute(_HOLD, _TOLD.of(news))]


async def change_sends(sends: Sequence[HeldSend], session: AsyncSession) -> None:
    await session.execute(_CHANGE, _CHANGED.of(sends))


async def echoes_of_notices(echoes: Iterable[Echo], now: datetime, session: AsyncSession) -> frozenset[Echo]:
    """Those of what a provider told to have been sent that are notices of ours."""
    told = _ECHOES.of(echoes) | {"unknown_since": now - ECHOED_WITHIN}
    return frozenset(Echo(*row) for row in await session.execute(_OF_NOTICES, told))


async def kept_statuses(sends: Sequence[HeldSend], session: AsyncSession) -> Sequence[DeliveryStatus]:
    """What was told of these sends under the provider's id, oldest first."""
    query = select(DeliveryStatus).from_statement(_STATUSES)
    return (await session.scalars(query, _NAMED.of(sends))).all()
