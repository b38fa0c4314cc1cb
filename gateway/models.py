"""The gateway's tables: tenants and their API keys."""

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
    """A business that serves its customers here."""

    __tablename__ = "tenants"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(info=not_personal())
    slug: Mapped[str] = mapped_column(unique=True, info=not_personal())
    country: Mapped[str] = mapped_column(info=not_personal())
    time_zone: Mapped[str] = mapped_column(info=not_personal())
    locale: Mapped[str] = mapped_column(info=not_personal())
    legal_regime: Mapped[str] = mapped_column(info=not_personal())
    role: Mapped[str] = mapped_column(info=not_personal())
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ApiKey(Table):
    """A key of a tenant; only a digest of its secret is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (Index(None, "tenant_id", "digest", unique=True), Index(None, "tenant_id", "id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    label: Mapped[str] = mapped_column(info=personal("user.name"))
    role: Mapped[str] = mapped_column(info=not_personal())
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), info=not_personal())
    digest: Mapped[bytes] = mapped_column(info=not_personal())
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
