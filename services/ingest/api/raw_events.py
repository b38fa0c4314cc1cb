"""What providers sent, item by item, and what can be tried again."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from services.ingest import handlers, store
from services.ingest.api.channels import ReadChannels, WriteChannels
from services.ingest.domain import KeptItem
from services.ingest.models import RawEvent
from services.ingest.schemas import RawEventShown, RawEventState
from services.ingest.settings import Settings
from shared.http import Page, Pages, TransactionRoute, Work
from shared.service import Kernel

raw_events = APIRouter(prefix="/raw-events", route_class=TransactionRoute, tags=["Channels"])


@raw_events.get("", summary="List raw events")
async def list_raw_events(
    caller: ReadChannels,
    paging: Pages,
    uow: Work,
    state: Annotated[RawEventState, Query(description="What became of them.")] = "failed",
    channel_id: UUID | None = None,
) -> Page[RawEventShown]:
    """What providers sent, item by item, without its content; oldest first, the failed ones if not asked otherwise."""
    rows = await store.list_raw_events(
        caller.tenant_id,
        uow.session,
        state=state,
        channel_id=channel_id,
        after=paging.after_id(),
        limit=paging.more,
    )
    return paging.page(rows, _show_raw_event, lambda row: (row.id,))


@raw_events.post("/{raw_event_id}/replays", summary="Replay a failed raw event")
async def replay(raw_event_id: UUID, caller: WriteChannels, uow: Work, request: Request) -> RawEventShown:
    """Try again to understand what a provider sent; 409 says why it cannot be understood still."""
    kernel: Kernel[Settings] = request.app.state.counter.kernel
    row = await handlers.replay_raw_event(caller.tenant_id, raw_event_id, kernel.sealer, kernel.blind_index, uow)
    return _show_raw_event(row)


def _show_raw_event(row: RawEvent | KeptItem) -> RawEventShown:
    return RawEventShown(
        id=row.id,
        channel_id=row.channel_id,
        path=row.path,
        state=row.state,
        reason=row.reason,
        received_at=row.received_at,
    )
