"""Who was asked for what, what came, and the package it makes, tenant first."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from services.privacy.models import DepositPart, DepositTask, Package


async def add_tasks(rows: Sequence[dict[str, Any]], session: AsyncSession) -> None:
    await session.execute(insert(DepositTask), sorted(rows, key=lambda row: row["service"]))


async def package(tenant_id: UUID, request_id: UUID, session: AsyncSession) -> Package | None:
    query = select(Package).where(Package.tenant_id == tenant_id, Package.request_id == request_id)
    return await session.scalar(query)


async def tasks(tenant_id: UUID, request_id: UUID, session: AsyncSession) -> Sequence[DepositTask]:
    """Of all services that were asked, by their names."""
    query = select(DepositTask).where(DepositTask.tenant_id == tenant_id, DepositTask.request_id == request_id)
    return (await session.scalars(query.order_by(DepositTask.service))).all()


async def keep_part(row: dict[str, Any], session: AsyncSession) -> None:
    """Keep a part in the place of the one that came under its number before."""
    statement = upsert(DepositPart)
    changes = {
        name: statement.excluded[name] for name in ("table_name", "row_count", "sealed", "digest", "plain_digest")
    }
    keys = ["tenant_id", "request_id", "service", "number"]
    await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes), row)


async def part_digests(task: DepositTask, session: AsyncSession) -> Sequence[Row[bytes, bytes]]:
    """Of those parts that a service announced and that are there: the SHA-256 of each, sealed and plain, in order."""
    query = select(DepositPart.digest, DepositPart.plain_digest).where(*_parts_of(task))
    return (await session.execute(query.where(DepositPart.number <= task.parts).order_by(DepositPart.number))).all()


async def row_counts(task: DepositTask, session: AsyncSession) -> dict[str, int]:
    """How many rows of each table are in a service's parts."""
    query = select(DepositPart.table_name, func.sum(DepositPart.row_count)).where(*_parts_of(task))
    rows = await session.execute(query.group_by(DepositPart.table_name))
    return {name: int(count) for name, count in rows}


async def drop_parts(task: DepositTask, session: AsyncSession, *, beyond: int = 0) -> None:
    """Forget what a service deposited under higher numbers than this one."""
    await session.execute(delete(DepositPart).where(*_parts_of(task), DepositPart.number > beyond))


async def part_places(tenant_id: UUID, request_id: UUID, session: AsyncSession) -> Sequence[Row[str, str, int]]:
    """Service, table and number of each part, in this order."""
    query = select(DepositPart.service, DepositPart.table_name, DepositPart.number)
    query = query.where(DepositPart.tenant_id == tenant_id, DepositPart.request_id == request_id)
    order = (DepositPart.service, DepositPart.table_name, DepositPart.number)
    return (await session.execute(query.order_by(*order))).all()


async def sealed_part(
    tenant_id: UUID, request_id: UUID, service: str, number: int, session: AsyncSession
) -> bytes | None:
    query = select(DepositPart.sealed).where(DepositPart.tenant_id == tenant_id, DepositPart.request_id == request_id)
    return await session.scalar(query.where(DepositPart.service == service, DepositPart.number == number))


async def destroy_package(tenant_id: UUID, request_id: UUID, session: AsyncSession) -> None:
    """Its parts, its key and its link are gone with this transaction."""
    for kind in (Package, DepositPart):
        await session.execute(delete(kind).where(kind.tenant_id == tenant_id, kind.request_id == request_id))


def _parts_of(task: DepositTask) -> tuple[ColumnElement[bool], ...]:
    return (
        DepositPart.tenant_id == task.tenant_id,
        DepositPart.request_id == task.request_id,
        DepositPart.service == task.service,
    )
