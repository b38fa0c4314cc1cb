"""The audit chain's rows, tenant first."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from services.privacy.domain.audit import BEGINNING, Entry, Head, Link
from services.privacy.models import AuditEntry, AuditSeal
from shared.db import Statement

PAGE: Final = 200
"""How many entries are held at once when a whole chain is read."""

_LOCK = Statement("SELECT pg_advisory_xact_lock(hashtextextended('audit|' || CAST(:tenant AS text), 0))")


async def hold_chain(tenant_id: UUID, session: AsyncSession) -> Head:
    """The head of a tenant's chain, to which nobody else adds before this transaction ends."""
    await session.execute(_LOCK, {"tenant": str(tenant_id)})
    return await chain_head(tenant_id, session)


async def chain_head(tenant_id: UUID, session: AsyncSession) -> Head:
    """The last entry that is there; before the first it is `BEGINNING`."""
    query = select(AuditEntry.seq, AuditEntry.hash).where(AuditEntry.tenant_id == tenant_id)
    row = (await session.execute(query.order_by(AuditEntry.seq.desc()).limit(1))).first()
    return Head(row.seq, row.hash) if row is not None else Head(0, BEGINNING)


async def add_entry(link: Link, session: AsyncSession) -> None:
    row = {name: getattr(link.entry, name) for name in Entry.__dataclass_fields__}
    row |= {"details": dict(link.entry.details), "previous_hash": link.previous_hash, "hash": link.hash}
    await session.execute(insert(AuditEntry), [row])


async def chain_pages(tenant_id: UUID, session: AsyncSession) -> AsyncIterator[Sequence[Link]]:
    """A whole chain in its order, a page at a time."""
    query = select(AuditEntry.__table__).where(AuditEntry.tenant_id == tenant_id).order_by(AuditEntry.seq).limit(PAGE)
    after = 0
    while rows := (await session.execute(query.where(AuditEntry.seq > after))).all():
        yield [Link(_entry(row), row.previous_hash, row.hash) for row in rows]
        after = rows[-1].seq


async def written_since(tenant_id: UUID, seq: int, session: AsyncSession) -> datetime | None:
    """When the oldest entry after this one was written."""
    query = select(func.min(AuditEntry.at)).where(AuditEntry.tenant_id == tenant_id, AuditEntry.seq > seq)
    return await session.scalar(query)


async def chain_seal(tenant_id: UUID, session: AsyncSession) -> AuditSeal | None:
    return await session.scalar(select(AuditSeal).where(AuditSeal.tenant_id == tenant_id))


async def keep_seal(row: dict[str, Any], session: AsyncSession) -> None:
    """Keep the seal of a head unless a later one is sealed."""
    statement = upsert(AuditSeal)
    changes = {name: statement.excluded[name] for name in ("seq", "seal", "sealed_at")}
    later = AuditSeal.seq < statement.excluded.seq
    await session.execute(statement.on_conflict_do_update(index_elements=["tenant_id"], set_=changes, where=later), row)


async def list_entries(
    tenant_id: UUID, session: AsyncSession, *, request_id: UUID | None, before: int | None, limit: int
) -> Sequence[AuditEntry]:
    """The newest first."""
    query = select(AuditEntry).where(AuditEntry.tenant_id == tenant_id)
    if request_id is not None:
        query = query.where(AuditEntry.request_id == request_id)
    if before is not None:
        query = query.where(AuditEntry.seq < before)
    return (await session.scalars(query.order_by(AuditEntry.seq.desc()).limit(limit))).all()


def _entry(row: Any) -> Entry:
    return Entry(**{name: getattr(row, name) for name in Entry.__dataclass_fields__})
