"""Offers by API: what an agent is asked to answer."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from services.routing import handlers, store
from services.routing.api.callers import ROUTING, ReadRouting, WritePresence, as_agent
from services.routing.models import Offer
from services.routing.schemas import OfferAnswer, OfferShown
from shared.http import Page, Pages, TransactionRoute, Work

offers = APIRouter(prefix="/offers", route_class=TransactionRoute, tags=["Routing"])


@offers.get("", summary="List open offers")
async def list_offers(caller: ReadRouting, paging: Pages, uow: Work) -> Page[OfferShown]:
    """What the caller is asked just now; with `routing:write` what anybody is."""
    rows = await store.list_open_offers(
        caller.tenant_id,
        uow.session,
        agent_id=None if ROUTING in caller.scopes else as_agent(caller),
        now=uow.now,
        after=paging.after_id(),
        limit=paging.more,
    )
    return paging.page(rows, _show, lambda row: (row.id,))


@offers.put("/{offer_id}", summary="Accept or decline an offer")
async def answer_offer(offer_id: UUID, body: OfferAnswer, caller: WritePresence, uow: Work) -> OfferShown:
    """404 for another's. 409 when it ended before, or when accepting would go beyond a capacity lowered meanwhile."""
    return _show(await handlers.answer_offer(caller.tenant_id, as_agent(caller), offer_id, body.state, uow))


def _show(row: Offer) -> OfferShown:
    fields: dict[str, Any] = {name: getattr(row, name) for name in OfferShown.model_fields}
    return OfferShown(**fields)
