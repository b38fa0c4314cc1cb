"""Who answers, decided by people: offers are accepted, declined or missed, and a conversation is given to somebody."""

from typing import Literal
from uuid import UUID

from services.routing import store
from services.routing.domain import OPEN, RESOLVED, answered_by, given_back, let_pass
from services.routing.handlers.dispatch import Dispatch, WithdrawOffer
from services.routing.models import Offer
from shared.db import UnitOfWork
from shared.http import Conflict, Forbidden, NotFound


async def answer_offer(
    tenant_id: UUID, agent_id: UUID, offer_id: UUID, state: Literal["accepted", "declined"], uow: UnitOfWork
) -> Offer:
    """Take a conversation or leave it to others.

    Raises `NotFound` when the agent was not asked, and `Conflict` when the offer stands no more, or when his capacity
    was lowered meanwhile below what he has.
    """
    dispatch = await Dispatch.begin([tenant_id], uow)
    offer = await store.offer(tenant_id, offer_id, uow.session)
    if offer is None or offer.agent_id != agent_id:
        raise NotFound
    if offer.state != OPEN or offer.expires_at <= uow.now:
        raise Conflict("The offer stands no more.", slug="offer-ended")
    case = (await store.cases([offer], uow.session))[offer.conversation_id]
    if state == "accepted":
        agent = await store.agent(tenant_id, offer.agent_id, uow.session)
        if agent is None or agent.load > agent.capacity:
            raise Conflict("You have more than your capacity.", slug="over-capacity")
        dispatch.put(case, answered_by(case, offer.agent_id, uow.now))
    else:
        dispatch.put(case, given_back(case), unaccepted="declined")
    await dispatch.settle()
    await uow.session.refresh(offer)
    return offer


async def withdraw_offer(job: WithdrawOffer, uow: UnitOfWork) -> None:
    """Ask somebody else when the time of an offer is over, unless it ended before."""
    offer = await store.offer(job.tenant_id, job.offer_id, uow.session)
    if offer is None or offer.state != OPEN:
        return
    dispatch = await Dispatch.begin([job.tenant_id], uow)
    case = await store.case_of(job.tenant_id, offer.conversation_id, uow.session)
    # Most offers have ended by then, and those need nobody to wait; this one may have, while it was waited for.
    if case is None or case.offer_id != offer.id:
        return
    dispatch.put(case, let_pass(case), unaccepted="expired")
    await dispatch.settle()


async def assign(
    tenant_id: UUID, conversation_id: UUID, agent_id: UUID | None, uow: UnitOfWork, *, only_for: UUID | None = None
) -> None:
    """Give a conversation to an agent, whoever had it, or with none back to its queue, where it keeps its age.

    Raises `NotFound`, `Conflict` when it is resolved or when the agent has no room, and `Forbidden` when it is of
    another than `only_for`, or for another.
    """
    dispatch = await Dispatch.begin([tenant_id], uow)
    case = await store.case_of(tenant_id, conversation_id, uow.session)
    if case is None:
        raise NotFound
    if only_for is not None and not {case.agent_id, agent_id} <= {None, only_for}:
        raise Forbidden("The scope routing:write is needed to decide for others.")
    if case.status == RESOLVED:
        raise Conflict("The conversation is resolved.", slug="conversation-closed")
    if agent_id == case.agent_id:
        return
    if agent_id is None:
        dispatch.put(case, given_back(case))
    else:
        agent = await store.agent(tenant_id, agent_id, uow.session)
        if agent is None:
            raise NotFound("There is no such agent.")
        held = case.weight if case.offered_to == agent_id else 0
        if agent.load - held + case.weight > agent.capacity:
            raise Conflict("The agent has no room for it.", slug="over-capacity")
        dispatch.put(case, answered_by(case, agent_id, uow.now))
    await dispatch.settle()
