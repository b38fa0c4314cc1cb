"""Privacy's tables: data subjects, the regime each tenant is under, and who may look at personal data."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.privacy.models.tables import Table
from shared.personal import about, about_nobody, not_personal, personal


class Tenant(Table):
    """A tenant as it is: under which law, in which role, and how it speaks."""

    __tablename__ = "tenants"
    __table_args__ = ({"info": about_nobody("a tenant is a business")},)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(info=not_personal())
    slug: Mapped[str] = mapped_column(info=not_personal())
    locale: Mapped[str] = mapped_column(info=not_personal())
    legal_regime: Mapped[str] = mapped_column(info=not_personal())
    role: Mapped[str] = mapped_column(info=not_personal())
    country: Mapped[str] = mapped_column(info=not_personal())
    time_zone: Mapped[str] = mapped_column(info=not_personal())
    version: Mapped[int]


class Subject(Table):
    """A person of whom Balcão holds data, by reference alone."""

    __tablename__ = "subjects"
    __table_args__ = (Index(None, "tenant_id", "id"), {"info": about(contact="id", user="id")})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The contact's id, or the user's."""
    tenant_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(info=not_personal())
    """One of `SUBJECT_KINDS`."""
    known_since: Mapped[datetime]


class SubjectIdentifier(Table):
    """An address by which a channel reaches a person, verbatim as the provider gave it."""

    __tablename__ = "subject_identifiers"
    __table_args__ = (
        Index(
            "ix_subject_identifiers_one_each",
            "tenant_id",
            "subject_id",
            "channel_id",
            "kind",
            "value",
            unique=True,
        ),
        Index(None, "tenant_id", "lookup_key"),
        {"info": about(contact="subject_id", user="subject_id")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    subject_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    channel_kind: Mapped[str] = mapped_column(info=not_personal())
    kind: Mapped[str] = mapped_column(info=not_personal())
    value: Mapped[str] = mapped_column(info=personal("contact.address"))
    lookup_key: Mapped[str] = mapped_column(info=personal("contact.address"))
    """The same for every way to write it."""
    known_since: Mapped[datetime]


class AccessGrant(Table):
    """A key that opens personal data: to whom, for what, from when to when."""

    __tablename__ = "access_grants"
    __table_args__ = (
        Index(None, "tenant_id", "api_key_id"),
        Index(None, "tenant_id", "user_id", postgresql_where=text("user_id IS NOT NULL")),
        {"info": about(user="user_id")},
    )

    api_key_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    label: Mapped[str] = mapped_column(info=personal("user.name"))
    role: Mapped[str] = mapped_column(info=not_personal())
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), info=not_personal())
    granted_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
