"""Routing by API: who waits."""

from typing import Annotated

from fastapi import APIRouter, Depends

from services.routing import store
from services.routing.schemas import WaitingShown
from shared.http import Caller, TransactionRoute, Work, requires

ReadConversations = Annotated[Caller, Depends(requires("conversations:read"))]

waiting = APIRouter(prefix="/waiting", route_class=TransactionRoute, tags=["Routing"])


@waiting.get("", summary="Count who waits")
async def read_waiting(caller: ReadConversations, uow: Work) -> WaitingShown:
    """How many customers wait for an answer, and since when."""
    count, since = await store.waiting(caller.tenant_id, uow.session)
    return WaitingShown(count=count, oldest_since=since)
