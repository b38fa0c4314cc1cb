"""Queues, business hours and automatic replies as the tenant sets them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from services.routing import store
from services.routing.models import AutoReplies, BusinessHours, Queue
from shared.db import UnitOfWork
from shared.events.routing import BusinessHoursChanged
from shared.http import Conflict

_MOMENT: Final = timedelta(microseconds=1)
_FORGOTTEN: Final[Mapping[str, Any]] = {"week": None, "exceptions": {}, "holidays": False}


async def add_queue(tenant_id: UUID, fields: Mapping[str, Any], uow: UnitOfWork) -> Queue:
    """A queue that all agents serve who are not kept to others."""
    queue = Queue(id=uow.new_id(), tenant_id=tenant_id, version=1, created_at=uow.now, updated_at=uow.now, **fields)
    uow.session.add(queue)
    return queue


async def change_queue(queue: Queue, changes: Mapping[str, Any], uow: UnitOfWork) -> None:
    """Change a queue; conversations that wait somewhere stay there."""
    uow.change(queue, changes)


async def remove_queue(queue: Queue, uow: UnitOfWork) -> None:
    """Remove a queue with its hours; raises `Conflict` for the default queue and for one in use."""
    await store.hold([queue.tenant_id], uow.session)
    if queue.is_default or await store.queue_in_use(queue.tenant_id, queue.id, uow.session):
        raise Conflict("It is the default queue, or conversations or agents are in it.", slug="queue-in-use")
    hours = await store.business_hours(queue.tenant_id, queue.id, uow.session)
    if hours is not None:
        await forget_hours(hours, uow)
        await uow.session.delete(hours)
    await uow.session.delete(queue)


async def set_hours(
    hours: BusinessHours | None, tenant_id: UUID, queue_id: UUID | None, fields: Mapping[str, Any], uow: UnitOfWork
) -> BusinessHours:
    """Set the hours of a tenant or of a queue, whatever they were, and tell them whole unless they are so already."""
    if hours is None:
        hours = BusinessHours(
            id=uow.new_id(), tenant_id=tenant_id, queue_id=queue_id, version=1, updated_at=uow.now, **fields
        )
        uow.session.add(hours)
        uow.emit(_told(hours))
    else:
        _change_hours(hours, fields, uow)
    return hours


async def forget_hours(hours: BusinessHours, uow: UnitOfWork) -> None:
    """Have no hours any more; the row stays, so that those set anew have a later version."""
    _change_hours(hours, _FORGOTTEN, uow)


def _change_hours(hours: BusinessHours, fields: Mapping[str, Any], uow: UnitOfWork) -> None:
    before = hours.updated_at
    if uow.change(hours, fields):
        # Whoever changed them before may have come later and been let in first, or have a faster clock.
        hours.updated_at = max(uow.now, before + _MOMENT)
        uow.emit(_told(hours))


def _told(hours: BusinessHours) -> BusinessHoursChanged:
    return BusinessHoursChanged(
        tenant_id=hours.tenant_id,
        queue_id=hours.queue_id,
        week=hours.week,
        exceptions=hours.exceptions,
        holidays=hours.holidays,
        version=hours.version,
        changed_at=hours.updated_at,
    )


async def set_auto_replies(
    replies: AutoReplies | None, tenant_id: UUID, fields: Mapping[str, Any], uow: UnitOfWork
) -> AutoReplies:
    """Switch on or off what Balcão says by itself."""
    if replies is None:
        replies = AutoReplies(tenant_id=tenant_id, version=1, updated_at=uow.now, **fields)
        uow.session.add(replies)
    else:
        uow.change(replies, fields)
    return replies
