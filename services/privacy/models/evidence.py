"""What proves how a right was honoured: the audit chain, who handed over what, and the package until it is taken."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from services.privacy.models.tables import Table
from shared.personal import about, about_nobody, not_personal, secret


class AuditEntry(Table):
    """An entry of a tenant's audit chain; the database refuses to change it or to take it out."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index(None, "tenant_id", "request_id", "seq"),
        Index(None, "tenant_id", "subject_id", "seq"),
        {"info": about(contact="subject_id", user="subject_id")},
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 1 on, without a gap."""
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(info=not_personal())
    """The id of a user or an API key; else `subject`, for whom it is about, or `privacy`."""
    action: Mapped[str] = mapped_column(info=not_personal())
    request_id: Mapped[UUID | None]
    subject_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]] = mapped_column(info=not_personal())
    previous_hash: Mapped[bytes] = mapped_column(info=not_personal())
    hash: Mapped[bytes] = mapped_column(info=not_personal())


class AuditSeal(Table):
    """The head of a tenant's audit chain, sealed under a key that the database does not hold."""

    __tablename__ = "audit_seals"
    __table_args__ = ({"info": about_nobody("it is the seal of a chain's head")},)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int]
    seal: Mapped[bytes] = mapped_column(info=secret())
    sealed_at: Mapped[datetime]


class Package(Table):
    """What is gathered for one request, until it is taken or its time is over: then the row and its key are gone."""

    __tablename__ = "packages"
    __table_args__ = ({"info": about_nobody("it is the key of one request's package, and the link to it")},)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    sealed_key: Mapped[bytes] = mapped_column(info=secret())
    attempt: Mapped[int]
    expires_at: Mapped[datetime | None]
    """Until when it can be taken; empty while it is gathered."""
    link_digest: Mapped[bytes | None] = mapped_column(info=secret())
    link_made_by: Mapped[str | None] = mapped_column(info=not_personal())
    """The actor who has it, as the audit chain names him."""
    link_expires_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]
    """Until when a download that is under way may go on."""


class DepositTask(Table):
    """What one service was asked for, and that it has handed it over; it stays as evidence."""

    __tablename__ = "deposit_tasks"
    __table_args__ = ({"info": about_nobody("it counts rows, and holds none")},)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True, info=not_personal())
    attempt: Mapped[int]
    """The only one in which something is taken from it."""
    asked_at: Mapped[datetime]
    heard_at: Mapped[datetime]
    """When it handed something over last; before that, when it was asked."""
    parts: Mapped[int | None]
    """How many there are, once the service has said so."""
    plain_digest: Mapped[bytes | None] = mapped_column(info=secret())
    """What the service said over them, until it is seen to be so."""
    tables: Mapped[dict[str, Any] | None] = mapped_column(info=not_personal())
    """By their names, how many rows of each, and its personal columns with their categories."""
    completed_at: Mapped[datetime | None]
    """When all parts were there."""
    digest: Mapped[bytes | None] = mapped_column(info=not_personal())
    """SHA-256 over those of the sealed parts, in their order."""


class DepositPart(Table):
    """A part as it came, sealed with its request's key."""

    __tablename__ = "deposit_parts"
    __table_args__ = (
        {"info": about_nobody("sealed copies of what the services hold, gone when taken or after seven days")},
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True, info=not_personal())
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    table_name: Mapped[str] = mapped_column(info=not_personal())
    row_count: Mapped[int]
    sealed: Mapped[bytes] = mapped_column(info=secret())
    digest: Mapped[bytes] = mapped_column(info=not_personal())
    """SHA-256 of what is sealed."""
    plain_digest: Mapped[bytes] = mapped_column(info=secret())
    """SHA-256 of what it was before; gone with the part."""
