"""Metrics' tables: the append-only log of facts, and what it must know of tenants."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Model, new_metadata
from shared.personal import not_personal


class Table(Model):
    __abstract__ = True
    metadata = new_metadata()


class Tenant(Table):
    """What metrics must know of a tenant."""

    __tablename__ = "tenants"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    time_zone: Mapped[str] = mapped_column(info=not_personal())
    version: Mapped[int]


class Fact(Table):
    """Something that happened and counts; it names no person."""

    __tablename__ = "facts"
    __table_args__ = (Index(None, "tenant_id", "kind", "happened_at"),)

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(info=not_personal())
    conversation_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    channel_kind: Mapped[str] = mapped_column(info=not_personal())
    happened_at: Mapped[datetime]
