"""What the tenant asks of the history; every query names the tenant first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.conversation.models import Contact, ContactAddress, Conversation, Message, Note, Reaction


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    status: str | None = None
    channel_id: UUID | None = None
    contact_id: UUID | None = None
    queue_id: UUID | None = None
    assignee_id: UUID | None = None
    label: str | None = None
    updated_since: datetime | None = None


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
    session: AsyncSession,
    *,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Sequence[Message]:
    """By (`sent_at`, `seq`): a late one stands in its right place. What turned out to be an echo is not among them."""
    query = select(Message).where(
        Message.tenant_id == tenant_id, Message.conversation_id == conversation_id, Message.same_as.is_(None)
    )
    if after is not None:
        query = query.where(tuple_(Message.sent_at, Message.seq) > after)
    return (await session.scalars(query.order_by(Message.sent_at, Message.seq).limit(limit))).all()


async def message(
    tenant_id: UUID, conversation_id: UUID, message_id: UUID, session: AsyncSession, *, for_update: bool = False
) -> Message | None:
    query = select(Message).where(
        Message.tenant_id == tenant_id, Message.conversation_id == conversation_id, Message.id == message_id
    )
    return await session.scalar(query.with_for_update() if for_update else query)


async def reactions_to(
    tenant_id: UUID, channel_id: UUID, provider_message_ids: Sequence[str], session: AsyncSession
) -> dict[str, list[str]]:
    """The emojis on each of these messages, by the provider's id of the message."""
    query = select(Reaction.provider_message_id, Reaction.emoji).where(
        Reaction.tenant_id == tenant_id,
        Reaction.channel_id == channel_id,
        Reaction.provider_message_id.in_(provider_message_ids),
    )
    found: dict[str, list[str]] = {}
    for message_id, emoji in await session.execute(query):
        if emoji is not None:
            found.setdefault(message_id, []).append(emoji)
    return found


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
