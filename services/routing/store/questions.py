"""What the tenant asks of routing; every query names the tenant first."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing.domain import OPEN
from services.routing.models import Agent, AutoReplies, BusinessHours, Case, Offer, Queue, Tenant
from shared.db import Statement

_HANDLED = 100
"""How many conversations tell how long one takes."""

_REPLYING = Statement("""
SELECT tenant_id FROM auto_replies WHERE tenant_id = ANY (CAST(:tenants AS uuid[])) AND (greeting OR out_of_hours)
""")


async def waiting(tenant_id: UUID, session: AsyncSession) -> tuple[int, datetime | None]:
    """How many conversations wait for an answer, and since when the first of them."""
    query = select(func.count(), func.min(Case.waiting_since)).where(
        Case.tenant_id == tenant_id, Case.waiting_since.is_not(None), Case.status != "snoozed"
    )
    count, since = (await session.execute(query)).one()
    return count, since


async def tenant(tenant_id: UUID, session: AsyncSession) -> Tenant | None:
    return await session.scalar(select(Tenant).where(Tenant.tenant_id == tenant_id))


async def case(tenant_id: UUID, conversation_id: UUID, session: AsyncSession) -> Case | None:
    query = select(Case).where(Case.tenant_id == tenant_id, Case.conversation_id == conversation_id)
    return await session.scalar(query)


async def ahead_of(case: Case, session: AsyncSession) -> int:
    """How many wait in the same queue for longer."""
    query = select(func.count()).where(
        Case.tenant_id == case.tenant_id,
        Case.queue_id == case.queue_id,
        Case.status == OPEN,
        Case.agent_id.is_(None),
        tuple_(Case.queued_at, Case.conversation_id) < (case.queued_at, case.conversation_id),
    )
    return (await session.scalar(query)) or 0


async def places(tenant_id: UUID, queue_id: UUID, session: AsyncSession) -> tuple[int, int]:
    """How many conversations the agents who serve a queue and are online can answer at once; how many more now."""
    query = select(
        func.coalesce(func.sum(Agent.capacity), 0),
        func.coalesce(func.sum(func.greatest(Agent.capacity - Agent.load, 0)), 0),
    ).where(
        Agent.tenant_id == tenant_id,
        Agent.status == "online",
        Agent.serves,
        or_(Agent.queue_ids == [], Agent.queue_ids.contains([queue_id])),
    )
    slots, free = (await session.execute(query)).one()
    return slots, free


async def handling_seconds(tenant_id: UUID, queue_id: UUID, session: AsyncSession) -> Sequence[float]:
    """How long the conversations took that were resolved last in a queue, from their assignment on."""
    query = (
        select(func.extract("epoch", Case.closed_at - Case.assigned_at))
        .where(
            Case.tenant_id == tenant_id,
            Case.queue_id == queue_id,
            Case.closed_at.is_not(None),
            Case.assigned_at.is_not(None),
        )
        .order_by(Case.closed_at.desc())
        .limit(_HANDLED)
    )
    return [float(seconds) for seconds in await session.scalars(query)]


async def list_queues(tenant_id: UUID, session: AsyncSession, *, after: UUID | None, limit: int) -> Sequence[Queue]:
    query = select(Queue).where(Queue.tenant_id == tenant_id)
    if after is not None:
        query = query.where(Queue.id > after)
    return (await session.scalars(query.order_by(Queue.id).limit(limit))).all()


async def queue(tenant_id: UUID, queue_id: UUID, session: AsyncSession) -> Queue | None:
    return await session.scalar(select(Queue).where(Queue.tenant_id == tenant_id, Queue.id == queue_id))


async def known_queues(tenant_id: UUID, queue_ids: Iterable[UUID], session: AsyncSession) -> set[UUID]:
    """Those of these ids that are queues."""
    query = select(Queue.id).where(Queue.tenant_id == tenant_id, Queue.id.in_(list(queue_ids)))
    return set(await session.scalars(query))


async def queue_in_use(tenant_id: UUID, queue_id: UUID, session: AsyncSession) -> bool:
    """Whether a conversation that is not resolved is in a queue, or an agent serves it by name."""
    cases = exists().where(Case.tenant_id == tenant_id, Case.queue_id == queue_id, Case.closed_at.is_(None))
    agents = exists().where(Agent.tenant_id == tenant_id, Agent.queue_ids.contains([queue_id]))
    return bool(await session.scalar(select(or_(cases, agents))))


async def list_agents(tenant_id: UUID, session: AsyncSession, *, after: UUID | None, limit: int) -> Sequence[Agent]:
    query = select(Agent).where(Agent.tenant_id == tenant_id, Agent.serves)
    if after is not None:
        query = query.where(Agent.id > after)
    return (await session.scalars(query.order_by(Agent.id).limit(limit))).all()


async def list_open_offers(
    tenant_id: UUID, session: AsyncSession, *, agent_id: UUID | None, now: datetime, after: UUID | None, limit: int
) -> Sequence[Offer]:
    """Of one agent, or of all; oldest first."""
    query = select(Offer).where(Offer.tenant_id == tenant_id, Offer.state == OPEN, Offer.expires_at > now)
    if agent_id is not None:
        query = query.where(Offer.agent_id == agent_id)
    if after is not None:
        query = query.where(Offer.id > after)
    return (await session.scalars(query.order_by(Offer.id).limit(limit))).all()


async def offer(tenant_id: UUID, offer_id: UUID, session: AsyncSession) -> Offer | None:
    return await session.scalar(select(Offer).where(Offer.tenant_id == tenant_id, Offer.id == offer_id))


async def business_hours(tenant_id: UUID, queue_id: UUID | None, session: AsyncSession) -> BusinessHours | None:
    """The hours of a queue, or, without one, of the whole tenant; those that were forgotten have no week."""
    query = select(BusinessHours).where(
        BusinessHours.tenant_id == tenant_id, BusinessHours.queue_id.is_not_distinct_from(queue_id)
    )
    return await session.scalar(query)


async def hours_of(tenants: Iterable[UUID], session: AsyncSession) -> dict[tuple[UUID, UUID | None], BusinessHours]:
    """All business hours that these tenants have, by tenant and queue."""
    query = select(BusinessHours).where(BusinessHours.tenant_id.in_(list(tenants)), BusinessHours.week.is_not(None))
    return {(hours.tenant_id, hours.queue_id): hours for hours in await session.scalars(query)}


async def auto_replies(tenant_id: UUID, session: AsyncSession) -> AutoReplies | None:
    return await session.scalar(select(AutoReplies).where(AutoReplies.tenant_id == tenant_id))


async def replying_tenants(tenants: Iterable[UUID], session: AsyncSession) -> dict[UUID, tuple[Tenant, AutoReplies]]:
    """Those of these tenants that let Balcão say something by itself."""
    # Asked for each batch of messages, and mostly there is none.
    replying = list(await session.scalars(_REPLYING, {"tenants": list(tenants)}))
    if not replying:
        return {}
    query = (
        select(Tenant, AutoReplies)
        .join(AutoReplies, AutoReplies.tenant_id == Tenant.tenant_id)
        .where(Tenant.tenant_id.in_(replying))
    )
    return {known.tenant_id: (known, replies) for known, replies in await session.execute(query)}
