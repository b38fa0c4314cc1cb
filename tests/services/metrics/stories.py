"""The life of a conversation as conversation and routing would say it, and what came to be measured of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.metrics import handlers
from services.metrics.app import service
from services.metrics.models import Measure
from shared.db import Database
from shared.events.conversation import ConversationChanged, ConversationReopened, ConversationResolved, MessageAdded
from shared.events.gateway import TenantChanged
from shared.events.routing import (
    BusinessHoursChanged,
    ConversationAssigned,
    ConversationQueued,
    ConversationUnassigned,
)
from shared.ids import new_id
from shared.jobs import Worker
from tests.support.conversations import Conversation, E
from tests.support.events import NOON
from tests.support.hearing import said_at

LATER = datetime(2100, 1, 1, tzinfo=UTC)
ANA, RUI = UUID(int=0xA), UUID(int=0xB)
SALES, REPAIRS = UUID(int=0xC), UUID(int=0xD)

AFTERNOONS = {"friday": [{"start": "13:00", "end": "18:00"}]}
"""By the clock of Lisbon: noon of these stories is a Friday's, and it is an hour until they begin."""


@dataclass(frozen=True)
class Story(Conversation):
    """Each thing happens so many seconds after noon, and is said at that moment."""

    def wrote(self, seconds: float) -> MessageAdded:
        return self._written(seconds, "inbound", "contact")

    def replied(self, seconds: float, agent: UUID | str | None = ANA) -> MessageAdded:
        return self._written(seconds, "outbound", "agent", str(agent))

    def replied_elsewhere(self, seconds: float) -> MessageAdded:
        """In the provider's own app."""
        return self._written(seconds, "outbound", None)

    def replied_automatically(self, seconds: float) -> MessageAdded:
        return self._written(seconds, "outbound", "system")

    def labelled(self, seconds: float, *labels: str, status: str = "open") -> ConversationChanged:
        told = {"status": status, "priority": "normal", "labels": list(labels)}
        return self._said(ConversationChanged, seconds, "changed_at", **told)

    def resolved_as(self, seconds: float, *labels: str) -> ConversationResolved:
        return self._said(ConversationResolved, seconds, "resolved_at", labels=list(labels))

    def reopened_as(self, seconds: float, *labels: str) -> ConversationReopened:
        return self._said(ConversationReopened, seconds, "reopened_at", labels=list(labels))

    def queued(self, seconds: float, queue: UUID = SALES) -> ConversationQueued:
        return self._decided(ConversationQueued, seconds, "queued_at", queue_id=queue)

    def assigned(self, seconds: float, agent: UUID = ANA, queue: UUID | None = SALES) -> ConversationAssigned:
        return self._decided(ConversationAssigned, seconds, "assigned_at", agent_id=agent, queue_id=queue)

    def unassigned(self, seconds: float, agent: UUID = ANA, reason: str = "taken_back") -> ConversationUnassigned:
        return self._decided(ConversationUnassigned, seconds, "unassigned_at", agent_id=agent, reason=reason)

    def _written(self, seconds: float, direction: str, kind: str | None, author: str | None = None) -> MessageAdded:
        told = {"seq": 1, "content_type": "text", "text": "oi", "message_id": new_id()}
        whose = {"direction": direction, "author_kind": kind, "author_id": author}
        return self._said(MessageAdded, seconds, "sent_at", **told, **whose)

    def _decided(self, kind: type[E], seconds: float, when: str, **fields: Any) -> E:
        moment = NOON + timedelta(seconds=seconds)
        whose = {name: getattr(self, name) for name in ("tenant_id", "conversation_id", "contact_id", "channel_id")}
        return said_at(moment, kind(**whose, **fields, **{when: moment}))


def told(seconds: float, event: E) -> E:
    """The event, which was told so many seconds after noon, whatever it says of its time itself."""
    return said_at(NOON + timedelta(seconds=seconds), event)


def tenant(
    tenant_id: UUID, time_zone: str = "Europe/Lisbon", version: int = 1, *, country: str = "PT", seconds: float = 0
) -> TenantChanged:
    """The tenant is there from then on."""
    moment = NOON + timedelta(seconds=seconds)
    named = {"name": "Padaria", "slug": "padaria", "locale": "pt-PT", "legal_regime": "gdpr", "role": "controller"}
    where = {"country": country, "time_zone": time_zone, "version": version, "changed_at": moment}
    return said_at(moment, TenantChanged(tenant_id=tenant_id, **named, **where))


def hours(
    tenant_id: UUID,
    week: dict[str, Any] | None,
    version: int = 1,
    *,
    seconds: float = -86_400,
    queue: UUID | None = None,
    **fields: Any,
) -> BusinessHoursChanged:
    """The hours of the tenant, or of a queue, from then on."""
    moment = NOON + timedelta(seconds=seconds)
    whole = {"queue_id": queue, "week": week, "version": version, "changed_at": moment}
    return said_at(moment, BusinessHoursChanged(tenant_id=tenant_id, **whole, **fields))


async def measure(database: Database) -> None:
    """Measure everything that is due or will be, and what jobs have measured anew."""
    worker = Worker(service.does, database)
    while await worker.do_due():
        pass
    while await handlers.measure_due(database, LATER):
        pass


@dataclass(frozen=True, order=True)
class Told:
    """A measure without the ids, its moments in seconds after noon."""

    metric: str
    cycle: int
    began: float
    ended: float | None
    business: float | None
    queue: str
    agent: str
    labels: tuple[str, ...]


async def measured(database: Database, tenant_id: UUID) -> list[Told]:
    """All that is measured of a tenant."""
    async with database.unit_of_work([tenant_id]) as uow:
        rows: Sequence[Measure] = (await uow.session.scalars(select(Measure))).all()
    return sorted((_told(row) for row in rows), key=repr)


def _told(row: Measure) -> Told:
    return Told(
        row.metric,
        row.cycle,
        (row.began_at - NOON).total_seconds(),
        (row.ended_at - NOON).total_seconds() if row.ended_at else None,
        row.business_seconds,
        str(row.queue_id),
        str(row.agent_id),
        tuple(row.labels),
    )
