"""Ingest's tables: channel accounts, raw events as the providers sent them, and what became of sends."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Model, new_metadata
from shared.personal import not_personal, personal


class Table(Model):
    __abstract__ = True
    metadata = new_metadata()


class Channel(Table):
    """A tenant's account at a provider."""

    __tablename__ = "channels"
    __table_args__ = (Index(None, "tenant_id", "kind", "account", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(info=not_personal())
    name: Mapped[str] = mapped_column(info=not_personal())
    account: Mapped[str] = mapped_column(info=not_personal())
    """The provider's id of the account, e.g. WhatsApp's phone_number_id."""
    settings: Mapped[dict[str, Any]] = mapped_column(info=not_personal())
    credentials: Mapped[bytes] = mapped_column(info=not_personal())
    """Sealed."""
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ChannelTenant(Table):
    """Whose a channel is: the one thing that must be found before the tenant is known, and nothing more."""

    __tablename__ = "channel_tenants"

    channel_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]


class RawEvent(Table):
    """One item as a provider sent it, once."""

    __tablename__ = "raw_events"
    __table_args__ = (
        Index(None, "tenant_id", "channel_id", "dedup_key", unique=True),
        Index(None, "tenant_id", "state", "id"),
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


class DeliveryStatus(Table):
    """What a provider told of a message that was sent."""

    __tablename__ = "delivery_statuses"
    __table_args__ = (Index(None, "tenant_id", "channel_id", "provider_message_id"),)

    raw_event_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    provider_message_id: Mapped[str] = mapped_column(info=not_personal())
    state: Mapped[str] = mapped_column(info=not_personal())
    occurred_at: Mapped[datetime]
    error_code: Mapped[int | None]
    error_title: Mapped[str | None] = mapped_column(info=not_personal())
    callback_data: Mapped[str | None] = mapped_column(info=not_personal())
