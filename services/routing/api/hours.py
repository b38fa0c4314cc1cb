"""Business hours by API, and what Balcão says by itself."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.routing import handlers, store
from services.routing.api.callers import ReadRouting, WriteRouting
from services.routing.api.queues import find_queue
from services.routing.models import AutoReplies, BusinessHours
from services.routing.schemas import AutoRepliesGiven, AutoRepliesShown, BusinessHoursGiven, BusinessHoursShown
from shared.db import UnitOfWork
from shared.http import Caller, Invalid, NotFound, TransactionRoute, Work, check_version, tell_version
from shared.opening_hours import WEEKDAYS, OverlapError, check, schedule_of

OfQueue = Annotated[UUID | None, Query(description="Those of a queue; left out, those of the whole tenant.")]

business_hours = APIRouter(prefix="/business-hours", route_class=TransactionRoute, tags=["Routing"])
auto_replies = APIRouter(prefix="/auto-replies", route_class=TransactionRoute, tags=["Routing"])


@business_hours.get("", summary="Read business hours")
async def read_hours(
    caller: ReadRouting, uow: Work, response: Response, queue_id: OfQueue = None
) -> BusinessHoursShown:
    """404 while none are set: then it is always open, and a queue has the hours of the tenant."""
    hours = await _hours(caller, queue_id, uow)
    if hours is None or hours.week is None:
        raise NotFound
    tell_version(response, hours.version)
    return _show(hours)


@business_hours.put("", summary="Set business hours")
async def set_hours(
    body: BusinessHoursGiven,
    caller: WriteRouting,
    uow: Work,
    request: Request,
    response: Response,
    queue_id: OfQueue = None,
) -> BusinessHoursShown:
    """Those of a queue hold in the stead of the tenant's. 404 when there is no such queue."""
    fields: dict[str, Any] = body.model_dump(mode="json")
    _check_overlaps(fields)
    hours = await _hours(caller, queue_id, uow, for_update=True)
    check_version(request, hours.version if hours else 0)
    hours = await handlers.set_hours(hours, caller.tenant_id, queue_id, fields, uow)
    tell_version(response, hours.version)
    return _show(hours)


@business_hours.delete("", status_code=204, summary="Forget business hours")
async def forget_hours(caller: WriteRouting, uow: Work, request: Request, queue_id: OfQueue = None) -> None:
    """It is always open from then on, or has the hours of the tenant. 404 while none are set."""
    hours = await _hours(caller, queue_id, uow, for_update=True)
    if hours is None or hours.week is None:
        raise NotFound
    check_version(request, hours.version)
    await handlers.forget_hours(hours, uow)


@auto_replies.get("", summary="Read the automatic replies")
async def read_auto_replies(caller: ReadRouting, uow: Work, response: Response) -> AutoRepliesShown:
    """What Balcão says by itself: nothing, unless it was switched on."""
    replies = await store.auto_replies(caller.tenant_id, uow.session)
    tell_version(response, replies.version if replies else 0)
    return _show_replies(replies)


@auto_replies.put("", summary="Set the automatic replies")
async def set_auto_replies(
    body: AutoRepliesGiven, caller: WriteRouting, uow: Work, request: Request, response: Response
) -> AutoRepliesShown:
    """In the tenant's language."""
    await store.hold([caller.tenant_id], uow.session)
    replies = await store.auto_replies(caller.tenant_id, uow.session)
    check_version(request, replies.version if replies else 0)
    replies = await handlers.set_auto_replies(replies, caller.tenant_id, body.model_dump(), uow)
    tell_version(response, replies.version)
    return _show_replies(replies)


async def _hours(
    caller: Caller, queue_id: UUID | None, uow: UnitOfWork, *, for_update: bool = False
) -> BusinessHours | None:
    """The hours of the tenant or of a queue; for update, nobody else sets them meanwhile.

    Those that were forgotten have no week. Raises `NotFound` when there is no such queue.
    """
    if for_update:
        await store.hold([caller.tenant_id], uow.session)
    if queue_id is not None:
        await find_queue(caller, queue_id, uow)
    return await store.business_hours(caller.tenant_id, queue_id, uow.session)


def _check_overlaps(fields: dict[str, Any]) -> None:
    try:
        check(schedule_of(fields["week"], fields["exceptions"], time_zone="UTC", holidays_of=None))
    except OverlapError as overlap:
        day = f"exceptions/{overlap.where}" if isinstance(overlap.where, date) else f"week/{WEEKDAYS[overlap.where]}"
        pointer = f"/{day}/{overlap.index}"
        raise Invalid(
            errors=[{"pointer": pointer, "detail": "overlaps another one or ends before it begins"}]
        ) from None


def _show(row: BusinessHours) -> BusinessHoursShown:
    return BusinessHoursShown.model_validate({name: getattr(row, name) for name in BusinessHoursShown.model_fields})


def _show_replies(row: AutoReplies | None) -> AutoRepliesShown:
    if row is None:
        return AutoRepliesShown(greeting=False, out_of_hours=False, tone="formal")
    return AutoRepliesShown.model_validate({name: getattr(row, name) for name in AutoRepliesShown.model_fields})
