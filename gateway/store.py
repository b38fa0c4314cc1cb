"""Every query of the gateway, tenant first."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import ApiKey, Tenant


async def tenant(tenant_id: UUID, session: AsyncSession, *, for_update: bool = False) -> Tenant | None:
    query = select(Tenant).where(Tenant.id == tenant_id)
    return await session.scalar(query.with_for_update() if for_update else query)


async def api_key_by_digest(tenant_id: UUID, digest: bytes, session: AsyncSession) -> ApiKey | None:
    return await session.scalar(select(ApiKey).where(ApiKey.tenant_id == tenant_id, ApiKey.digest == digest))


async def api_key(tenant_id: UUID, api_key_id: UUID, session: AsyncSession) -> ApiKey | None:
    """The key, locked."""
    query = select(ApiKey).where(ApiKey.tenant_id == tenant_id, ApiKey.id == api_key_id)
    return await session.scalar(query.with_for_update())


async def list_api_keys(tenant_id: UUID, session: AsyncSession, *, after: UUID | None, limit: int) -> Sequence[ApiKey]:
    query = select(ApiKey).where(ApiKey.tenant_id == tenant_id)
    if after is not None:
        query = query.where(ApiKey.id > after)
    return (await session.scalars(query.order_by(ApiKey.id).limit(limit))).all()
