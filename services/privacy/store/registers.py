"""The registers: tenants, data subjects and their addresses, access grants; tenant first."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.privacy.domain.identity import Known
from services.privacy.models import AccessGrant, Subject, SubjectIdentifier, Tenant

_KNOWN = tuple(getattr(SubjectIdentifier, name) for name in Known.__dataclass_fields__)
_ONE_EACH = ("tenant_id", "subject_id", "channel_id", "kind", "value")


async def keep_subjects(rows: Sequence[dict[str, Any]], session: AsyncSession) -> None:
    """Keep who is known, since the earliest time that was told."""
    statement = insert(Subject)
    earlier = statement.excluded.known_since < Subject.known_since
    changes = {"known_since": statement.excluded.known_since}
    await session.execute(
        statement.on_conflict_do_update(index_elements=[Subject.id], set_=changes, where=earlier),
        sorted(rows, key=lambda row: row["id"]),
    )


async def keep_identifiers(rows: Sequence[dict[str, Any]], session: AsyncSession) -> None:
    """Keep by which addresses persons are reached, each since the earliest time that was told."""
    statement = insert(SubjectIdentifier)
    earlier = statement.excluded.known_since < SubjectIdentifier.known_since
    changes = {"known_since": statement.excluded.known_since}
    await session.execute(
        statement.on_conflict_do_update(index_elements=_ONE_EACH, set_=changes, where=earlier),
        sorted(rows, key=lambda row: [str(row[name]) for name in _ONE_EACH]),
    )


async def subjects(tenant_id: UUID, ids: Collection[UUID], session: AsyncSession) -> Sequence[Subject]:
    """Those of these persons who are known."""
    query = select(Subject).where(Subject.tenant_id == tenant_id, Subject.id.in_(ids))
    return (await session.scalars(query.order_by(Subject.id))).all()


async def addresses(
    tenant_id: UUID, session: AsyncSession, *, of: Collection[UUID] = (), alike: Collection[str] = ()
) -> list[Known]:
    """The addresses of these persons, and those that are found by these lookup keys."""
    query = select(*_KNOWN).where(
        SubjectIdentifier.tenant_id == tenant_id,
        or_(SubjectIdentifier.subject_id.in_(of), SubjectIdentifier.lookup_key.in_(alike)),
    )
    return [Known(*row) for row in await session.execute(query.order_by(SubjectIdentifier.id))]


async def address(tenant_id: UUID, identifier_id: UUID, session: AsyncSession) -> Known | None:
    query = select(*_KNOWN).where(SubjectIdentifier.tenant_id == tenant_id, SubjectIdentifier.id == identifier_id)
    row = (await session.execute(query)).first()
    return Known(*row) if row is not None else None


async def keep_tenants(rows: Sequence[dict[str, Any]], session: AsyncSession) -> None:
    """Keep these versions, each unless a newer one is there."""
    statement = insert(Tenant)
    newer = Tenant.version < statement.excluded.version
    changes = {name: statement.excluded[name] for name in rows[0]}
    await session.execute(
        statement.on_conflict_do_update(index_elements=[Tenant.tenant_id], set_=changes, where=newer),
        sorted(rows, key=lambda row: row["tenant_id"]),
    )


async def keep_grants(rows: Sequence[dict[str, Any]], session: AsyncSession) -> None:
    """Keep grants as they stand; what was revoked stays revoked."""
    statement = insert(AccessGrant)
    revoked = func.coalesce(AccessGrant.revoked_at, statement.excluded.revoked_at)
    await session.execute(
        statement.on_conflict_do_update(index_elements=[AccessGrant.api_key_id], set_={"revoked_at": revoked}),
        sorted(rows, key=lambda row: row["api_key_id"]),
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
