"""Every query about channel accounts, tenant first."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.ingest.models import Channel, ChannelTenant


async def tenant_of_channel(channel_id: UUID, session: AsyncSession) -> UUID | None:
    """Whose a channel is; the one question that is asked before the tenant is known."""
    return await session.scalar(select(ChannelTenant.tenant_id).where(ChannelTenant.channel_id == channel_id))


async def channels_of(tenant_id: UUID, session: AsyncSession, *, kind: str) -> Sequence[Channel]:
    query = select(Channel).where(Channel.tenant_id == tenant_id, Channel.kind == kind)
    return (await session.scalars(query)).all()


async def channel(
    tenant_id: UUID, channel_id: UUID, session: AsyncSession, *, for_update: bool = False
) -> Channel | None:
    query = select(Channel).where(Channel.tenant_id == tenant_id, Channel.id == channel_id)
    return await session.scalar(query.with_for_update() if for_update else query)


async def list_channels(tenant_id: UUID, session: AsyncSession, *, after: UUID | None, limit: int) -> Sequence[Channel]:
    query = select(Channel).where(Channel.tenant_id == tenant_id).order_by(Channel.id).limit(limit)
    if after is not None:
        query = query.where(Channel.id > after)
    return (await session.scalars(query)).all()
