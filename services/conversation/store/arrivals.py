"""The queries behind what arrives: in sets, tenant first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import starmap
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from services.conversation.domain import USER_ID, Holder
from services.conversation.models import HeldEcho, Reaction
from services.conversation.store.deliveries import Outgoing
from shared.db import Rowset, Session, Statement, hold_names
from shared.events import Record
from shared.events.ingest import MessageReceived


class AddressKey(NamedTuple):
    """An address within a tenant's channel."""

    tenant_id: UUID
    channel_id: UUID
    kind: str
    value: str

    def __repr__(self) -> str:
        return f"AddressKey(kind={self.kind!r})"


@dataclass(frozen=True, slots=True)
class NewContact:
    """A person who was not known."""

    id: UUID
    tenant_id: UUID
    name: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewAddress:
    """An address by which a contact is reached from now on."""

    id: UUID
    tenant_id: UUID
    contact_id: UUID
    channel_id: UUID
    kind: str
    value: str = field(repr=False)


class ThreadKey(NamedTuple):
    """A contact on a channel account: there is one open conversation of it at most."""

    tenant_id: UUID
    contact_id: UUID
    channel_id: UUID


class MessageKey(NamedTuple):
    """A message as the provider knows it."""

    tenant_id: UUID
    channel_id: UUID
    provider_message_id: str


@dataclass(slots=True)
class Thread:
    """A conversation with what an arriving message needs to know and changes of it."""

    id: UUID
    tenant_id: UUID
    contact_id: UUID
    channel_id: UUID
    channel_kind: str
    status: str
    priority: str
    labels: list[str]
    last_seq: int
    last_message_at: datetime | None
    resolved_at: datetime | None
    answer_to: list[dict[str, str]] | None = field(default=None, repr=False)
    """Where the contact was just heard of; None leaves what is known of it."""


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
class Acquaintance:
    """What is known of those who wrote, and of what they wrote."""

    messages: set[MessageKey]
    """Those that are there."""
    parked: set[MessageKey]
    """Those of which something was told before they came."""
    holders: dict[AddressKey, Holder]
    threads: dict[ThreadKey, Thread]
    """Of each holder the open conversation, else the one resolved last."""


