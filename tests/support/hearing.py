"""Events given to a service's handlers as its consumer gives them: one batch, one transaction."""

from datetime import datetime
from typing import Any, TypeVar

from shared.bus.consumer import give
from shared.db import Database
from shared.events import Envelope, Event
from shared.ids import new_id
from shared.service import Service
from tests.support.events import NOON

E = TypeVar("E", bound=Event)


def said_at(moment: datetime, event: E) -> E:
    """The event, as though it had been said then."""
    return event.in_envelope(Envelope(new_id(), moment))


async def hear(service: Service[Any], database: Database, *events: Event, now: datetime = NOON) -> None:
    """Let all handlers of `service` do their work with these events; those not said yet were said at `now`."""
    async with database.unit_of_work({event.tenant_id for event in events}, now=now) as uow:
        await give(service.hears, [_said(event, now) for event in events], uow)


def _said(event: Event, now: datetime) -> Event:
    try:
        _ = event.envelope
    except LookupError:
        return said_at(now, event)
    return event
