"""Metrics' tables: the append-only log of facts, what is measured of it, and what it must know of tenants."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Model, new_metadata
from shared.personal import about, about_nobody, not_personal

_OF_AGENTS: Final = text("agent_id IS NOT NULL")


class Table(Model):
    __abstract__ = True
    metadata = new_metadata()


class Tenant(Table):
    """Where a tenant is, by its versions: what happened is measured by the clocks and holidays of its time."""

    __tablename__ = "tenants"
    __table_args__ = ({"info": about_nobody("of a business: where it is, and by which clock it lives")},)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    time_zone: Mapped[str] = mapped_column(info=not_personal())
    country: Mapped[str | None] = mapped_column(info=not_personal())
    changed_at: Mapped[datetime | None]
    """None when it is not known since when."""


class BusinessHours(Table):
    """The hours of a tenant, or of one of its queues, from a moment on; every change is a row."""

    __tablename__ = "business_hours"
    __table_args__ = (
        Index(None, "tenant_id", "changed_at"),
        {"info": about_nobody("of a business: when it is open")},
    )

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    queue_id: Mapped[UUID | None]
    version: Mapped[int]
    week: Mapped[dict[str, Any] | None] = mapped_column(info=not_personal())
    """None from when they were forgotten."""
    exceptions: Mapped[dict[str, Any]] = mapped_column(info=not_personal())
    holidays: Mapped[bool]
    changed_at: Mapped[datetime]


class Fact(Table):
    """Something that happened and counts. It names no person; a trigger lets no service change it or take it away."""

    __tablename__ = "facts"
    __table_args__ = (
        Index(None, "tenant_id", "kind", "happened_at"),
        Index(None, "tenant_id", "conversation_id"),
        Index(None, "tenant_id", "agent_id", "event_id", postgresql_where=_OF_AGENTS),
        {"info": about(user="agent_id")},
    )

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(info=not_personal())
    conversation_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    channel_kind: Mapped[str | None] = mapped_column(info=not_personal())
    happened_at: Mapped[datetime]
    queue_id: Mapped[UUID | None]
    agent_id: Mapped[UUID | None]
    labels: Mapped[list[Any] | None] = mapped_column(info=not_personal())
    status: Mapped[str | None] = mapped_column(info=not_personal())


class Measure(Table):
    """What a conversation adds to a figure; made from the facts, and made anew from them at any time."""

    __tablename__ = "measures"
    __table_args__ = (
        Index(None, "tenant_id", "metric", "ended_at"),
        Index(None, "tenant_id", "metric", "began_at"),
        Index(None, "tenant_id", "conversation_id"),
        Index(None, "tenant_id", "agent_id", "fact_id", postgresql_where=_OF_AGENTS),
        {"info": about(user="agent_id")},
    )

    fact_id: Mapped[UUID] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True, info=not_personal())
    tenant_id: Mapped[UUID]
    conversation_id: Mapped[UUID]
    cycle: Mapped[int]
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """None of what goes on."""
    business_seconds: Mapped[float | None]
    channel_id: Mapped[UUID]
    queue_id: Mapped[UUID | None]
    agent_id: Mapped[UUID | None]
    labels: Mapped[list[Any]] = mapped_column(info=not_personal())


class MeasuredConversation(Table):
    """Of which conversations there are facts, and from when on they are to be measured anew.

    The work of all tenants at once: it has no row policy, and holds nothing but ids and counts.
    """

    __tablename__ = "measured_conversations"
    __table_args__ = (
        Index("ix_measured_conversations_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        {"info": about_nobody("of conversations: which ones are to be measured anew")},
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID] = mapped_column(primary_key=True)
    marks: Mapped[int]
    """Rises with all that is heard of it: who measured at another mark must do it again."""
    facts: Mapped[int]
    """How many there were when it was measured last."""
    due_at: Mapped[datetime | None]
    """None while everything is measured."""
