"""Every query of conversation, tenant first; those behind the events work in sets."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, insert, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.conversation.domain import Holder
from services.conversation.models import (
    Contact,
    ContactAddress,
    Conversation,
    Message,
    Note,
    Reaction,
)


@dataclass(frozen=True, slots=True)
class AddressKey:
    """An address within a tenant's channel."""

    tenant_id: UUID
    channel_id: UUID
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class ThreadKey:
    """A contact on a channel account: there is one open conversation of it at most."""

    tenant_id: UUID
    contact_id: UUID
    channel_id: UUID


@dataclass(frozen=True, slots=True)
class MessageKey:
    """A message as the provider knows it."""

    tenant_id: UUID
    channel_id: UUID
    provider_message_id: str


@dataclass(slots=True)
class Thread:
    """A conversation with what an arriving message needs to know and changes of it."""

    id: UUID
    key: ThreadKey
    channel_kind: str
    status: str
    priority: str
    labels: list[str]
    last_seq: int
    last_message_at: datetime | None
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message with its place in a conversation."""

    id: UUID
    tenant_id: UUID
    conversation_id: UUID
    channel_id: UUID
    seq: int
    direction: str
    content_type: str
    text: str | None = field(repr=False)
    content: dict[str, Any] = field(repr=False)
    provider_message_id: str
    reply_to: str | None
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """An edit or a revocation of a message."""

    key: MessageKey
    edited_at: datetime | None = None
    revoked_at: datetime | None = None
    content_type: str | None = None
    text: str | None = None
    content: dict[str, Any] | None = None


_LOCK = text("SELECT pg_advisory_xact_lock(lock) FROM unnest(CAST(:locks AS bigint[])) AS lock")

_ADDRESSES = text("""
SELECT a.tenant_id, a.channel_id, a.kind, a.value, a.contact_id, EXISTS (
  SELECT FROM contact_addresses other WHERE other.tenant_id = a.tenant_id AND other.contact_id = a.contact_id
    AND other.channel_id = a.channel_id AND other.kind = 'wa_bsuid'
) AS has_user_id
FROM unnest(CAST(:tenants AS uuid[]), CAST(:channels AS uuid[]), CAST(:kinds AS text[]), CAST(:values AS text[]))
  AS wanted(tenant_id, channel_id, kind, value)
JOIN contact_addresses a USING (tenant_id, channel_id, kind, value)
""")

# Of each contact and channel the open conversation, else the one resolved last; locked to the end of the transaction.
_THREADS = text("""
SELECT c.id, c.tenant_id, c.contact_id, c.channel_id, c.channel_kind, c.status, c.priority, c.labels, c.last_seq,
  c.last_message_at, c.resolved_at
FROM unnest(CAST(:tenants AS uuid[]), CAST(:contacts AS uuid[]), CAST(:channels AS uuid[]))
  AS wanted(tenant_id, contact_id, channel_id),
LATERAL (
  SELECT * FROM conversations
  WHERE tenant_id = wanted.tenant_id AND contact_id = wanted.contact_id AND channel_id = wanted.channel_id
  ORDER BY (status = 'resolved'), resolved_at DESC LIMIT 1 FOR UPDATE
) AS c
""")

_KNOWN_MESSAGES = text("""
SELECT m.tenant_id, m.channel_id, m.provider_message_id
FROM unnest(CAST(:tenants AS uuid[]), CAST(:channels AS uuid[]), CAST(:ids AS text[]))
  AS wanted(tenant_id, channel_id, provider_message_id)
JOIN messages m USING (tenant_id, channel_id, provider_message_id)
""")

_ADD_CONVERSATIONS = text("""
INSERT INTO conversations (id, tenant_id, contact_id, channel_id, channel_kind, status, priority, labels, attributes,
  last_seq, last_message_at, version, created_at, updated_at)
SELECT id, tenant_id, contact_id, channel_id, channel_kind, status, 'normal', '{}', '{}', last_seq, last_message_at, 1,
  CAST(:now AS timestamptz), clock_timestamp()
FROM unnest(CAST(:ids AS uuid[]), CAST(:tenants AS uuid[]), CAST(:contacts AS uuid[]), CAST(:channels AS uuid[]),
  CAST(:kinds AS text[]), CAST(:statuses AS text[]), CAST(:seqs AS int[]), CAST(:moments AS timestamptz[]))
  AS row(id, tenant_id, contact_id, channel_id, channel_kind, status, last_seq, last_message_at)
