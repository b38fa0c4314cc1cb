"""Routing's tables: who waits in which queue, who answers, and when the counter is open."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Model, new_metadata
from shared.personal import Via, about, about_nobody, not_personal


class Table(Model):
    __abstract__ = True
    metadata = new_metadata()


_OF_CASE: Final = {"info": about(Via("cases", {"conversation_id": "conversation_id"}), user="agent_id")}


class Tenant(Table):
    """What routing needs to know of a tenant, as the gateway told it."""

    __tablename__ = "tenants"
    __table_args__ = ({"info": about_nobody("a tenant is a business")},)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(info=not_personal())
    country: Mapped[str] = mapped_column(info=not_personal())
    time_zone: Mapped[str] = mapped_column(info=not_personal())
    locale: Mapped[str] = mapped_column(info=not_personal())
    version: Mapped[int]
    """The gateway's: an older one changes nothing."""


class Queue(Table):
    """Where conversations wait for an agent; the default queue of a tenant has the tenant's id."""

    __tablename__ = "queues"
    __table_args__ = (Index(None, "tenant_id", "id"), {"info": about_nobody("it is how a tenant sorts its work")})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(info=not_personal())
    channel_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    """The channels whose conversations wait here."""
    priority: Mapped[int]
    """A queue with a higher one is served first."""
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def is_default(self) -> bool:
        return self.id == self.tenant_id


class Agent(Table):
    """A user who may serve customers. `load` never rises above `capacity`: the trigger of this table sees to it."""

    __tablename__ = "agents"
    __table_args__ = (
        CheckConstraint("load >= 0", name="load_is_not_negative"),
        Index(None, "tenant_id", "id"),
        Index("ix_agents_online", "tenant_id", postgresql_where=text("status = 'online' AND serves")),
        {"info": about(user="id")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    serves: Mapped[bool]
    """Whether the user is active and has a role that serves."""
    status: Mapped[str] = mapped_column(info=not_personal())
    capacity: Mapped[int]
    load: Mapped[int]
    """The weights of what he answers and of what he is asked to answer."""
    auto_accept: Mapped[bool]
    skills: Mapped[list[str]] = mapped_column(ARRAY(Text), info=not_personal())
    queue_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    """The queues that he serves; none means all."""
    user_version: Mapped[int]
    """The gateway's: an older one changes nothing."""
    version: Mapped[int]
    """Counts what the tenant set; presence and load do not touch it."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Case(Table):
    """A conversation as routing sees it; each field is told of in the domain."""

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint(
            "status <> 'open' OR agent_id IS NOT NULL OR (queue_id IS NOT NULL AND queued_at IS NOT NULL)",
            name="who_is_not_answered_waits",
        ),
        CheckConstraint("(offer_id IS NULL) = (offered_to IS NULL)", name="an_offer_is_made_to_somebody"),
        Index(
            "ix_cases_waiting",
            "tenant_id",
            "waiting_since",
            postgresql_where=text("waiting_since IS NOT NULL AND status <> 'snoozed'"),
        ),
        Index(
            "ix_cases_in_line",
            "tenant_id",
            "queue_id",
            "queued_at",
            "conversation_id",
            postgresql_where=text("status = 'open' AND agent_id IS NULL"),
        ),
        Index(None, "tenant_id", "agent_id", postgresql_where=text("agent_id IS NOT NULL")),
        Index(
            "ix_cases_answered",
            "tenant_id",
            "queue_id",
            "closed_at",
            postgresql_where=text("closed_at IS NOT NULL AND assigned_at IS NOT NULL"),
        ),
        Index(None, "tenant_id", "contact_id"),
        Index(None, "tenant_id", "last_agent_id", postgresql_where=text("last_agent_id IS NOT NULL")),
        {"info": about(contact="contact_id", user=("agent_id", "last_agent_id"))},
    )

    conversation_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    contact_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    channel_kind: Mapped[str] = mapped_column(info=not_personal())
    weight: Mapped[int]
    told_at: Mapped[datetime]
    """When the latest thing that was heard of it happened: what is older changes nothing."""
    status: Mapped[str] = mapped_column(info=not_personal())
    waiting_since: Mapped[datetime | None]
    queue_id: Mapped[UUID | None]
    queued_at: Mapped[datetime | None]
    agent_id: Mapped[UUID | None]
    assigned_at: Mapped[datetime | None]
    last_agent_id: Mapped[UUID | None]
    offer_id: Mapped[UUID | None]
    offered_to: Mapped[UUID | None]
    closed_at: Mapped[datetime | None]
    greeted_at: Mapped[datetime | None]
    away_told_at: Mapped[datetime | None]


class Offer(Table):
    """An agent is, or was, asked to answer a conversation."""

    __tablename__ = "offers"
    __table_args__ = (
        Index("ix_offers_one_open", "conversation_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_offers_open", "tenant_id", "agent_id", "id", postgresql_where=text("state = 'open'")),
        Index(None, "tenant_id", "conversation_id"),
        Index(None, "tenant_id", "agent_id"),
        _OF_CASE,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    conversation_id: Mapped[UUID]
    agent_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(info=not_personal())
    offered_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Refusal(Table):
    """An agent did not take an open conversation: he declined it or gave it back, or else he missed the offer."""

    __tablename__ = "refusals"
    __table_args__ = (_OF_CASE,)

    conversation_id: Mapped[UUID] = mapped_column(primary_key=True)
    agent_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    missed: Mapped[bool]
    """Asked after all others, but asked again."""


class BusinessHours(Table):
    """When a tenant, or one of its queues, answers: by the clock of the tenant's time zone."""

    __tablename__ = "business_hours"
    __table_args__ = (
        Index(None, "tenant_id", "queue_id", unique=True, postgresql_nulls_not_distinct=True),
        {"info": about_nobody("they are a tenant's, whoever works in them")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    queue_id: Mapped[UUID | None]
    """None for those of the whole tenant, which hold for the queues that have none of their own."""
    week: Mapped[dict[str, Any] | None] = mapped_column(info=not_personal())
    """None when they were forgotten: the row stays, so that its version never begins anew."""
    exceptions: Mapped[dict[str, Any]] = mapped_column(info=not_personal())
    holidays: Mapped[bool]
    """Whether the public holidays of the tenant's country are closed."""
    version: Mapped[int]
    updated_at: Mapped[datetime]


class AutoReplies(Table):
    """What a tenant lets Balcão say by itself; nothing unless it was switched on."""

    __tablename__ = "auto_replies"
    __table_args__ = ({"info": about_nobody("they are a tenant's settings")},)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    greeting: Mapped[bool]
    out_of_hours: Mapped[bool]
    tone: Mapped[str] = mapped_column(info=not_personal())
    version: Mapped[int]
    updated_at: Mapped[datetime]
