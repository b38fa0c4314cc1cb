"""Who answers a conversation by API, and how long its customer will wait."""

from uuid import UUID

from fastapi import APIRouter

from services.routing import handlers, store
from services.routing.api.callers import ForOneselfOrOthers, ReadConversations, ReadRouting, himself_alone
from services.routing.domain import OPEN, estimate, opens_at
from services.routing.models import Case
from services.routing.schemas import Assignee, AssignmentShown, EtaShown, QueuePositionShown, WaitingShown
from shared.db import UnitOfWork
from shared.http import Caller, NotFound, TransactionRoute, Work
from shared.opening_hours import Schedule

waiting = APIRouter(prefix="/waiting", route_class=TransactionRoute, tags=["Routing"])
conversations = APIRouter(prefix="/conversations", route_class=TransactionRoute, tags=["Routing"])


@waiting.get("", summary="Count who waits")
async def read_waiting(caller: ReadConversations, uow: Work) -> WaitingShown:
    """How many customers wait for an answer, and since when."""
    count, since = await store.waiting(caller.tenant_id, uow.session)
    return WaitingShown(count=count, oldest_since=since)


@conversations.put("/{conversation_id}/assignee", summary="Assign a conversation")
async def assign(conversation_id: UUID, body: Assignee, caller: ForOneselfOrOthers, uow: Work) -> AssignmentShown:
    """Take what nobody has, or give back what one has; for others, and from others, with `routing:write`.

    409 when the agent has no room, or when it is resolved.
    """
    await handlers.assign(caller.tenant_id, conversation_id, body.agent_id, uow, only_for=himself_alone(caller))
    case = await _case(caller, conversation_id, uow)
    return AssignmentShown(**{name: getattr(case, name) for name in AssignmentShown.model_fields})


@conversations.get("/{conversation_id}/queue-position", summary="Read a conversation's position in its queue")
async def read_queue_position(conversation_id: UUID, caller: ReadRouting, uow: Work) -> QueuePositionShown:
    """How many are before it, how long it will wait, told from who is there, and when it opens."""
    case = await _case(caller, conversation_id, uow)
    opening = opens_at(await _schedule(case, uow), uow.now)
    if case.queue_id is None or case.status != OPEN or case.agent_id is not None:
        return QueuePositionShown(position=None, eta=None, opens_at=opening)
    ahead = await store.ahead_of(case, uow.session)
    eta = None if opening else await _eta(case.tenant_id, case.queue_id, ahead, uow)
    return QueuePositionShown(position=ahead + 1, eta=eta, opens_at=opening)


async def _eta(tenant_id: UUID, queue_id: UUID, ahead: int, uow: UnitOfWork) -> EtaShown | None:
    slots, free = await store.places(tenant_id, queue_id, uow.session)
    eta = estimate(ahead, slots, free, await store.handling_seconds(tenant_id, queue_id, uow.session))
    return EtaShown(p50_seconds=eta.p50_seconds, p90_seconds=eta.p90_seconds) if eta else None


async def _schedule(case: Case, uow: UnitOfWork) -> Schedule | None:
    tenant = await store.tenant(case.tenant_id, uow.session)
    if tenant is None:
        return None
    hours = await store.hours_of([case.tenant_id], uow.session)
    return handlers.schedule_in(hours.get((case.tenant_id, case.queue_id)) or hours.get((case.tenant_id, None)), tenant)


async def _case(caller: Caller, conversation_id: UUID, uow: UnitOfWork) -> Case:
    case = await store.case(caller.tenant_id, conversation_id, uow.session)
    if case is None:
        raise NotFound
    return case
