"""The gateway's tables: tenants, their users, API keys and log-ins."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Model, new_metadata
from shared.personal import Via, about, about_nobody, not_personal, personal, secret


class Table(Model):
    __abstract__ = True
    metadata = new_metadata()


class Tenant(Table):
    """A business that serves its customers here."""

    __tablename__ = "tenants"
    __table_args__ = ({"info": about_nobody("a tenant is a business")},)

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


class TenantSlug(Table):
    """Whose a slug is: what must be found before the tenant is known, and nothing more."""

    __tablename__ = "tenant_slugs"
    __table_args__ = ({"info": about_nobody("a tenant is a business")},)

    slug: Mapped[str] = mapped_column(primary_key=True, info=not_personal())
    tenant_id: Mapped[UUID]


class ApiKey(Table):
    """A key of a tenant; only a digest of its secret is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index(None, "tenant_id", "digest", unique=True),
        Index(None, "tenant_id", "id"),
        {"info": about(user="user_id")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    """As whom it calls, if not as itself."""
    label: Mapped[str] = mapped_column(info=personal("user.name"))
    role: Mapped[str] = mapped_column(info=not_personal())
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), info=not_personal())
    digest: Mapped[bytes] = mapped_column(info=secret())
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class User(Table):
    """A member of a tenant's staff."""

    __tablename__ = "users"
    __table_args__ = (
        Index(None, "tenant_id", "email", unique=True),
        Index(None, "tenant_id", "id"),
        {"info": about(user="id")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(info=personal("user.name"))
    email: Mapped[str] = mapped_column(info=personal("user.name"))
    """In its normal form."""
    role: Mapped[str] = mapped_column(info=not_personal())
    active: Mapped[bool]
    password_hash: Mapped[str | None] = mapped_column(info=secret())
    """argon2id; none for who never logs in."""
    token_version: Mapped[int]
    """Access tokens of other versions open nothing."""
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Login(Table):
    """Whose an e-mail address is: the one thing that must be found before the tenant is known, and nothing more.

    A user has two of them, one for his address alone and one for it at his tenant's slug.
    """

    __tablename__ = "logins"
    __table_args__ = ({"info": about(user="user_id")},)

    fingerprint: Mapped[str] = mapped_column(primary_key=True, info=not_personal())
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]


class LoginFailures(Table):
    """How often somebody failed to log in with an e-mail address, whether or not it is anybody's."""

    __tablename__ = "login_failures"
    __table_args__ = (
        Index(None, "since"),
        {"info": about(Via("logins", {"fingerprint": "fingerprint"}), tenant=None)},
    )

    fingerprint: Mapped[str] = mapped_column(primary_key=True, info=not_personal())
    failures: Mapped[int]
    since: Mapped[datetime]


class EndedToken(Table):
    """An access token that was given back before its time."""

    __tablename__ = "ended_tokens"
    __table_args__ = (
        Index(None, "tenant_id", "expires_at"),
        {"info": about_nobody("whose token it was is not kept")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    expires_at: Mapped[datetime]
