"""Ingest's tables: channel accounts, raw events as the providers sent them, and what became of sends."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Model, new_metadata
from shared.personal import Via, about, about_nobody, not_personal, personal, secret


class Table(Model):
    __abstract__ = True
    metadata = new_metadata()


class Channel(Table):
    """A tenant's account at a provider."""

    __tablename__ = "channels"
    __table_args__ = (
        Index(None, "tenant_id", "kind", "account", unique=True),
        {"info": about_nobody("the account is the tenant's, a business's")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(info=not_personal())
    name: Mapped[str] = mapped_column(info=not_personal())
    account: Mapped[str] = mapped_column(info=not_personal())
    """The provider's id of the account, e.g. WhatsApp's phone_number_id."""
    settings: Mapped[dict[str, Any]] = mapped_column(info=not_personal())
    credentials: Mapped[bytes] = mapped_column(info=secret())
    """Sealed."""
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ChannelTenant(Table):
    """Whose a channel is: the one thing that must be found before the tenant is known, and nothing more."""

    __tablename__ = "channel_tenants"
    __table_args__ = ({"info": about_nobody("the account is the tenant's, a business's")},)

    channel_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]


class RawEvent(Table):
    """One item as a provider sent it, once."""

    __tablename__ = "raw_events"
    __table_args__ = (
        Index(None, "tenant_id", "channel_id", "dedup_key", unique=True),
        Index(None, "tenant_id", "state", "id"),
        Index(None, "tenant_id", "sender_ref"),
        {"info": about(sender="sender_ref")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    dedup_key: Mapped[str] = mapped_column(info=not_personal())
    path: Mapped[str] = mapped_column(info=not_personal())
    account: Mapped[str | None] = mapped_column(info=not_personal())
    body: Mapped[bytes] = mapped_column(info=personal("message.content"))
    state: Mapped[str] = mapped_column(info=not_personal())
    """accepted, kept or failed."""
    reason: Mapped[str | None] = mapped_column(info=not_personal())
    """Why it was only kept, or failed."""
    received_at: Mapped[datetime]
    sender_ref: Mapped[str | None] = mapped_column(info=not_personal())
    """The fingerprint of whom it is from or, for what became of a message, of whom that was sent to; none where it
    names nobody."""


class DeliveryStatus(Table):
    """What a provider told of a message that was sent."""

    __tablename__ = "delivery_statuses"
    __table_args__ = (
        Index(None, "tenant_id", "channel_id", "provider_message_id"),
        {"info": about(Via("raw_events", {"raw_event_id": "id"}))},
    )

    raw_event_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    provider_message_id: Mapped[str] = mapped_column(info=not_personal())
    state: Mapped[str] = mapped_column(info=not_personal())
    occurred_at: Mapped[datetime]
    error_code: Mapped[int | None]
    error_title: Mapped[str | None] = mapped_column(info=not_personal())
    callback_data: Mapped[str | None] = mapped_column(info=not_personal())


class ChatSession(Table):
    """A visitor of a web chat, known again by his token."""

    __tablename__ = "chat_sessions"
    __table_args__ = ({"info": about(visitor="id")},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    token_digest: Mapped[bytes] = mapped_column(info=secret())
    name: Mapped[str | None] = mapped_column(info=personal("contact.name"))
    email: Mapped[str | None] = mapped_column(info=personal("contact.address"))
    """As he told it; nobody has verified it, so that it is no address of a contact."""
    pre_chat: Mapped[dict[str, Any]] = mapped_column(info=personal("contact.attributes"))
    """His answers to what was asked before the chat, by the questions' keys."""
    locale: Mapped[str | None] = mapped_column(info=not_personal())
    last_step: Mapped[int]
    """Numbers what happened here; whoever writes messages of a session holds its row first."""
    typing_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]


class ChatMessage(Table):
    """What a visitor wrote, or what was written to him."""

    __tablename__ = "chat_messages"
    __table_args__ = (
        Index(None, "tenant_id", "session_id", "client_message_id", unique=True),
        Index(None, "tenant_id", "session_id", "added_step", unique=True),
        Index(None, "tenant_id", "session_id", "changed_step"),
        {"info": about(visitor="session_id")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    session_id: Mapped[UUID]
    client_message_id: Mapped[UUID | None]
    """The visitor's own name of what he wrote; the same twice is one message."""
    conversation_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    attempt: Mapped[int | None]
    """With the two above, what is told of a message that was written to the visitor; of a notice, which is of no
    conversation, nothing is."""
    direction: Mapped[str] = mapped_column(info=not_personal())
    content: Mapped[dict[str, Any]] = mapped_column(info=personal("message.content"))
    reply_to: Mapped[str | None] = mapped_column(info=not_personal())
    status: Mapped[str] = mapped_column(info=not_personal())
    """sent, delivered or read."""
    added_step: Mapped[int]
    """Its place in the session."""
    changed_step: Mapped[int]
    """When the visitor's pages were last to learn something of it."""
    sent_at: Mapped[datetime]


class Send(Table):
    """One attempt to send a message, and what became of it."""

    __tablename__ = "sends"
    __table_args__ = (
        Index(None, "tenant_id", "channel_id", "provider_message_id"),
        Index(
            "ix_sends_notices_on_their_way",
            "tenant_id",
            "channel_id",
            "text_digest",
            postgresql_where=text("conversation_id IS NULL AND state IN ('queued', 'unknown')"),
        ),
        Index(None, "tenant_id", "contact_id"),
        {"info": about(contact="contact_id")},
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    channel_id: Mapped[UUID]
    channel_kind: Mapped[str] = mapped_column(info=not_personal())
    conversation_id: Mapped[UUID | None]
    """None for a notice: it is of no conversation, and nobody is told what became of it."""
    contact_id: Mapped[UUID]
    recipient: Mapped[list[Any] | None] = mapped_column(info=personal("contact.address"))
    """Kept until it is known what became of the attempt, as is the content: after that, the history alone has them."""
    content: Mapped[dict[str, Any] | None] = mapped_column(info=personal("message.content"))
    text_digest: Mapped[bytes | None] = mapped_column(info=secret())
    """SHA-256 of what a notice says, by which its echo is known where its content is gone and its outcome untold."""
    reply_to: Mapped[str | None] = mapped_column(info=not_personal())
    state: Mapped[str] = mapped_column(info=not_personal())
    """queued, or one of `DELIVERY_STATES`."""
    provider_message_id: Mapped[str | None] = mapped_column(info=not_personal())
    error_code: Mapped[str | None] = mapped_column(info=not_personal())
    error_title: Mapped[str | None] = mapped_column(info=not_personal())
    queued_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    """When it came into its state, by the clock of whoever told it."""
