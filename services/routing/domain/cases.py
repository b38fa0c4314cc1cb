"""A conversation as routing sees it, and what each event and each decision makes of it."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple, Protocol
from uuid import UUID

OPEN: Final = "open"
RESOLVED: Final = "resolved"

_DEFAULT_QUEUES: Final[Mapping[str, str]] = {"pt-BR": "Geral", "pt-PT": "Geral", "fr": "Général"}


def default_queue(locale: str) -> str:
    """How the queue is called that every tenant has, in the tenant's language."""
    return _DEFAULT_QUEUES.get(locale, "General")


_WEIGHTS: Final[Mapping[str, int]] = {"voice": 3}


def weight_of(channel_kind: str) -> int:
    """How much of an agent's capacity a conversation takes: a call fills most agents, a message one place."""
    return _WEIGHTS.get(channel_kind, 1)


class Case(NamedTuple):
    """A conversation as routing sees it, at the moment of the latest thing heard of it."""

    conversation_id: UUID
    tenant_id: UUID
    contact_id: UUID
    channel_id: UUID
    channel_kind: str
    weight: int
    told_at: datetime
    status: str = OPEN
    waiting_since: datetime | None = None
    """Since when the customer waits for an answer."""
    queue_id: UUID | None = None
    queued_at: datetime | None = None
    """Since when it waits for an agent; kept while one answers, so that what is taken back keeps its age."""
    agent_id: UUID | None = None
    assigned_at: datetime | None = None
    last_agent_id: UUID | None = None
    """Who answered before, and is asked first when it goes on."""
    offer_id: UUID | None = None
    offered_to: UUID | None = None
    """Who is asked just now."""
    closed_at: datetime | None = None
    greeted_at: datetime | None = None
    away_told_at: datetime | None = None
    """When the customer was told last that nobody is there."""
    refused_by: frozenset[UUID] = frozenset()
    """Who declined it or gave it back: they are not asked again while it is open."""
    missed_by: frozenset[UUID] = frozenset()
    """Who let an offer of it expire: they are asked after all others."""

    @property
    def in_line(self) -> bool:
        """Whether it waits for an agent; one who is asked only does not end that."""
        return self.status == OPEN and self.agent_id is None

    @property
    def holder(self) -> UUID | None:
        """Whose capacity it takes: that of who answers, or of who is asked."""
        return self.agent_id or self.offered_to

    @property
    def refusals(self) -> frozenset[UUID]:
        """Who did not take it."""
        return self.refused_by | self.missed_by


class Told(Protocol):
    """What every event of a conversation tells of it."""

    @property
    def tenant_id(self) -> UUID: ...
    @property
    def conversation_id(self) -> UUID: ...
    @property
    def contact_id(self) -> UUID: ...
    @property
    def channel_id(self) -> UUID: ...
    @property
    def channel_kind(self) -> str: ...


def first_heard(told: Told, at: datetime) -> Case:
    """An open conversation that nobody answers yet, whichever event is the first that is heard of it."""
    return Case(
        told.conversation_id,
        told.tenant_id,
        told.contact_id,
        told.channel_id,
        told.channel_kind,
        weight_of(told.channel_kind),
        told_at=at,
    )


def written(case: Case, direction: str, author_kind: str | None, sent_at: datetime) -> Case:
    """A customer who writes waits from then on, unless he did before; an answer ends the waiting.

    What Balcão says by itself is no answer.
    """
    if direction == "inbound":
        return reopened(case, sent_at)
    return case if author_kind == "system" else case._replace(waiting_since=None)


def changed(case: Case, status: str, at: datetime) -> Case:
    """Asked back, the customer waits no more; put off, he waits as before once it goes on."""
    if status == case.status:
        return case
    if status == RESOLVED:
        return resolved(case, at)
    case = _going_on(case)._replace(status=status)
    if status == "pending":
        case = case._replace(waiting_since=None, queued_at=None)
    return case if status == OPEN else unoffered(case)


def reopened(case: Case, at: datetime) -> Case:
    """It goes on, and waits again until it is answered."""
    case = _going_on(case)
    return case if case.waiting_since else case._replace(waiting_since=at)


def _going_on(case: Case) -> Case:
    if case.status == OPEN and case.closed_at is None and (case.agent_id or case.assigned_at is None):
        return case
    return case._replace(status=OPEN, closed_at=None, assigned_at=case.assigned_at if case.agent_id else None)


def resolved(case: Case, at: datetime) -> Case:
    """Nobody waits in a resolved conversation, and nobody answers it."""
    return unoffered(case)._replace(
        status=RESOLVED,
        closed_at=at,
        waiting_since=None,
        queued_at=None,
        agent_id=None,
        last_agent_id=case.agent_id or case.last_agent_id,
        refused_by=frozenset(),
        missed_by=frozenset(),
    )


class ChoosableQueue(Protocol):
    """What is to be known of a queue to choose it."""

    @property
    def id(self) -> UUID: ...
    @property
    def priority(self) -> int: ...
    @property
    def channel_ids(self) -> Collection[UUID]: ...


def queue_for(case: Case, queues: Iterable[ChoosableQueue]) -> UUID:
    """The queue of the case's channel, the most urgent of its tenant's if there are several, else the default one.

    The default queue has the id of its tenant, so that conversations can wait in it before anything is known of either.
    """
    own = [queue for queue in queues if case.channel_id in queue.channel_ids]
    return min(own, key=lambda queue: (-queue.priority, queue.id)).id if own else case.tenant_id


def offered_to(case: Case, agent_id: UUID, offer_id: UUID) -> Case:
    """An agent is asked, and nobody else meanwhile."""
    return case._replace(offer_id=offer_id, offered_to=agent_id)


def unoffered(case: Case) -> Case:
    """Nobody is asked."""
    if case.offer_id is None and case.offered_to is None:
        return case
    return case._replace(offer_id=None, offered_to=None)


def answered_by(case: Case, agent_id: UUID, at: datetime) -> Case:
    """An agent answers from then on, and nobody else."""
    return unoffered(case)._replace(agent_id=agent_id, assigned_at=at, last_agent_id=agent_id)


def taken_back(case: Case) -> Case:
    """Nobody answers it, and nobody is asked; whoever did is asked first should he be there again."""
    return unoffered(case)._replace(agent_id=None, assigned_at=None)


def given_back(case: Case) -> Case:
    """Taken back from one who does not want it, so that he is not asked again."""
    refused = case.refused_by | ({case.holder} if case.holder else set())
    return taken_back(case)._replace(refused_by=frozenset(refused), missed_by=case.missed_by - refused)


def let_pass(case: Case) -> Case:
    """Taken back from one who let the offer expire: he is asked after all others."""
    missed = case.missed_by | ({case.offered_to} if case.offered_to else set())
    return unoffered(case)._replace(missed_by=frozenset(missed))
