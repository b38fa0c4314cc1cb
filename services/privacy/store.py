"""Every query of privacy, tenant first."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.privacy.models import AccessGrant, Subject, Tenant


async def keep_subjects(rows: Sequence[dict[str, Any]], session: AsyncSession) -> None:
    await session.execute(insert(Subject).on_conflict_do_nothing(), sorted(rows, key=lambda row: row["id"]))


async def keep_tenant(row: dict[str, Any], session: AsyncSession) -> None:
    """Keep this version unless a newer one is there."""
    statement = insert(Tenant)
    newer = Tenant.version < statement.excluded.version
    changes = {name: statement.excluded[name] for name in row}
    await session.execute(
        statement.on_conflict_do_update(index_elements=[Tenant.tenant_id], set_=changes, where=newer), [row]
    )


async def keep_grant(row: dict[str, Any], session: AsyncSession) -> None:
    """Keep a grant as it stands; what was revoked stays revoked."""
    statement = insert(AccessGrant)
    revoked = func.coalesce(AccessGrant.revoked_at, statement.excluded.revoked_at)
    await session.execute(
        statement.on_conflict_do_update(index_elements=[AccessGrant.api_key_id], set_={"revoked_at": revoked}), [row]
    )


async def list_grants(
    tenant_id: UUID, session: AsyncSession, *, after: UUID | None, limit: int
) -> Sequence[AccessGrant]:
    query = select(AccessGrant).where(AccessGrant.tenant_id == tenant_id)
    if after is not None:
        query = query.where(AccessGrant.api_key_id > after)
    return (await session.scalars(query.order_by(AccessGrant.api_key_id).limit(limit))).all()


async def count_subjects(tenant_id: UUID, session: AsyncSession) -> int:
    query = select(func.count()).select_from(Subject).where(Subject.tenant_id == tenant_id)
    return (await session.execute(query)).scalar_one()


async def tenant(tenant_id: UUID, session: AsyncSession) -> Tenant | None:
    return await session.scalar(select(Tenant).where(Tenant.tenant_id == tenant_id))
