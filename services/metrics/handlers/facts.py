"""What metrics does with what it hears: it writes down facts, and when and where tenants were open."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.metrics import store
from services.metrics.domain import Fact, FactKind
from services.metrics.models import BusinessHours, Tenant
from shared.db import Job, UnitOfWork
from shared.events import Event
from shared.events.conversation import (
    ConversationChanged,
    ConversationOpened,
    ConversationReopened,
    ConversationResolved,
    MessageAdded,
    OfConversation,
)
from shared.events.gateway import TenantChanged
from shared.events.routing import (
    BusinessHoursChanged,
    ConversationAssigned,
    ConversationQueued,
    ConversationUnassigned,
    OfCase,
)

PORTION: Final = 5_000


class MeasureAgain(Job):
    """What a tenant's conversations are measured by was told late, or holds from now on."""

    type = "metrics.measure-again"

    since: datetime | None
    """None when it concerns everything that ever happened."""
    after: UUID | None = None
    """The conversation that was reached, by its id."""


async def write_facts(events: Sequence[OfConversation | OfCase], uow: UnitOfWork) -> None:
    """Write down what happened, whatever it was, and have the conversations measured soon."""
    await store.log_facts([_FACTS[type(event)](event) for event in events], uow.now, uow.session)


async def keep_hours(events: Sequence[BusinessHoursChanged], uow: UnitOfWork) -> None:
    """Keep the hours as they were, beside those before; what happened since they changed is measured by them."""
    rows = [
        BusinessHours(
            event_id=event.envelope.id,
            **event.model_dump(
                include={"tenant_id", "queue_id", "version", "week", "exceptions", "holidays", "changed_at"}
            ),
        )
        for event in events
    ]
    await store.keep_hours(rows, uow.session)
    for event in events:
        _measure_again(event.tenant_id, event.changed_at, uow)


async def know_tenants(events: Sequence[TenantChanged], uow: UnitOfWork) -> None:
    """Keep where each tenant is, beside where it was before; what happened since it moved is measured by that."""
    known = await store.first_versions({event.tenant_id for event in events}, uow.session)
    rows = [
        Tenant(
            tenant_id=event.tenant_id,
            version=event.version,
            time_zone=event.time_zone,
            country=event.country,
            changed_at=event.changed_at,
        )
        for event in events
    ]
    await store.know_tenants(rows, uow.session)
    for event in events:
        first = known.get(event.tenant_id)
        # Where a tenant was first, it is taken to have been ever before.
        _measure_again(event.tenant_id, None if first is None or event.version < first else event.changed_at, uow)


async def measure_again(job: MeasureAgain, uow: UnitOfWork, *, portion: int = PORTION) -> None:
    """Have a portion of the conversations measured that it concerns, and leave the rest for later.

    After the commit of what was told, and not with it: whoever was measuring meanwhile did not know it yet.
    """
    last = await store.mark_concerned(job.tenant_id, job.since, job.after, uow.now, uow.session, most=portion)
    if last is not None:
        uow.schedule(job.model_copy(update={"after": last}), key=store.marking_key(job.tenant_id), due_at=uow.now)


def _measure_again(tenant_id: UUID, since: datetime | None, uow: UnitOfWork) -> None:
    uow.schedule(MeasureAgain(tenant_id=tenant_id, since=since), key=store.marking_key(tenant_id), due_at=uow.now)


def _fact(
    event: OfConversation | OfCase, kind: FactKind, *, happened_at: datetime | None = None, **fields: Any
) -> Fact:
    """What happened when it was told: its time was taken under the lock of the conversation, in the order of commits.

    The times that events tell by themselves are those at which a transaction began.
    """
    return Fact(
        event_id=event.envelope.id,
        tenant_id=event.tenant_id,
        kind=kind,
        conversation_id=event.conversation_id,
        channel_id=event.channel_id,
        channel_kind=event.channel_kind if isinstance(event, OfConversation) else None,
        happened_at=happened_at or event.envelope.occurred_at,
        **fields,
    )


def _kind_of(event: MessageAdded) -> FactKind:
    if event.direction == "inbound":
        return FactKind.MESSAGE_RECEIVED
    return FactKind.AUTOMATIC_MESSAGE_SENT if event.author_kind == "system" else FactKind.MESSAGE_SENT


def _author(event: MessageAdded) -> UUID | None:
    """The agent or key that wrote it, if one did."""
    if event.author_kind != "agent" or event.author_id is None:
        return None
    try:
        return UUID(event.author_id)
    except ValueError:
        return None


def _message(event: MessageAdded) -> Fact:
    """A message counts when it was sent; a provider's clock that is ahead is not believed."""
    happened_at = min(event.sent_at, event.envelope.occurred_at)
    return _fact(event, _kind_of(event), agent_id=_author(event), happened_at=happened_at)


def _change(event: ConversationChanged) -> Fact:
    """How a conversation is labelled from then on, and whether it is open."""
    return _fact(event, FactKind.CONVERSATION_CHANGED, labels=event.labels, status=event.status)


def _queueing(event: ConversationQueued) -> Fact:
    """In which queue a conversation is from then on; since when it waits is told by what it is and who answers it."""
    return _fact(event, FactKind.CONVERSATION_QUEUED, queue_id=event.queue_id)


def _assignment(event: ConversationAssigned) -> Fact:
    """An agent answers from then on."""
    return _fact(event, FactKind.CONVERSATION_ASSIGNED, queue_id=event.queue_id, agent_id=event.agent_id)


def _withdrawal(event: ConversationUnassigned) -> Fact:
    """An agent answers no more: another does, or nobody."""
    reassigned = event.reason == "reassigned"
    kind = FactKind.CONVERSATION_REASSIGNED if reassigned else FactKind.CONVERSATION_UNASSIGNED
    return _fact(event, kind, agent_id=event.agent_id)


_FACTS: Final[Mapping[type[Event], Callable[[Any], Fact]]] = {
    MessageAdded: _message,
    ConversationOpened: lambda event: _fact(event, FactKind.CONVERSATION_OPENED),
    ConversationReopened: lambda event: _fact(event, FactKind.CONVERSATION_REOPENED, labels=event.labels),
    ConversationResolved: lambda event: _fact(event, FactKind.CONVERSATION_RESOLVED, labels=event.labels),
    ConversationChanged: _change,
    ConversationQueued: _queueing,
    ConversationAssigned: _assignment,
    ConversationUnassigned: _withdrawal,
}
"""How each is written down."""