ORDER BY tenant_id, contact_id, channel_id
""")

_CHANGE_CONVERSATIONS = text("""
UPDATE conversations AS c SET
  status = row.status, last_seq = row.last_seq, last_message_at = row.last_message_at,
  resolved_at = CASE WHEN row.status = 'resolved' THEN c.resolved_at END,
  snoozed_until = CASE WHEN row.status = 'snoozed' THEN c.snoozed_until END,
  version = c.version + (c.status <> row.status)::int, updated_at = clock_timestamp()
FROM unnest(CAST(:ids AS uuid[]), CAST(:tenants AS uuid[]), CAST(:statuses AS text[]), CAST(:seqs AS int[]),
  CAST(:moments AS timestamptz[])) AS row(id, tenant_id, status, last_seq, last_message_at)
WHERE c.tenant_id = row.tenant_id AND c.id = row.id
""")

_ADD_MESSAGES = text("""
INSERT INTO messages (id, tenant_id, conversation_id, channel_id, seq, direction, content_type, text, content,
  provider_message_id, reply_to, sent_at, received_at)
SELECT id, tenant_id, conversation_id, channel_id, seq, direction, content_type, text, CAST(content AS jsonb),
  provider_message_id, reply_to, sent_at, CAST(:now AS timestamptz)
FROM unnest(CAST(:ids AS uuid[]), CAST(:tenants AS uuid[]), CAST(:conversations AS uuid[]), CAST(:channels AS uuid[]),
  CAST(:seqs AS int[]), CAST(:directions AS text[]), CAST(:types AS text[]), CAST(:texts AS text[]),
  CAST(:contents AS text[]), CAST(:provider_ids AS text[]), CAST(:replies AS text[]), CAST(:moments AS timestamptz[]))
  AS row(id, tenant_id, conversation_id, channel_id, seq, direction, content_type, text, content, provider_message_id,
    reply_to, sent_at)
ORDER BY tenant_id, conversation_id, seq
""")

_CHANGED = """
UPDATE messages AS m SET
  edited_at = coalesce(row.edited_at, m.edited_at),
  revoked_at = coalesce(row.revoked_at, m.revoked_at),
  content_type = CASE WHEN coalesce(row.revoked_at, m.revoked_at) IS NOT NULL THEN 'revoked'
    ELSE coalesce(row.content_type, m.content_type) END,
  text = CASE WHEN coalesce(row.revoked_at, m.revoked_at) IS NOT NULL THEN NULL
    WHEN row.content_type IS NOT NULL THEN row.text ELSE m.text END,
  content = CASE WHEN coalesce(row.revoked_at, m.revoked_at) IS NOT NULL THEN '{}'
    ELSE coalesce(row.content, m.content) END
FROM row
WHERE m.tenant_id = row.tenant_id AND m.channel_id = row.channel_id
  AND m.provider_message_id = row.provider_message_id
  AND (row.edited_at IS NULL OR m.edited_at IS NULL OR m.edited_at <= row.edited_at)
"""

_CHANGE_MESSAGES = text(f"""
WITH row AS (
  SELECT tenant_id, channel_id, provider_message_id, edited_at, revoked_at, content_type, text,
    CAST(content AS jsonb) AS content
  FROM unnest(CAST(:tenants AS uuid[]), CAST(:channels AS uuid[]), CAST(:ids AS text[]),
    CAST(:edited AS timestamptz[]), CAST(:revoked AS timestamptz[]), CAST(:types AS text[]), CAST(:texts AS text[]),
    CAST(:contents AS text[]))
    AS change(tenant_id, channel_id, provider_message_id, edited_at, revoked_at, content_type, text, content)
) {_CHANGED}
""")

_PARK = text("""
INSERT INTO parked_changes AS p (tenant_id, channel_id, provider_message_id, edited_at, revoked_at, content_type, text,
  content)
SELECT tenant_id, channel_id, provider_message_id, edited_at, revoked_at, content_type, text, CAST(content AS jsonb)
FROM unnest(CAST(:tenants AS uuid[]), CAST(:channels AS uuid[]), CAST(:ids AS text[]),
  CAST(:edited AS timestamptz[]), CAST(:revoked AS timestamptz[]), CAST(:types AS text[]), CAST(:texts AS text[]),
  CAST(:contents AS text[]))
  AS change(tenant_id, channel_id, provider_message_id, edited_at, revoked_at, content_type, text, content)
