"""Queues by API."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.routing import handlers, store
from services.routing.api.callers import ReadRouting, WriteRouting
from services.routing.models import Queue
from services.routing.schemas import NewQueue, QueueChange, QueueShown
from shared.db import UnitOfWork
from shared.http import Caller, NotFound, Page, Pages, TransactionRoute, Work, check_version, tell_version

queues = APIRouter(prefix="/queues", route_class=TransactionRoute, tags=["Routing"])


@queues.get("", summary="List queues")
async def list_queues(caller: ReadRouting, paging: Pages, uow: Work) -> Page[QueueShown]:
    """Where conversations wait for an agent."""
    rows = await store.list_queues(caller.tenant_id, uow.session, after=paging.after_id(), limit=paging.more)
    return paging.page(rows, _show, lambda row: (row.id,))


@queues.post("", status_code=201, summary="Add a queue")
async def add_queue(body: NewQueue, caller: WriteRouting, uow: Work, response: Response) -> QueueShown:
    """Conversations of its channels wait in it from now on."""
    queue = await handlers.add_queue(caller.tenant_id, body.model_dump(), uow)
    tell_version(response, queue.version)
    return _show(queue)


@queues.get("/{queue_id}", summary="Read a queue")
async def read_queue(queue_id: UUID, caller: ReadRouting, uow: Work, response: Response) -> QueueShown:
    queue = await find_queue(caller, queue_id, uow)
    tell_version(response, queue.version)
    return _show(queue)


@queues.patch("/{queue_id}", summary="Change a queue")
async def change_queue(
    queue_id: UUID, body: QueueChange, caller: WriteRouting, uow: Work, request: Request, response: Response
) -> QueueShown:
    """Conversations that wait already stay where they are."""
    queue = await find_queue(caller, queue_id, uow, for_update=True)
    check_version(request, queue.version)
    await handlers.change_queue(queue, body.model_dump(exclude_unset=True), uow)
    tell_version(response, queue.version)
    return _show(queue)


@queues.delete("/{queue_id}", status_code=204, summary="Remove a queue")
async def remove_queue(queue_id: UUID, caller: WriteRouting, uow: Work, request: Request) -> None:
    """409 for the default queue, and for one that conversations wait in or that an agent serves by name."""
    queue = await find_queue(caller, queue_id, uow, for_update=True)
    check_version(request, queue.version)
    await handlers.remove_queue(queue, uow)


async def find_queue(caller: Caller, queue_id: UUID, uow: UnitOfWork, *, for_update: bool = False) -> Queue:
    """The queue; for update, nobody else decides who waits in it meanwhile. Raises `NotFound`."""
    if for_update:
        await store.hold([caller.tenant_id], uow.session)
    queue = await store.queue(caller.tenant_id, queue_id, uow.session)
    if queue is None:
        raise NotFound
    return queue


def _show(row: Queue) -> QueueShown:
    return QueueShown(**{name: getattr(row, name) for name in QueueShown.model_fields})