@dataclass(frozen=True, slots=True)
class _Reached:
    tenant_id: UUID
    contact_id: UUID
    channel_id: UUID
    addresses: list[dict[str, str]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """An edit or a revocation of a message."""

    tenant_id: UUID
    channel_id: UUID
    provider_message_id: str
    sender_ref: str
    edited_at: datetime | None = None
    revoked_at: datetime | None = None
    content_type: str | None = None
    text: str | None = field(default=None, repr=False)
    content: dict[str, Any] | None = field(default=None, repr=False)
    """None, as for an edited caption, leaves what was there."""


_WANTED_ADDRESSES = Rowset("wanted", tenant_id="uuid", channel_id="uuid", kind="text", value="text")
_ADDRESSES = Statement(f"""
SELECT a.tenant_id, a.channel_id, a.kind, a.value, a.contact_id, EXISTS (
  SELECT FROM contact_addresses other WHERE other.tenant_id = a.tenant_id AND other.contact_id = a.contact_id
    AND other.channel_id = a.channel_id AND other.kind = '{USER_ID}'
) AS has_user_id
FROM {_WANTED_ADDRESSES} JOIN contact_addresses a USING (tenant_id, channel_id, kind, value)
""")

_NEW_CONTACTS = Rowset("row", id="uuid", tenant_id="uuid", name="text")
_ADD_CONTACTS = Statement(f"""
INSERT INTO contacts ({_NEW_CONTACTS.columns}, attributes, version, created_at, updated_at)
SELECT {_NEW_CONTACTS.columns}, '{{}}', 1, CAST(:now AS timestamptz), CAST(:now AS timestamptz)
FROM {_NEW_CONTACTS} ORDER BY id
""")
_NEW_ADDRESSES = Rowset(
    "row", id="uuid", tenant_id="uuid", contact_id="uuid", channel_id="uuid", kind="text", value="text"
)
_ADD_ADDRESSES = Statement(f"""
INSERT INTO contact_addresses ({_NEW_ADDRESSES.columns}, created_at)
SELECT {_NEW_ADDRESSES.columns}, CAST(:now AS timestamptz) FROM {_NEW_ADDRESSES}
ORDER BY tenant_id, channel_id, kind, value
""")

# Of each holder and channel the open conversation, else the one resolved last; locked to the end of the transaction.
_THREADS = Statement(f"""
SELECT c.id, c.tenant_id, c.contact_id, c.channel_id, c.channel_kind, c.status, c.priority, c.labels, c.last_seq,
  c.last_message_at, c.resolved_at
FROM (
  SELECT DISTINCT tenant_id, contact_id, channel_id
  FROM {_WANTED_ADDRESSES} JOIN contact_addresses USING (tenant_id, channel_id, kind, value)
  ORDER BY tenant_id, contact_id, channel_id
) AS wanted, LATERAL (
  SELECT * FROM conversations
  WHERE tenant_id = wanted.tenant_id AND contact_id = wanted.contact_id AND channel_id = wanted.channel_id
  ORDER BY (status = 'resolved'), resolved_at DESC LIMIT 1 FOR UPDATE
) AS c
""")

# Of these contacts and channels those where a message waits to be sent, or to be told of.
_WANTED_THREADS = Rowset("wanted", tenant_id="uuid", contact_id="uuid", channel_id="uuid")
_IN_FLIGHT = Statement(f"""
SELECT tenant_id, contact_id, channel_id FROM {_WANTED_THREADS} WHERE EXISTS (
  SELECT FROM conversations c JOIN messages m ON m.tenant_id = c.tenant_id AND m.conversation_id = c.id
  WHERE c.tenant_id = wanted.tenant_id AND c.contact_id = wanted.contact_id AND c.channel_id = wanted.channel_id
    AND m.sent_at >= CAST(:since AS timestamptz) AND m.status = 'queued'
)
""")

_NEW_THREADS = Rowset(
    "row",
    id="uuid",
    tenant_id="uuid",
    contact_id="uuid",
    channel_id="uuid",
    channel_kind="text",
    status="text",
    priority="text",
    last_seq="int",
    last_message_at="timestamptz",
    answer_to="jsonb",
)
_ADD_CONVERSATIONS = Statement(f"""
INSERT INTO conversations ({_NEW_THREADS.columns}, labels, attributes, version, created_at, updated_at)
SELECT {_NEW_THREADS.columns}, '{{}}', '{{}}', 1, CAST(:now AS timestamptz), clock_timestamp()
FROM {_NEW_THREADS} ORDER BY tenant_id, contact_id, channel_id
""")

_CHANGED_THREADS = Rowset(
    "row",
    id="uuid",
    tenant_id="uuid",
    status="text",
    last_seq="int",
    last_message_at="timestamptz",
    answer_to="jsonb",
)
_CHANGE_CONVERSATIONS = Statement(f"""
UPDATE conversations AS c SET
  status = row.status, last_seq = row.last_seq, last_message_at = row.last_message_at,
  resolved_at = CASE WHEN row.status = 'resolved' THEN c.resolved_at END,
  snoozed_until = CASE WHEN row.status = 'snoozed' THEN c.snoozed_until END,
  answer_to = coalesce(row.answer_to, c.answer_to),
  version = c.version + (c.status <> row.status)::int, updated_at = clock_timestamp()
FROM {_CHANGED_THREADS} WHERE c.tenant_id = row.tenant_id AND c.id = row.id
""")

_REACHED = Rowset("row", tenant_id="uuid", contact_id="uuid", channel_id="uuid", addresses="jsonb")
_ANSWER_TO = Statement(f"""
WITH held AS MATERIALIZED (
  SELECT c.id, row.addresses FROM {_REACHED} JOIN conversations c USING (tenant_id, contact_id, channel_id)
  WHERE c.status <> 'resolved' ORDER BY c.tenant_id, c.contact_id, c.channel_id FOR UPDATE OF c
)
UPDATE conversations AS c SET answer_to = held.addresses FROM held WHERE c.id = held.id
""")

_KEYS = Rowset("wanted", tenant_id="uuid", channel_id="uuid", provider_message_id="text")
# Looked up one by one, for whoever has no statistics yet would look through all messages instead.
_KNOWN = "tenant_id = wanted.tenant_id AND channel_id = wanted.channel_id"
_KNOWN_MESSAGES = Statement(f"""
WITH wanted AS MATERIALIZED (SELECT * FROM {_KEYS})
SELECT wanted.*, false AS parked FROM wanted, LATERAL (
  SELECT FROM messages WHERE {_KNOWN} AND provider_message_id = wanted.provider_message_id LIMIT 1
) AS m
UNION ALL
SELECT wanted.*, true FROM wanted, LATERAL (
  SELECT FROM parked_changes WHERE {_KNOWN} AND provider_message_id = wanted.provider_message_id LIMIT 1
) AS p
""")

_NEW_MESSAGES = Rowset(
    "row",
    id="uuid",
    tenant_id="uuid",
    conversation_id="uuid",
    channel_id="uuid",
    seq="int",
    direction="text",
    content_type="text",
    text="text",
    content="jsonb",
    provider_message_id="text",
    reply_to="text",
    sent_at="timestamptz",
)
_ADD_MESSAGES = Statement(f"""
INSERT INTO messages ({_NEW_MESSAGES.columns}, received_at)
SELECT {_NEW_MESSAGES.columns}, CAST(:now AS timestamptz) FROM {_NEW_MESSAGES}
ORDER BY tenant_id, conversation_id, seq
""")

_CHANGES = Rowset(
    "row",
    tenant_id="uuid",
    channel_id="uuid",
    provider_message_id="text",
    sender_ref="text",
    edited_at="timestamptz",
    revoked_at="timestamptz",
    content_type="text",
    text="text",
    content="jsonb",
)
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
FROM {rows}
WHERE m.tenant_id = row.tenant_id AND m.channel_id = row.channel_id
  AND m.provider_message_id = row.provider_message_id
  AND (row.edited_at IS NULL OR m.edited_at IS NULL OR m.edited_at <= row.edited_at)
"""
_CHANGE_MESSAGES = Statement(_CHANGED.replace("{rows}", str(_CHANGES)))

_PARK = Statement(f"""
INSERT INTO parked_changes AS p ({_CHANGES.columns})
SELECT {_CHANGES.columns} FROM {_CHANGES}
WHERE NOT EXISTS (
  SELECT FROM messages m WHERE m.tenant_id = row.tenant_id AND m.channel_id = row.channel_id
    AND m.provider_message_id = row.provider_message_id
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

_APPLY_PARKED = Statement(f"""
WITH row AS (
  DELETE FROM parked_changes AS p USING {_KEYS}
  WHERE p.tenant_id = wanted.tenant_id AND p.channel_id = wanted.channel_id
    AND p.provider_message_id = wanted.provider_message_id
  RETURNING p.*
) {_CHANGED.replace("{rows}", "row")}
""")

_REACTIONS = Rowset(
    "row",
    numbered="place",
    tenant_id="uuid",
    channel_id="uuid",
    provider_message_id="text",
    sender_ref="text",
    emoji="text",
    reacted_at="timestamptz",
)
_REACT = Statement(f"""
INSERT INTO reactions AS r ({_REACTIONS.columns})
SELECT DISTINCT ON (tenant_id, channel_id, provider_message_id, sender_ref) {_REACTIONS.columns} FROM {_REACTIONS}
ORDER BY tenant_id, channel_id, provider_message_id, sender_ref, reacted_at DESC, place DESC
ON CONFLICT (tenant_id, channel_id, provider_message_id, sender_ref)
DO UPDATE SET emoji = excluded.emoji, reacted_at = excluded.reacted_at WHERE r.reacted_at <= excluded.reacted_at
""")


async def hold_addresses(keys: Iterable[AddressKey], session: Session) -> None:
    """Let nobody else recognise or add these addresses until the end of the transaction."""
    await hold_names((f"{key.tenant_id}|{key.channel_id}|{key.kind}|{key.value}" for key in keys), session)


async def known_addresses(keys: Iterable[AddressKey], session: AsyncSession) -> dict[AddressKey, Holder]:
    """Who holds those addresses that are known."""
    return _holders((await session.execute(_ADDRESSES, _WANTED_ADDRESSES.of(keys))).all())


async def acquaintance(
    messages: Iterable[MessageKey], addresses: Iterable[AddressKey], session: Session
) -> Acquaintance:
    """What is known of messages that arrive from these addresses; the conversations in it are locked."""
    wanted = _WANTED_ADDRESSES.of(addresses)
    there, holders, threads = await session.ask(
        (_KNOWN_MESSAGES, _KEYS.of(messages)), (_ADDRESSES, wanted), (_THREADS, wanted)
    )
    known: tuple[set[MessageKey], set[MessageKey]] = set(), set()
    for *key, is_parked in there:
        known[is_parked].add(MessageKey(*key))
    return Acquaintance(*known, _holders(holders), {_key_of(thread): thread for thread in starmap(Thread, threads)})


def _holders(rows: Iterable[Sequence[Any]]) -> dict[AddressKey, Holder]:
    return {
        AddressKey(tenant_id, channel_id, kind, value): Holder(contact_id, has_user_id)
        for tenant_id, channel_id, kind, value, contact_id, has_user_id in rows
    }


def _key_of(thread: Thread) -> ThreadKey:
    return ThreadKey(thread.tenant_id, thread.contact_id, thread.channel_id)


async def add_contacts(new: Iterable[NewContact], now: datetime, session: Session) -> None:
    await session.leave(_ADD_CONTACTS, _NEW_CONTACTS.of(new) | {"now": now})


async def add_addresses(new: Iterable[NewAddress], now: datetime, session: Session) -> None:
    await session.leave(_ADD_ADDRESSES, _NEW_ADDRESSES.of(new) | {"now": now})


async def in_flight(keys: Iterable[ThreadKey], session: AsyncSession, *, since: datetime) -> set[ThreadKey]:
    """Those contacts and channels for which a message dated `since` then or later is on its way."""
    rows = await session.execute(_IN_FLIGHT, _WANTED_THREADS.of(keys) | {"since": since})
    return {ThreadKey(*row) for row in rows}


def hold_echoes(echoes: Iterable[MessageReceived], session: AsyncSession) -> None:
    """Keep echoes for later, each under the id of its event."""
    for echo in echoes:
        wire = echo.to_record()
        session.add(
            HeldEcho(
                id=echo.envelope.id,
                tenant_id=echo.tenant_id,
                headers=wire.headers,
                data=wire.data,
                personal=wire.personal,
            )
        )


async def take_echo(tenant_id: UUID, event_id: UUID, session: AsyncSession) -> MessageReceived | None:
    """An echo that was held, which it then is no more."""
    taken = delete(HeldEcho).where(HeldEcho.tenant_id == tenant_id, HeldEcho.id == event_id).returning(HeldEcho)
    row = await session.scalar(taken)
    if row is None:
        return None
    record = Record(MessageReceived.topic(), row.headers["ce_partitionkey"], row.headers, row.data, row.personal)
    return MessageReceived.from_wire(record.headers, record.value)


async def add_conversations(new: Iterable[Thread], now: datetime, session: Session) -> None:
    await session.leave(_ADD_CONVERSATIONS, _NEW_THREADS.of(new) | {"now": now})


async def change_conversations(changed: Iterable[Thread], session: Session) -> None:
    await session.leave(_CHANGE_CONVERSATIONS, _CHANGED_THREADS.of(changed))


async def answer_to(reached: Mapping[ThreadKey, list[dict[str, str]]], session: AsyncSession) -> None:
    """Let the answers in these contacts' open conversations go to these addresses first."""
    rows = [_Reached(key.tenant_id, key.contact_id, key.channel_id, addresses) for key, addresses in reached.items()]
    await session.execute(_ANSWER_TO, _REACHED.of(rows))


async def add_messages(messages: Iterable[NewMessage], now: datetime, session: Session) -> None:
    await session.leave(_ADD_MESSAGES, _NEW_MESSAGES.of(messages) | {"now": now})


async def apply_parked(messages: Iterable[NewMessage | Outgoing], session: AsyncSession) -> None:
    """Do to these messages what was told of them before they came, or before they were known by their provider's id."""
    await session.execute(_APPLY_PARKED, _KEYS.of(messages))


async def change_messages(changes: Sequence[Change], session: AsyncSession) -> None:
    """Edit or revoke messages; what comes before its message is parked, and of two edits the later one holds."""
    values = _CHANGES.of(changes)
    await session.execute(_CHANGE_MESSAGES, values)
    await session.execute(_PARK, values)


async def react(reactions: Iterable[Reaction], session: AsyncSession) -> None:
    """Set or take back reactions; of two of one sender on one message the later holds."""
    await session.execute(_REACT, _REACTIONS.of(reactions))
