"""Conversation's tables: who writes, what was said, in which order, and what the staff notes of it."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Model, new_metadata
from shared.personal import Via, about, not_personal, personal


class Table(Model):
    __abstract__ = True
    metadata = new_metadata()


_OF_CONVERSATION: Final = {"info": about(Via("conversations", {"conversation_id": "id"}))}


class Contact(Table):
    """A person, by whatever addresses he is reached."""

    __tablename__ = "contacts"
    __table_args__ = (Index(None, "tenant_id", "id"), {"info": about(contact="id")})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    name: Mapped[str | None] = mapped_column(info=personal("contact.name"))
    attributes: Mapped[dict[str, Any]] = mapped_column(info=personal("contact.attributes"))
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ContactAddress(Table):
    """An address by which a channel reaches a contact, verbatim as the provider gave it."""

    __tablename__ = "contact_addresses"
    __table_args__ = (
        Index(None, "tenant_id", "channel_id", "kind", "value", unique=True),
        Index(None, "tenant_id", "contact_id"),
        {"info": about(contact="contact_id")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"))
    channel_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(info=not_personal())
    value: Mapped[str] = mapped_column(info=personal("contact.address"))
    created_at: Mapped[datetime]


class Conversation(Table):
    """What a contact and the tenant say to each other on one channel account, from a beginning to its resolution."""

    __tablename__ = "conversations"
    __table_args__ = (
        Index(
            "ix_conversations_one_open",
            "tenant_id",
            "contact_id",
            "channel_id",
            unique=True,
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index("ix_conversations_last_resolved", "tenant_id", "contact_id", "channel_id", "resolved_at"),
        Index(None, "tenant_id", "id"),
        Index(None, "tenant_id", "updated_at", "id"),
        Index(None, "tenant_id", "queue_id", "id", postgresql_where=text("queue_id IS NOT NULL")),
        Index(None, "tenant_id", "assignee_id", "id", postgresql_where=text("assignee_id IS NOT NULL")),
        Index("ix_conversations_labels", "labels", postgresql_using="gin"),
        {"info": about(contact="contact_id")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"))
    channel_id: Mapped[UUID]
    channel_kind: Mapped[str] = mapped_column(info=not_personal())
    status: Mapped[str] = mapped_column(info=not_personal())
    subject: Mapped[str | None] = mapped_column(info=personal("message.content"))
    priority: Mapped[str] = mapped_column(info=not_personal())
    labels: Mapped[list[str]] = mapped_column(ARRAY(Text), info=not_personal())
    attributes: Mapped[dict[str, Any]] = mapped_column(info=personal("message.metadata"))
    queue_id: Mapped[UUID | None]
    assignee_id: Mapped[UUID | None]
    """Routing's decisions, shown here; they do not touch `version`."""
    routed_at: Mapped[datetime | None]
    """When routing said what is shown; what it said before that is late and changes nothing."""
    answer_to: Mapped[list[Any] | None] = mapped_column(info=personal("contact.address"))
    """The addresses under which the contact was last heard of here, `{kind, value}` each, the best one first."""
    last_seq: Mapped[int]
    last_message_at: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    version: Mapped[int]
    """Counts what the tenant set; messages do not touch it."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Message(Table):
    """What was said, at the provider's time and in the order of its arrival."""

    __tablename__ = "messages"
    __table_args__ = (
        Index(None, "tenant_id", "conversation_id", "seq", unique=True),
        Index(None, "tenant_id", "conversation_id", "sent_at", "seq"),
        Index(None, "tenant_id", "channel_id", "provider_message_id", unique=True),
        _OF_CONVERSATION,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id"))
    channel_id: Mapped[UUID]
    seq: Mapped[int]
    direction: Mapped[str] = mapped_column(info=not_personal())
    content_type: Mapped[str] = mapped_column(info=not_personal())
    text: Mapped[str | None] = mapped_column(info=personal("message.content"))
    content: Mapped[dict[str, Any]] = mapped_column(info=personal("message.content"))
    provider_message_id: Mapped[str | None] = mapped_column(info=not_personal())
    reply_to: Mapped[str | None] = mapped_column(info=not_personal())
    author_kind: Mapped[str | None] = mapped_column(info=not_personal())
    author_id: Mapped[str | None] = mapped_column(info=not_personal())
    """Who wrote what was sent from here."""
    status: Mapped[str | None] = mapped_column(info=not_personal())
    """What became of a message that was sent from here; none of all others."""
    status_at: Mapped[datetime | None]
    attempt: Mapped[int | None]
    error_code: Mapped[str | None] = mapped_column(info=not_personal())
    error_title: Mapped[str | None] = mapped_column(info=not_personal())
    same_as: Mapped[UUID | None]
    """The message that this one turned out to be the echo of; what has one is not shown."""
    sent_at: Mapped[datetime]
    received_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class HeldEcho(Table):
    """An echo that waits until it is clear whether it is that of a message sent from here; as it was on the wire."""

    __tablename__ = "held_echoes"
    __table_args__ = ({"info": about(sender="headers.ce_datasubject")},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    headers: Mapped[dict[str, Any]] = mapped_column(info=not_personal())
    data: Mapped[bytes] = mapped_column(info=not_personal())
    personal: Mapped[bytes] = mapped_column(info=personal("message.content"))


class Reaction(Table):
    """How someone reacted to a message; it may be here before the message is."""

    __tablename__ = "reactions"
    __table_args__ = (
        Index(None, "tenant_id", "sender_ref"),
        {
            "info": about(
                Via("messages", {"channel_id": "channel_id", "provider_message_id": "provider_message_id"}),
                sender="sender_ref",
            )
        },
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    channel_id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_message_id: Mapped[str] = mapped_column(primary_key=True, info=not_personal())
    sender_ref: Mapped[str] = mapped_column(primary_key=True, info=not_personal())
    emoji: Mapped[str | None] = mapped_column(info=personal("message.content"))
    reacted_at: Mapped[datetime]


class ParkedChange(Table):
    """An edit or a revocation whose message is not here yet."""

    __tablename__ = "parked_changes"
    __table_args__ = ({"info": about(sender="sender_ref")},)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    channel_id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_message_id: Mapped[str] = mapped_column(primary_key=True, info=not_personal())
    sender_ref: Mapped[str | None] = mapped_column(info=not_personal())
    """None for what was parked before it was kept."""
    edited_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    content_type: Mapped[str | None] = mapped_column(info=not_personal())
    text: Mapped[str | None] = mapped_column(info=personal("message.content"))
    content: Mapped[dict[str, Any] | None] = mapped_column(info=personal("message.content"))


class Note(Table):
    """What the staff tells itself about a conversation; the customer never sees it."""

    __tablename__ = "notes"
    __table_args__ = (
        Index(None, "tenant_id", "conversation_id", "id"),
        _OF_CONVERSATION,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id"))
    author_id: Mapped[str] = mapped_column(info=not_personal())
    text: Mapped[str] = mapped_column(info=personal("message.content"))
    created_at: Mapped[datetime]
