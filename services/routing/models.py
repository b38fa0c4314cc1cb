"""Routing's tables: the conversations that are open, as far as who answers them is concerned."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Model, new_metadata
from shared.personal import not_personal


class Table(Model):
    __abstract__ = True
    metadata = new_metadata()


class Case(Table):
    """A conversation as routing sees it."""

    __tablename__ = "cases"
    __table_args__ = (
        Index(
            "ix_cases_waiting",
            "tenant_id",
            "waiting_since",
            postgresql_where=text("waiting_since IS NOT NULL AND NOT paused"),
        ),
    )

    conversation_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    channel_kind: Mapped[str] = mapped_column(info=not_personal())
    waiting_since: Mapped[datetime | None]
    """Since when the customer waits for an answer; null when he does not."""
    paused: Mapped[bool]
    """Put off: until it goes on nobody is waited for."""
    closed_at: Mapped[datetime | None]
    told_at: Mapped[datetime]
    """When the latest thing that was heard of it happened: what is older changes nothing."""
