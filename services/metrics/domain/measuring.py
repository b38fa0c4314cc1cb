"""What the facts of one conversation come to: its cycles, and how long things took in each."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from services.metrics.domain.calendar import Calendar
from services.metrics.domain.facts import Fact, FactKind, in_order
from services.metrics.domain.figures import FIGURES, Metric

_OPEN: Final = "open"
_RESOLVED: Final = "resolved"


class Measure(NamedTuple):
    """What one conversation adds to a figure: something that took from one moment to another, or happened at one."""

    fact_id: UUID
    """The fact that it ends with; of a stock, the one that it begins with."""
    metric: Metric
    tenant_id: UUID
    conversation_id: UUID
    cycle: int
    """1 at first, and one more each time that the conversation is reopened."""
    began_at: datetime
    ended_at: datetime | None
    """None of what goes on."""
    business_seconds: float | None
    """How much of a duration it was open."""
    channel_id: UUID
    queue_id: UUID | None
    agent_id: UUID | None
    labels: tuple[str, ...]
    """Those that the conversation had at the end of the cycle, or has now."""


def measures_of(facts: Iterable[Fact], calendar: Calendar) -> set[Measure]:
    """All measures of a conversation, whatever the order in which its facts are given; none is ever negative."""
    story = _Story()
    for fact in sorted(facts, key=in_order):
        _TOLD[fact.kind](story, fact)
    return {measure for cycle in story.cycles for measure in _measures(cycle, calendar)}


class _Draft(NamedTuple):
    """A measure as it is known before its cycle is over."""

    metric: Metric
    fact: Fact
    began_at: datetime
    agent_id: UUID | None
    queue_id: UUID | None
    """None for the one in which the conversation is last in this cycle."""


@dataclass(slots=True)
class _Cycle:
    """From when a conversation begins, or goes on, until it is resolved."""

    number: int
    labels: tuple[str, ...] = ()
    began: Fact | None = None
    """None of a conversation of which it was not told yet that it began."""
    written_at: datetime | None = None
    """When the customer wrote first."""
    unanswered_since: datetime | None = None
    replied: bool = False
    replied_automatically: bool = False
    queue_id: UUID | None = None
    """In which it was last."""
    agent_id: UUID | None = None
    """To whom it was given last."""
    ended_at: datetime | None = None
    drafts: list[_Draft] = field(default_factory=list)

    def count(self, metric: Metric, fact: Fact, agent_id: UUID | None = None) -> None:
        self.end(metric, fact.happened_at, fact, agent_id)

    def end(
        self,
        metric: Metric,
        since: datetime,
        fact: Fact,
        agent_id: UUID | None = None,
        queue_id: UUID | None = None,
    ) -> None:
        """What began then ends with this fact, in this queue or else in the one in which it is just now."""
        self.drafts.append(_Draft(metric, fact, since, agent_id, queue_id or self.queue_id))

    def write(self, at: datetime) -> None:
        """The customer writes."""
        self.written_at = self.written_at or at
        self.unanswered_since = self.unanswered_since or at


class _Story:
    """A conversation as it is known so far, its facts told in the order in which they happened."""

    def __init__(self) -> None:
        self.cycles = [_Cycle(1)]
        self._status = _OPEN
        self._written_at: datetime | None = None
        """When the customer wrote first after it was resolved: a moment before it is reopened for that."""
        self._waiting_since: datetime | None = None
        self._assigned: Fact | None = None

    def opened(self, fact: Fact) -> None:
        self._begin(Metric.CONVERSATIONS_OPENED, fact)

    def reopened(self, fact: Fact) -> None:
        if self._cycle.ended_at is not None:
            self.cycles.append(_Cycle(self._cycle.number + 1, self._cycle.labels))
        if self._written_at is not None:
            self._cycle.write(self._written_at)
        self._status, self._written_at = _OPEN, None
        self._label(fact)
        self._begin(Metric.CONVERSATIONS_REOPENED, fact)

    def changed(self, fact: Fact) -> None:
        self._status = fact.status or self._status
        self._label(fact)
        self._wait(fact)

    def resolved(self, fact: Fact) -> None:
        cycle = self._cycle
        cycle.count(Metric.CONVERSATIONS_RESOLVED, fact, cycle.agent_id)
        if cycle.began is not None and cycle.ended_at is None:
            cycle.end(Metric.RESOLUTION_TIME, cycle.written_at or cycle.began.happened_at, fact, cycle.agent_id)
            cycle.ended_at = fact.happened_at
        self._let_go(fact)
        self._status = _RESOLVED
        self._label(fact)
        self._wait(fact)

    def received(self, fact: Fact) -> None:
        if self._status == _RESOLVED:
            self._written_at = self._written_at or fact.happened_at
        else:
            self._cycle.write(fact.happened_at)

    def replied(self, fact: Fact) -> None:
        cycle = self._cycle
        if self._status != _RESOLVED and cycle.unanswered_since is not None:
            metric = Metric.NEXT_REPLY_TIME if cycle.replied else Metric.FIRST_REPLY_TIME
            cycle.end(metric, cycle.unanswered_since, fact, fact.agent_id)
            cycle.replied, cycle.unanswered_since = True, None

    def replied_automatically(self, fact: Fact) -> None:
        cycle = self._cycle
        if self._status != _RESOLVED and cycle.written_at is not None and not cycle.replied_automatically:
            cycle.end(Metric.FIRST_AUTOMATIC_REPLY_TIME, cycle.written_at, fact)
            cycle.replied_automatically = True

    # Routing hears later that a conversation is resolved: what it decides of one that is concerns nobody.

    def queued(self, fact: Fact) -> None:
        if self._status != _RESOLVED:
            self._cycle.queue_id = fact.queue_id
            self._wait(fact)

    def assigned(self, fact: Fact) -> None:
        if self._status == _RESOLVED:
            return
        cycle = self._cycle
        cycle.queue_id = fact.queue_id or cycle.queue_id
        if self._waiting_since is not None:
            cycle.end(Metric.WAITING_TIME, self._waiting_since, fact)
        self._let_go(fact)
        self._waiting_since, self._assigned, cycle.agent_id = None, fact, fact.agent_id

    def reassigned(self, fact: Fact) -> None:
        if self._assigned is not None and self._assigned.agent_id == fact.agent_id:
            self._let_go(fact)

    def unassigned(self, fact: Fact) -> None:
        self.reassigned(fact)
        self._wait(fact)

    @property
    def _cycle(self) -> _Cycle:
        return self.cycles[-1]

    def _begin(self, metric: Metric, fact: Fact) -> None:
        self._cycle.began = self._cycle.began or fact
        self._cycle.count(metric, fact)
        self._wait(fact)

    def _label(self, fact: Fact) -> None:
        if fact.labels is not None:
            self._cycle.labels = tuple(fact.labels)

    def _wait(self, fact: Fact) -> None:
        """It waits from now on, unless it did before, if it is open and nobody answers it; else it waits no more."""
        waits = self._status == _OPEN and self._assigned is None
        self._waiting_since = (self._waiting_since or fact.happened_at) if waits else None

    def _let_go(self, fact: Fact) -> None:
        given, self._assigned = self._assigned, None
        if given is not None:
            self._cycle.end(Metric.HANDLING_TIME, given.happened_at, fact, given.agent_id, given.queue_id)


_TOLD: Final[Mapping[FactKind, Callable[[_Story, Fact], None]]] = {
    FactKind.CONVERSATION_OPENED: _Story.opened,
    FactKind.CONVERSATION_REOPENED: _Story.reopened,
    FactKind.CONVERSATION_CHANGED: _Story.changed,
    FactKind.CONVERSATION_RESOLVED: _Story.resolved,
    FactKind.MESSAGE_RECEIVED: _Story.received,
    FactKind.MESSAGE_SENT: _Story.replied,
    FactKind.AUTOMATIC_MESSAGE_SENT: _Story.replied_automatically,
    FactKind.CONVERSATION_QUEUED: _Story.queued,
    FactKind.CONVERSATION_ASSIGNED: _Story.assigned,
    FactKind.CONVERSATION_REASSIGNED: _Story.reassigned,
    FactKind.CONVERSATION_UNASSIGNED: _Story.unassigned,
}


def _measures(cycle: _Cycle, calendar: Calendar) -> Iterator[Measure]:
    for draft in cycle.drafts:
        yield _measure(draft, draft.fact.happened_at, cycle, calendar)
    if cycle.began is not None:
        unresolved = _Draft(Metric.BACKLOG, cycle.began, cycle.began.happened_at, None, None)
        yield _measure(unresolved, cycle.ended_at, cycle, calendar)


def _measure(draft: _Draft, ended_at: datetime | None, cycle: _Cycle, calendar: Calendar) -> Measure:
    fact, queue_id = draft.fact, draft.queue_id or cycle.queue_id
    lasts = FIGURES[draft.metric].lasts
    return Measure(
        fact_id=fact.event_id,
        metric=draft.metric,
        tenant_id=fact.tenant_id,
        conversation_id=fact.conversation_id,
        cycle=cycle.number,
        began_at=draft.began_at,
        ended_at=ended_at,
        business_seconds=calendar.open_seconds(queue_id, draft.began_at, ended_at) if lasts and ended_at else None,
        channel_id=fact.channel_id,
        queue_id=queue_id,
        agent_id=draft.agent_id,
        labels=cycle.labels,
    )
