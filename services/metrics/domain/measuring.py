"""What the facts of one conversation come to: its cycles, and how long things took in each."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from services.metrics.domain.calendar import Calendar
from services.metrics.domain.facts import Fact, FactKind, in_order
from services.metrics.domain.figures import FIGURES, Kind, Metric


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
    """None for the one in which the conversation waited last."""


@dataclass(slots=True)
class _Cycle:
    """From when a conversation begins, or goes on, until it is resolved."""

    number: int
    labels: tuple[str, ...] = ()
    began: Fact | None = None
    """None of a conversation of which only others have told."""
    written_at: datetime | None = None
    """When the customer wrote first."""
    unanswered_since: datetime | None = None
    replied: bool = False
    replied_automatically: bool = False
    queue_id: UUID | None = None
    """In which it waited last."""
    agent_id: UUID | None = None
    """Who answered last."""
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
        """What began then ends with this fact."""
        self.drafts.append(_Draft(metric, fact, since, agent_id, queue_id))


class _Story:
    """A conversation as it is known so far, its facts told in the order in which they happened."""

    def __init__(self) -> None:
        self.cycles = [_Cycle(1)]
        self._waiting_since: datetime | None = None
        self._assigned: Fact | None = None

    def opened(self, fact: Fact) -> None:
        self._going_on(fact).count(Metric.CONVERSATIONS_OPENED, fact)

    def reopened(self, fact: Fact) -> None:
        cycle = self._going_on(fact)
        cycle.count(Metric.CONVERSATIONS_REOPENED, fact)
        self.changed(fact)

    def changed(self, fact: Fact) -> None:
        if fact.labels is not None:
            self._cycle.labels = tuple(fact.labels)

    def received(self, fact: Fact) -> None:
        # Who writes in a resolved conversation does so a moment before it is reopened for it.
        cycle = self._going_on(fact)
        cycle.written_at = cycle.written_at or fact.happened_at
        cycle.unanswered_since = cycle.unanswered_since or fact.happened_at

    def replied(self, fact: Fact) -> None:
        cycle = self._answered(fact)
        if cycle is None:
            return
        if not cycle.replied:
            cycle.end(Metric.FIRST_REPLY_TIME, _beginning(cycle, fact), fact, fact.agent_id)
        elif cycle.unanswered_since is not None:
            cycle.end(Metric.NEXT_REPLY_TIME, cycle.unanswered_since, fact, fact.agent_id)
        cycle.replied, cycle.unanswered_since = True, None

    def replied_automatically(self, fact: Fact) -> None:
        cycle = self._answered(fact)
        if cycle is not None and not cycle.replied_automatically:
            cycle.end(Metric.FIRST_AUTOMATIC_REPLY_TIME, _beginning(cycle, fact), fact)
            cycle.replied_automatically = True

    def queued(self, fact: Fact) -> None:
        self._cycle.queue_id = fact.queue_id
        self._waiting_since = fact.happened_at

    def assigned(self, fact: Fact) -> None:
        cycle = self._cycle
        cycle.queue_id = fact.queue_id or cycle.queue_id
        if self._waiting_since is not None:
            cycle.end(Metric.WAITING_TIME, self._waiting_since, fact, queue_id=cycle.queue_id)
        self._let_go(fact)
        self._waiting_since, self._assigned, cycle.agent_id = None, fact, fact.agent_id

    def unassigned(self, fact: Fact) -> None:
        if self._assigned is not None and self._assigned.agent_id == fact.agent_id:
            self._let_go(fact)

    def taken_back(self, fact: Fact) -> None:
        self.unassigned(fact)
        self._waiting_since = fact.happened_at

    def resolved(self, fact: Fact) -> None:
        cycle = self._cycle
        cycle.count(Metric.CONVERSATIONS_RESOLVED, fact, cycle.agent_id)
        if cycle.began is not None and cycle.ended_at is None:
            cycle.end(Metric.RESOLUTION_TIME, _beginning(cycle, fact), fact, cycle.agent_id)
            cycle.ended_at = fact.happened_at
        self._let_go(fact)
        self._waiting_since = None
        self.changed(fact)

    @property
    def _cycle(self) -> _Cycle:
        return self.cycles[-1]

    def _going_on(self, fact: Fact) -> _Cycle:
        """The cycle that is not over; a new one when the last is."""
        if self._cycle.ended_at is not None:
            self.cycles.append(_Cycle(self._cycle.number + 1, self._cycle.labels))
        self._cycle.began = self._cycle.began or fact
        return self._cycle

    def _answered(self, fact: Fact) -> _Cycle | None:
        """The cycle in which an answer counts; none once it is over."""
        return self._going_on(fact) if self._cycle.ended_at is None else None

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
    FactKind.CONVERSATION_UNASSIGNED: _Story.unassigned,
    FactKind.CONVERSATION_TAKEN_BACK: _Story.taken_back,
}


def _beginning(cycle: _Cycle, fact: Fact) -> datetime:
    """When the customer wrote first, else when it began."""
    return cycle.written_at or (cycle.began or fact).happened_at


def _measures(cycle: _Cycle, calendar: Calendar) -> Iterator[Measure]:
    for draft in cycle.drafts:
        yield _measure(draft, draft.fact.happened_at, cycle, calendar)
    if cycle.began is not None:
        unresolved = _Draft(Metric.BACKLOG, cycle.began, cycle.began.happened_at, None, None)
        yield _measure(unresolved, cycle.ended_at, cycle, calendar)


def _measure(draft: _Draft, ended_at: datetime | None, cycle: _Cycle, calendar: Calendar) -> Measure:
    fact, queue_id = draft.fact, draft.queue_id or cycle.queue_id
    lasted = FIGURES[draft.metric].kind is Kind.DURATION and ended_at is not None
    return Measure(
        fact_id=fact.event_id,
        metric=draft.metric,
        tenant_id=fact.tenant_id,
        conversation_id=fact.conversation_id,
        cycle=cycle.number,
        began_at=draft.began_at,
        ended_at=ended_at,
        business_seconds=calendar.open_seconds(queue_id, draft.began_at, ended_at) if lasted and ended_at else None,
        channel_id=fact.channel_id,
        queue_id=queue_id,
        agent_id=draft.agent_id,
        labels=cycle.labels,
    )
