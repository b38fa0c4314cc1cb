"""Every query of the gateway, tenant first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import and_, case, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain import FAILURE_MEMORY, Role
from gateway.models import ApiKey, EndedToken, Login, LoginFailures, Tenant, TenantSlug, User
from shared.db import Statement

# On the occasion of something new, some of what has had its time is taken away; what others hold is left to them.
_FORGET_FAILURES: Final = Statement("""
DELETE FROM login_failures WHERE fingerprint IN (
  SELECT fingerprint FROM login_failures WHERE since <= :oldest ORDER BY since LIMIT 20 FOR UPDATE SKIP LOCKED
)""")
_FORGET_TOKENS: Final = Statement("""
DELETE FROM ended_tokens WHERE id IN (
  SELECT id FROM ended_tokens WHERE tenant_id = :tenant_id AND expires_at < :now
  ORDER BY expires_at LIMIT 20 FOR UPDATE SKIP LOCKED
)""")


async def tenant(tenant_id: UUID, session: AsyncSession, *, for_update: bool = False) -> Tenant | None:
    query = select(Tenant).where(Tenant.id == tenant_id)
    return await session.scalar(query.with_for_update() if for_update else query)


async def tenant_of_slug(slug: str, session: AsyncSession) -> UUID | None:
    """Whose a slug is, for whoever asks."""
    return await session.scalar(select(TenantSlug.tenant_id).where(TenantSlug.slug == slug))


async def api_key_by_digest(tenant_id: UUID, digest: bytes, session: AsyncSession) -> tuple[ApiKey, User | None] | None:
    """The key, and the user as whom it calls."""
    query = (
        select(ApiKey, User)
        .join(User, and_(User.tenant_id == ApiKey.tenant_id, User.id == ApiKey.user_id), isouter=True)
        .where(ApiKey.tenant_id == tenant_id, ApiKey.digest == digest)
    )
    found = (await session.execute(query)).first()
    return (found[0], found[1]) if found is not None else None


async def api_key(tenant_id: UUID, api_key_id: UUID, session: AsyncSession) -> ApiKey | None:
    """The key, locked."""
    query = select(ApiKey).where(ApiKey.tenant_id == tenant_id, ApiKey.id == api_key_id)
    return await session.scalar(query.with_for_update())


async def list_api_keys(tenant_id: UUID, session: AsyncSession, *, after: UUID | None, limit: int) -> Sequence[ApiKey]:
    query = select(ApiKey).where(ApiKey.tenant_id == tenant_id)
    if after is not None:
        query = query.where(ApiKey.id > after)
    return (await session.scalars(query.order_by(ApiKey.id).limit(limit))).all()


async def api_keys_of_user(tenant_id: UUID, user_id: UUID, session: AsyncSession) -> Sequence[ApiKey]:
    """Those that are not revoked, locked."""
    query = select(ApiKey).where(ApiKey.tenant_id == tenant_id, ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    return (await session.scalars(query.order_by(ApiKey.id).with_for_update())).all()


async def user(tenant_id: UUID, user_id: UUID, session: AsyncSession) -> User | None:
    return await session.scalar(select(User).where(User.tenant_id == tenant_id, User.id == user_id))


async def user_to_change(tenant_id: UUID, user_id: UUID, session: AsyncSession) -> User | None:
    """The user, once nobody else changes any of the tenant's: two admins cannot remove each other at once."""
    await tenant(tenant_id, session, for_update=True)
    return await user(tenant_id, user_id, session)


async def list_users(tenant_id: UUID, session: AsyncSession, *, after: UUID | None, limit: int) -> Sequence[User]:
    query = select(User).where(User.tenant_id == tenant_id)
    if after is not None:
        query = query.where(User.id > after)
    return (await session.scalars(query.order_by(User.id).limit(limit))).all()


async def has_other_admin(tenant_id: UUID, user_id: UUID, session: AsyncSession) -> bool:
    """Whether anybody active besides this user is an admin."""
    query = select(User.id).where(
        User.tenant_id == tenant_id, User.id != user_id, User.role == Role.ADMIN, User.active.is_(True)
    )
    return await session.scalar(query.limit(1)) is not None


async def logins(fingerprint: str, session: AsyncSession, *, limit: int) -> Sequence[Login]:
    """Whose an address is, of whatever tenants, those first who had it first."""
    query = select(Login).where(Login.fingerprint == fingerprint).order_by(Login.user_id).limit(limit)
    return (await session.scalars(query)).all()


async def users_of_logins(logins: Sequence[Login], session: AsyncSession) -> Sequence[User]:
    """Those who can log in at all."""
    wanted = tuple_(User.tenant_id, User.id).in_([(one.tenant_id, one.user_id) for one in logins])
    query = select(User).where(wanted, User.active.is_(True), User.password_hash.is_not(None))
    return (await session.scalars(query.order_by(User.id))).all()


async def count_failure(fingerprint: str, now: datetime, session: AsyncSession) -> LoginFailures:
    """Count one more, or begin anew when the first one is forgotten."""
    row = insert(LoginFailures).values(fingerprint=fingerprint, failures=1, since=now)
    forgotten = LoginFailures.since <= now - FAILURE_MEMORY
    counted = row.on_conflict_do_update(
        index_elements=["fingerprint"],
        set_={
            "failures": case((forgotten, 1), else_=LoginFailures.failures + 1),
            "since": case((forgotten, now), else_=LoginFailures.since),
        },
    ).returning(LoginFailures)
    failures = (await session.scalars(counted)).one()
    await session.execute(_FORGET_FAILURES, {"oldest": now - FAILURE_MEMORY})
    return failures


async def take_failure_back(fingerprint: str, session: AsyncSession) -> None:
    counted = update(LoginFailures).where(LoginFailures.fingerprint == fingerprint, LoginFailures.failures > 0)
    await session.execute(counted.values(failures=LoginFailures.failures - 1))


async def end_token(
    tenant_id: UUID, token_id: UUID, expires_at: datetime, now: datetime, session: AsyncSession
) -> None:
    row = insert(EndedToken).values(id=token_id, tenant_id=tenant_id, expires_at=expires_at)
    await session.execute(row.on_conflict_do_nothing())
    await session.execute(_FORGET_TOKENS, {"tenant_id": tenant_id, "now": now})


async def user_of_token(tenant_id: UUID, user_id: UUID, token_id: UUID, session: AsyncSession) -> User | None:
    """The user, unless the token was given back."""
    ended = select(EndedToken.id).where(EndedToken.tenant_id == tenant_id, EndedToken.id == token_id)
    query = select(User).where(User.tenant_id == tenant_id, User.id == user_id, ~ended.exists())
    return await session.scalar(query)
