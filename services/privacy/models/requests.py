"""What persons ask for: their requests, and the codes by which they prove who they are."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Index, Text, Uuid
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from services.privacy.models.tables import Table
from shared.personal import Via, about, about_nobody, not_personal, personal, secret


class Request(Table):
    """What a person asked for, how far it has come, and until when it must be answered."""

    __tablename__ = "requests"
    __table_args__ = (
        Index(None, "tenant_id", "id"),
        Index(None, "tenant_id", "state", "id"),
        Index(None, "tenant_id", "subject_id"),
        Index(None, "tenant_id", "due_at", postgresql_where=sql("settled_at IS NULL")),
        {"info": about(contact="subject_id", user="subject_id")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    right: Mapped[str] = mapped_column(info=not_personal())
    state: Mapped[str] = mapped_column(info=not_personal())
    origin: Mapped[str] = mapped_column(info=not_personal())
    """`public`, or `staff` when it was taken in by a member of the tenant's staff or its software."""
    wanted_id: Mapped[UUID | None]
    """The contact or user whom the staff names."""
    identifiers: Mapped[list[Any]] = mapped_column(info=personal("contact.address"))
    """By what the person says that he is known; none once the request has ended unproven."""
    contact_channel: Mapped[str | None] = mapped_column(info=not_personal())
    """The kind or the id of the channel by which he wants to be told."""
    scope: Mapped[list[str]] = mapped_column(ARRAY(Text), info=not_personal())
    """The categories of data that it is about; none means all."""
    text: Mapped[str | None] = mapped_column(info=personal("message.content"))
    locale: Mapped[str | None] = mapped_column(info=not_personal())
    token_digest: Mapped[bytes] = mapped_column(info=secret())
    subject_id: Mapped[UUID | None]
    """Who is proven to be meant: before that, a request that a stranger made would be hers to read."""
    subject_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), info=not_personal())
    """All under whom the same person is held, the one above first."""
    identifier_id: Mapped[UUID | None]
    """The address on file to which the code goes, and what he is told later; it proves nothing by itself."""
    proof_until: Mapped[datetime]
    """Until when he can prove who he is."""
    proven_by: Mapped[str | None] = mapped_column(info=not_personal())
    proven_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    due_at: Mapped[datetime]
    legal_latest_at: Mapped[datetime]
    rule_id: Mapped[str] = mapped_column(info=not_personal())
    calendar_version: Mapped[str] = mapped_column(info=not_personal())
    inputs: Mapped[dict[str, Any]] = mapped_column(info=not_personal())
    """From what the deadline was counted."""
    extended_at: Mapped[datetime | None]
    extension_reason: Mapped[str | None] = mapped_column(info=personal("message.content"))
    silent: Mapped[list[str]] = mapped_column(ARRAY(Text), info=not_personal())
    """The services that have not handed over what they hold."""
    outcome: Mapped[str | None] = mapped_column(info=not_personal())
    reason: Mapped[str | None] = mapped_column(info=personal("message.content"))
    """Why it was rejected, or what the person is told of how it ended."""
    changed_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    """Since when his package can be taken: from then on nothing is late."""
    settled_at: Mapped[datetime | None]


class ProofCode(Table):
    """A code that proves who a person is; one is made whether or not anybody is there to get it."""

    __tablename__ = "proof_codes"
    __table_args__ = (
        Index(None, "tenant_id", "request_id", "made_at"),
        Index(None, "tenant_id", "made_at"),
        {"info": about(Via("requests", {"tenant_id": "tenant_id", "request_id": "id"}))},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    request_id: Mapped[UUID]
    digest: Mapped[bytes] = mapped_column(info=secret())
    sealed: Mapped[bytes | None] = mapped_column(info=secret())
    """Kept until it is on its way, or nobody is found."""
    blank: Mapped[bool]
    """Too many were made: this one is sent to nobody, and is not counted."""
    identifier_refs: Mapped[list[str]] = mapped_column(ARRAY(Text), info=not_personal())
    """Fingerprints of what the person says that he is known by: codes are counted by them."""
    tries: Mapped[int]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class PrivacySettings(Table):
    """What a tenant says of itself as a controller or an operator."""

    __tablename__ = "privacy_settings"
    __table_args__ = ({"info": about_nobody("they are those of a tenant")},)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    small_agent: Mapped[bool]
    controller: Mapped[str | None] = mapped_column(info=not_personal())
    """For whom an operator works, as a person is told it (LGPD art. 18 §4 I)."""
    version: Mapped[int]
    updated_at: Mapped[datetime]