WHERE NOT EXISTS (
  SELECT FROM messages m WHERE m.tenant_id = change.tenant_id AND m.channel_id = change.channel_id
    AND m.provider_message_id = change.provider_message_id
)
ORDER BY tenant_id, channel_id, provider_message_id
ON CONFLICT (tenant_id, channel_id, provider_message_id) DO UPDATE SET
  edited_at = greatest(p.edited_at, excluded.edited_at),
  revoked_at = coalesce(excluded.revoked_at, p.revoked_at),
  content_type = CASE WHEN excluded.edited_at >= coalesce(p.edited_at, '-infinity') THEN excluded.content_type
    ELSE p.content_type END,
  text = CASE WHEN coalesce(excluded.revoked_at, p.revoked_at) IS NOT NULL THEN NULL
    WHEN excluded.edited_at >= coalesce(p.edited_at, '-infinity') THEN excluded.text ELSE p.text END,
  content = CASE WHEN coalesce(excluded.revoked_at, p.revoked_at) IS NOT NULL THEN NULL
    WHEN excluded.edited_at >= coalesce(p.edited_at, '-infinity') THEN excluded.content ELSE p.content END
""")

_APPLY_PARKED = text(f"""
WITH row AS (
  DELETE FROM parked_changes AS p
  USING unnest(CAST(:tenants AS uuid[]), CAST(:channels AS uuid[]), CAST(:ids AS text[]))
    AS arrived(tenant_id, channel_id, provider_message_id)
  WHERE p.tenant_id = arrived.tenant_id AND p.channel_id = arrived.channel_id
    AND p.provider_message_id = arrived.provider_message_id
  RETURNING p.*
) {_CHANGED}
""")

_REACT = text("""
INSERT INTO reactions AS r (tenant_id, channel_id, provider_message_id, sender_ref, emoji, reacted_at)
SELECT DISTINCT ON (tenant_id, channel_id, provider_message_id, sender_ref)
  tenant_id, channel_id, provider_message_id, sender_ref, emoji, reacted_at
FROM unnest(CAST(:tenants AS uuid[]), CAST(:channels AS uuid[]), CAST(:ids AS text[]), CAST(:senders AS text[]),
  CAST(:emojis AS text[]), CAST(:moments AS timestamptz[]))
  WITH ORDINALITY AS row(tenant_id, channel_id, provider_message_id, sender_ref, emoji, reacted_at, place)
