"""Privacy's tables: data subjects, the regime each tenant is under, and who may look at personal data."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Model, new_metadata
from shared.personal import not_personal, personal


class Table(Model):
    __abstract__ = True
    metadata = new_metadata()


class Tenant(Table):
    """Under which law a tenant is, and in which role."""

    __tablename__ = "tenants"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    legal_regime: Mapped[str] = mapped_column(info=not_personal())
    role: Mapped[str] = mapped_column(info=not_personal())
    country: Mapped[str] = mapped_column(info=not_personal())
    time_zone: Mapped[str] = mapped_column(info=not_personal())
    version: Mapped[int]


class Subject(Table):
    """A person of whom Balcão holds data, by reference alone."""

    __tablename__ = "subjects"
    __table_args__ = (Index(None, "tenant_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The contact's id."""
    tenant_id: Mapped[UUID]
    known_since: Mapped[datetime]


class AccessGrant(Table):
    """A key that opens personal data: to whom, for what, from when to when."""

    __tablename__ = "access_grants"
    __table_args__ = (Index(None, "tenant_id", "api_key_id"),)

    api_key_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    label: Mapped[str] = mapped_column(info=personal("user.name"))
    role: Mapped[str] = mapped_column(info=not_personal())
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), info=not_personal())
    granted_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
