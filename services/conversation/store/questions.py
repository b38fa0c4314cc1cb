"""What the tenant asks of the history; every query names the tenant first."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.conversation.models import Contact, ContactAddress, Conversation, Message, Note
from shared.db import Session, Statement


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    status: str | None = None
    channel_id: UUID | None = None
    contact_id: UUID | None = None
    queue_id: UUID | None = None
    assignee_id: UUID | None = None
    label: str | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message as it is listed, with the reactions to it, the earliest first."""

    content: dict[str, Any] = field(repr=False)
    reactions: list[str] = field(repr=False)
    id: UUID
    seq: int
    direction: str
    content_type: str
    text: str | None = field(repr=False)
    reply_to: str | None
    provider_message_id: str | None
    author_kind: str | None
    author_id: str | None
    status: str | None
    status_at: datetime | None
    attempt: int | None
    error_code: str | None
    error_title: str | None
    sent_at: datetime
    received_at: datetime
    edited_at: datetime | None
    revoked_at: datetime | None


_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)

_EMOJIS: Final = """(
  SELECT array_agg(emoji ORDER BY reacted_at) FROM reactions
  WHERE tenant_id = m.tenant_id AND channel_id = m.channel_id AND provider_message_id = m.provider_message_id
    AND emoji IS NOT NULL
)"""
_REACTIONS: Final = Statement(f"SELECT {_EMOJIS} FROM messages m WHERE tenant_id = :tenant_id AND id = :id")
_MESSAGES: Final = Statement(f"""
SELECT content::text, {_EMOJIS}, {", ".join([one.name for one in fields(ListedMessage)][2:])} FROM messages m
WHERE tenant_id = :tenant_id AND conversation_id = :conversation_id AND same_as IS NULL
  AND (sent_at, seq) > (:sent_at, :seq)
ORDER BY sent_at, seq LIMIT :limit
""")
_THERE: Final = Statement("SELECT FROM conversations WHERE tenant_id = :tenant_id AND id = :conversation_id")


async def list_conversations(
    tenant_id: UUID,
    session: AsyncSession,
    *,
    wanted: ConversationFilter,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Sequence[Conversation]:
    """Newest first; with `updated_since` those changed since then, by the time of their change."""
    query = select(Conversation).where(Conversation.tenant_id == tenant_id)
    for name in ("status", "channel_id", "contact_id", "queue_id", "assignee_id"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(getattr(Conversation, name) == value)
    if wanted.label is not None:
        query = query.where(Conversation.labels.contains([wanted.label]))
    if wanted.updated_since is not None:
        query = query.where(Conversation.updated_at >= wanted.updated_since)
        if after is not None:
            query = query.where(tuple_(Conversation.updated_at, Conversation.id) > after)
        query = query.order_by(Conversation.updated_at, Conversation.id)
    else:
        if after is not None:
            query = query.where(Conversation.id < after[0])
        query = query.order_by(Conversation.id.desc())
    return (await session.scalars(query.limit(limit))).all()


async def conversation(
    tenant_id: UUID, conversation_id: UUID, session: AsyncSession, *, for_update: bool = False
) -> Conversation | None:
    query = select(Conversation).where(Conversation.tenant_id == tenant_id, Conversation.id == conversation_id)
    return await session.scalar(query.with_for_update() if for_update else query)


async def list_messages(
    tenant_id: UUID,
    conversation_id: UUID,
    session: Session,
    *,
    after: tuple[datetime, int] | None,
    limit: int,
) -> Sequence[ListedMessage] | None:
    """By (`sent_at`, `seq`): a late one stands in its right place; None when there is no such conversation.

    What turned out to be an echo is not among them.
    """
    which = {"tenant_id": tenant_id, "conversation_id": conversation_id}
    sent_at, seq = after or (_EARLIEST, 0)
    there, rows = await session.ask(
        (_THERE, which), (_MESSAGES, which | {"sent_at": sent_at, "seq": seq, "limit": limit})
    )
    return (
        [ListedMessage(orjson.loads(content), emojis or [], *row) for content, emojis, *row in rows] if there else None
    )


async def message(
    tenant_id: UUID, conversation_id: UUID, message_id: UUID, session: AsyncSession, *, for_update: bool = False
) -> Message | None:
    query = select(Message).where(
        Message.tenant_id == tenant_id, Message.conversation_id == conversation_id, Message.id == message_id
    )
    return await session.scalar(query.with_for_update() if for_update else query)


async def reactions_to(message: Message, session: AsyncSession) -> list[str]:
    """The emojis on a message, the earliest first."""
    return await session.scalar(_REACTIONS, {"tenant_id": message.tenant_id, "id": message.id}) or []


async def list_notes(
    tenant_id: UUID, conversation_id: UUID, session: AsyncSession, *, after: UUID | None, limit: int
) -> Sequence[Note]:
    query = select(Note).where(Note.tenant_id == tenant_id, Note.conversation_id == conversation_id)
    if after is not None:
        query = query.where(Note.id > after)
    return (await session.scalars(query.order_by(Note.id).limit(limit))).all()


async def contact(
    tenant_id: UUID, contact_id: UUID, session: AsyncSession, *, for_update: bool = False
) -> Contact | None:
    query = select(Contact).where(Contact.tenant_id == tenant_id, Contact.id == contact_id)
    return await session.scalar(query.with_for_update() if for_update else query)


async def list_contacts(tenant_id: UUID, session: AsyncSession, *, after: UUID | None, limit: int) -> Sequence[Contact]:
    query = select(Contact).where(Contact.tenant_id == tenant_id)
    if after is not None:
        query = query.where(Contact.id < after)
    return (await session.scalars(query.order_by(Contact.id.desc()).limit(limit))).all()


async def addresses_of(
    tenant_id: UUID, contact_ids: Sequence[UUID], session: AsyncSession
) -> dict[UUID, list[ContactAddress]]:
    query = select(ContactAddress).where(
        ContactAddress.tenant_id == tenant_id, ContactAddress.contact_id.in_(contact_ids)
    )
    found: dict[UUID, list[ContactAddress]] = {contact_id: [] for contact_id in contact_ids}
    for address in await session.scalars(query.order_by(ContactAddress.id)):
        found[address.contact_id].append(address)
    return found