ORDER BY tenant_id, channel_id, provider_message_id, sender_ref, reacted_at DESC, place DESC
ON CONFLICT (tenant_id, channel_id, provider_message_id, sender_ref)
DO UPDATE SET emoji = excluded.emoji, reacted_at = excluded.reacted_at WHERE r.reacted_at <= excluded.reacted_at
""")


# What arrives.


async def hold_addresses(keys: Iterable[AddressKey], session: AsyncSession) -> None:
    """Let nobody else recognise or add these addresses until the end of the transaction."""
    locks = sorted({_lock(key) for key in keys})
    await session.execute(_LOCK, {"locks": locks})


async def known_addresses(keys: Sequence[AddressKey], session: AsyncSession) -> dict[AddressKey, Holder]:
    """Who holds those addresses that are known."""
    values = {
        "tenants": [key.tenant_id for key in keys],
        "channels": [key.channel_id for key in keys],
        "kinds": [key.kind for key in keys],
        "values": [key.value for key in keys],
    }
    rows = await session.execute(_ADDRESSES, values)
    return {
        AddressKey(row.tenant_id, row.channel_id, row.kind, row.value): Holder(row.contact_id, row.has_user_id)
        for row in rows
    }


async def add_contacts(rows: Sequence[dict[str, Any]], session: AsyncSession) -> None:
    await session.execute(insert(Contact), list(rows))


async def add_addresses(rows: Sequence[dict[str, Any]], session: AsyncSession) -> None:
    await session.execute(insert(ContactAddress), list(rows))


async def threads(keys: Iterable[ThreadKey], session: AsyncSession) -> dict[ThreadKey, Thread]:
    """For each contact and channel the open conversation, else the one resolved last, locked."""
    ordered = sorted(keys, key=lambda key: (key.tenant_id, key.contact_id, key.channel_id))
    values = {
        "tenants": [key.tenant_id for key in ordered],
        "contacts": [key.contact_id for key in ordered],
        "channels": [key.channel_id for key in ordered],
    }
    rows = (await session.execute(_THREADS, values)).all()
    return {(thread := _thread(row)).key: thread for row in rows}


async def known_messages(keys: Sequence[MessageKey], session: AsyncSession) -> set[MessageKey]:
    rows = await session.execute(_KNOWN_MESSAGES, _message_keys(keys))
    return {MessageKey(row.tenant_id, row.channel_id, row.provider_message_id) for row in rows}


async def add_conversations(new: Sequence[Thread], now: datetime, session: AsyncSession) -> None:
    values = _threads_values(new) | {
        "now": now,
        "contacts": [thread.key.contact_id for thread in new],
        "channels": [thread.key.channel_id for thread in new],
        "kinds": [thread.channel_kind for thread in new],
    }
    await session.execute(_ADD_CONVERSATIONS, values)


async def change_conversations(changed: Sequence[Thread], session: AsyncSession) -> None:
    await session.execute(_CHANGE_CONVERSATIONS, _threads_values(changed))


async def add_messages(messages: Sequence[NewMessage], now: datetime, session: AsyncSession) -> None:
    values = {
        "now": now,
        "ids": [message.id for message in messages],
        "tenants": [message.tenant_id for message in messages],
        "conversations": [message.conversation_id for message in messages],
        "channels": [message.channel_id for message in messages],
        "seqs": [message.seq for message in messages],
        "directions": [message.direction for message in messages],
        "types": [message.content_type for message in messages],
        "texts": [message.text for message in messages],
        "contents": [orjson.dumps(message.content).decode() for message in messages],
        "provider_ids": [message.provider_message_id for message in messages],
        "replies": [message.reply_to for message in messages],
        "moments": [message.sent_at for message in messages],
    }
    await session.execute(_ADD_MESSAGES, values)


async def apply_parked(keys: Sequence[MessageKey], session: AsyncSession) -> None:
    """Do to these messages what was told of them before they came."""
    await session.execute(_APPLY_PARKED, _message_keys(keys))


async def change_messages(changes: Sequence[Change], session: AsyncSession) -> None:
    """Edit or revoke messages; what comes before its message is parked, and of two edits the later one holds."""
    values = _message_keys([change.key for change in changes]) | {
        "edited": [change.edited_at for change in changes],
        "revoked": [change.revoked_at for change in changes],
        "types": [change.content_type for change in changes],
        "texts": [change.text for change in changes],
        # An edit without content of its own, such as of a caption, keeps what was there.
        "contents": [orjson.dumps(change.content).decode() if change.content else None for change in changes],
    }
    await session.execute(_CHANGE_MESSAGES, values)
    await session.execute(_PARK, values)


async def react(reactions: Sequence[Reaction], session: AsyncSession) -> None:
    """Set or take back reactions; of two of one sender on one message the later holds."""
    values = {
        "tenants": [reaction.tenant_id for reaction in reactions],
        "channels": [reaction.channel_id for reaction in reactions],
        "ids": [reaction.provider_message_id for reaction in reactions],
        "senders": [reaction.sender_ref for reaction in reactions],
        "emojis": [reaction.emoji for reaction in reactions],
        "moments": [reaction.reacted_at for reaction in reactions],
    }
    await session.execute(_REACT, values)


def _lock(key: AddressKey) -> int:
    named = f"{key.tenant_id}|{key.channel_id}|{key.kind}|{key.value}".encode()
    return int.from_bytes(hashlib.blake2b(named, digest_size=8).digest(), "big", signed=True)


def _thread(row: Row[Any]) -> Thread:
    return Thread(
        id=row.id,
        key=ThreadKey(row.tenant_id, row.contact_id, row.channel_id),
        channel_kind=row.channel_kind,
        status=row.status,
        priority=row.priority,
        labels=row.labels,
        last_seq=row.last_seq,
        last_message_at=row.last_message_at,
        resolved_at=row.resolved_at,
    )


def _threads_values(threads: Sequence[Thread]) -> dict[str, Any]:
    return {
        "ids": [thread.id for thread in threads],
        "tenants": [thread.key.tenant_id for thread in threads],
        "statuses": [thread.status for thread in threads],
        "seqs": [thread.last_seq for thread in threads],
        "moments": [thread.last_message_at for thread in threads],
    }


def _message_keys(keys: Sequence[MessageKey]) -> dict[str, Any]:
    return {
        "tenants": [key.tenant_id for key in keys],
        "channels": [key.channel_id for key in keys],
        "ids": [key.provider_message_id for key in keys],
    }


# What is asked.


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
    """By (`sent_at`, `seq`): a late one stands in its right place."""
    query = select(Message).where(Message.tenant_id == tenant_id, Message.conversation_id == conversation_id)
    if after is not None:
        query = query.where(tuple_(Message.sent_at, Message.seq) > after)
    return (await session.scalars(query.order_by(Message.sent_at, Message.seq).limit(limit))).all()


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
