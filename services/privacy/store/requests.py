"""Requests, their codes and what a tenant says of itself, tenant first."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, delete, func, not_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.privacy.domain.deadlines import over_by
from services.privacy.models import PrivacySettings, ProofCode, Request
from shared.db import Session, hold_names


async def request(
    tenant_id: UUID, request_id: UUID, session: AsyncSession, *, for_update: bool = False
) -> Request | None:
    """The request; for update, nobody else changes it before this transaction ends."""
    query = select(Request).where(Request.tenant_id == tenant_id, Request.id == request_id)
    if for_update:
        query = query.with_for_update().execution_options(populate_existing=True)
    return await session.scalar(query)


async def list_requests(
    tenant_id: UUID,
    session: AsyncSession,
    *,
    state: str | None,
    overdue: bool | None,
    now: datetime,
    after: UUID | None,
    limit: int,
) -> Sequence[Request]:
    """Oldest first."""
    query = select(Request).where(Request.tenant_id == tenant_id)
    if state is not None:
        query = query.where(Request.state == state)
    if overdue is not None:
        open_still = and_(Request.settled_at.is_(None), Request.answered_at.is_(None))
        late = and_(open_still, Request.due_at <= over_by(now))
        query = query.where(late if overdue else not_(late))
    if after is not None:
        query = query.where(Request.id > after)
    return (await session.scalars(query.order_by(Request.id).limit(limit))).all()


async def hold_waiting(tenant_id: UUID, state: str, limit: int, session: AsyncSession) -> Sequence[Request]:
    """The oldest requests in this state, which nobody else changes before this transaction ends."""
    query = select(Request).where(Request.tenant_id == tenant_id, Request.state == state)
    return (await session.scalars(query.order_by(Request.id).limit(limit).with_for_update())).all()


async def hold_identifiers(tenant_id: UUID, refs: Iterable[str], session: Session) -> None:
    """Whoever else makes a code for one of these fingerprints waits until this transaction ends."""
    await hold_names((f"proof|{tenant_id}|{ref}" for ref in refs), session)


async def count_codes(tenant_id: UUID, refs: Sequence[str], since: datetime, session: AsyncSession) -> int:
    """How many codes were made for any of these fingerprints."""
    query = select(func.count()).where(
        ProofCode.tenant_id == tenant_id,
        ProofCode.made_at > since,
        ProofCode.identifier_refs.bool_op("&&")(refs),
        ~ProofCode.blank,
    )
    return (await session.execute(query)).scalar_one()


async def drop_codes(tenant_id: UUID, request_id: UUID, session: AsyncSession) -> None:
    await session.execute(delete(ProofCode).where(ProofCode.tenant_id == tenant_id, ProofCode.request_id == request_id))


async def last_code(tenant_id: UUID, request_id: UUID, session: AsyncSession) -> ProofCode | None:
    """The code that was made last for a request."""
    query = select(ProofCode).where(ProofCode.tenant_id == tenant_id, ProofCode.request_id == request_id)
    return await session.scalar(query.order_by(ProofCode.made_at.desc(), ProofCode.id.desc()).limit(1))


async def code(tenant_id: UUID, code_id: UUID, session: AsyncSession) -> ProofCode | None:
    return await session.scalar(select(ProofCode).where(ProofCode.tenant_id == tenant_id, ProofCode.id == code_id))


async def settings(tenant_id: UUID, session: AsyncSession) -> PrivacySettings | None:
    return await session.scalar(select(PrivacySettings).where(PrivacySettings.tenant_id == tenant_id))


async def hold_settings(tenant_id: UUID, now: datetime, session: AsyncSession) -> PrivacySettings:
    """The settings, which nobody else changes before this transaction ends; those never set have version 0."""
    unset = {"tenant_id": tenant_id, "small_agent": False, "controller": None, "version": 0, "updated_at": now}
    await session.execute(insert(PrivacySettings).on_conflict_do_nothing(), unset)
    query = select(PrivacySettings).where(PrivacySettings.tenant_id == tenant_id).with_for_update()
    return (await session.scalars(query)).one()
