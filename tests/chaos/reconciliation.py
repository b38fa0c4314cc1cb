"""Compares what the history, the listeners and the agents' loads say with what was acknowledged and what was sent."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Final

from tests.journeys.provider import Posted

NEVER_ACCEPTED: Final = frozenset({"failed", "unknown"})
"""The states in which a message may stay that the provider does not have."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it stands in the history."""

    id: str
    conversation_id: str
    customer: str
    """His number in digits."""
    direction: str
    seq: int
    sent_at: datetime
    text: str | None
    provider_message_id: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that the provider accepted, as its ledger has it."""

    n: int
    message_id: str
    customer: str


@dataclass(frozen=True, slots=True)
class Routed:
    """Who answers a conversation: as routing decided, and as the history shows it."""

    conversation_id: str
    known: bool
    """Whether routing has heard of it."""
    decided: str | None
    shown: str | None


@dataclass(frozen=True, slots=True)
class Load:
    """What an agent had at one moment."""

    agent_id: str
    capacity: int
    load: int
    """As it is counted with each decision."""
    held: int
    """The weights of what he answers and is offered, added up."""


@dataclass(frozen=True)
class Evidence:
    """All that is known of one scenario once everything has settled."""

    written: Sequence[str]
    """The ids of all that was acknowledged, each customer's in the order in which he wrote."""
    posted: Posted = field(default_factory=Posted)
    answered: Mapping[str, str] = field(default_factory=dict)
    """The texts that an agent was told have been taken, each with its conversation."""
    history: Sequence[Stored] = ()
    counted: Mapping[str, int] = field(default_factory=dict)
    """By conversation, how many messages of customers those who listen have counted."""
    routed: Sequence[Routed] = ()
    accepted: Sequence[Accepted] = ()
    loads: Sequence[Load] = ()
    replayed: AbstractSet[str] = frozenset()
    """What was a dead letter first. It stands where its date puts it, and is numbered when it takes effect: order is
    promised for what takes effect as it comes."""


@dataclass(frozen=True)
class Verdict:
    """What is wrong, each fault in a sentence."""

    lost: Sequence[str]
    duplicated: Sequence[str]
    out_of_order: Sequence[str]
    blindly_resent: Sequence[str]
    over_capacity: Sequence[str]

    @property
    def faults(self) -> Mapping[str, Sequence[str]]:
        """All faults by their kind."""
        return {
            "lost": self.lost,
            "duplicated": self.duplicated,
            "out of order": self.out_of_order,
            "blindly resent": self.blindly_resent,
            "over capacity": self.over_capacity,
        }

    @property
    def is_clean(self) -> bool:
        return not any(self.faults.values())


def missing(evidence: Evidence) -> list[str]:
    """The ids that were acknowledged and are not in the history."""
    there = {message.provider_message_id for message in _inbound(evidence.history)}
    return [id_ for id_ in evidence.written if id_ not in there]


def reconcile(evidence: Evidence) -> Verdict:
    """What is wrong with a scenario; nothing, if all promises were kept."""
    return Verdict(
        lost=[*_lost(evidence), *_unanswered(evidence), *_unheard(evidence), *_unrouted(evidence)],
        duplicated=list(_duplicated(evidence)),
        out_of_order=[*_misnumbered(evidence), *_misplaced(evidence), *_sent_out_of_turn(evidence)],
        blindly_resent=list(_resent(evidence)),
        over_capacity=list(_over_capacity(evidence.loads)),
    )


def _lost(evidence: Evidence) -> Iterator[str]:
    for id_ in missing(evidence):
        yield f"{id_} was acknowledged, and is not in the history"
    said = {(message.conversation_id, message.text) for message in _outbound(evidence.history)}
    for text, conversation_id in evidence.answered.items():
        if (conversation_id, text) not in said:
            yield f"the answer {text!r} was taken, and is not in conversation {conversation_id}"


def _unanswered(evidence: Evidence) -> Iterator[str]:
    accepted = {send.message_id for send in evidence.accepted}
    for message in _outbound(evidence.history):
        if message.id not in accepted and message.status not in NEVER_ACCEPTED:
            yield f"{message.id} is {message.status}, and the provider does not have it"
    known = {message.id for message in evidence.history}
    for send in evidence.accepted:
        if send.message_id not in known:
            yield f"{send.message_id} was sent to {send.customer}, and is not in the history"


def _unheard(evidence: Evidence) -> Iterator[str]:
    for conversation_id, count in _written_in(evidence.history).items():
        missing = count - evidence.counted.get(conversation_id, 0)
        if missing > 0:
            yield f"metrics has not counted {missing} of {count} messages of conversation {conversation_id}"


def _unrouted(evidence: Evidence) -> Iterator[str]:
    routed = {one.conversation_id: one for one in evidence.routed}
    for conversation_id in _written_in(evidence.history):
        one = routed.get(conversation_id)
        if one is None or not one.known:
            yield f"routing does not know conversation {conversation_id}"
        elif one.decided != one.shown:
            yield f"conversation {conversation_id} is with {one.decided}, and shown with {one.shown}"


def _duplicated(evidence: Evidence) -> Iterator[str]:
    ids = Counter(message.provider_message_id for message in _inbound(evidence.history))
    answers = Counter((message.conversation_id, message.text) for message in _outbound(evidence.history))
    for what, count in (*ids.items(), *answers.items()):
        if count > 1:
            yield f"{what} is in the history {count} times"
    for conversation_id, count in _written_in(evidence.history).items():
        counted = evidence.counted.get(conversation_id, 0)
        if counted > count:
            yield f"metrics has counted {counted} messages of conversation {conversation_id}, which has {count}"


def _misnumbered(evidence: Evidence) -> Iterator[str]:
    """What was durable before another was posted has the lower number."""
    for messages in _by_customer(_inbound(evidence.history)).values():
        in_turn = sorted(messages, key=lambda message: message.seq)
        ids = [id_ for message in in_turn if (id_ := message.provider_message_id) in evidence.posted.acknowledged_at]
        for earlier, later in evidence.posted.misplaced([id_ for id_ in ids if id_ not in evidence.replayed]):
            yield f"{later} was durable before {earlier} was posted, and is numbered after it"


def _misplaced(evidence: Evidence) -> Iterator[str]:
    """The history lists what a customer wrote in the order in which he wrote it."""
    place = {id_: number for number, id_ in enumerate(evidence.written)}
    for messages in _by_customer(_inbound(evidence.history)).values():
        listed = sorted(messages, key=lambda message: (message.sent_at, message.seq))
        ids = [id_ for message in listed if (id_ := message.provider_message_id) in place]
        for earlier, later in pairwise(ids):
            if place[earlier] > place[later]:
                yield f"{later} was written before {earlier}, and is listed after it"


def _sent_out_of_turn(evidence: Evidence) -> Iterator[str]:
    """A customer is sent his answers in the order of their numbers."""
    numbers = {message.id: message.seq for message in _outbound(evidence.history)}
    last: dict[str, Accepted] = {}
    for send in sorted(evidence.accepted, key=lambda send: send.n):
        before = last.setdefault(send.customer, send)
        if numbers.get(send.message_id, 0) < numbers.get(before.message_id, 0):
            yield f"{send.message_id} was sent to {send.customer} after {before.message_id}, which is a later answer"
        last[send.customer] = send


def _resent(evidence: Evidence) -> Iterator[str]:
    for message_id, count in Counter(send.message_id for send in evidence.accepted).items():
        if count > 1:
            yield f"{message_id} was accepted {count} times"


def _over_capacity(loads: Iterable[Load]) -> Iterator[str]:
    worst: dict[str, Load] = {}
    for one in loads:
        if max(one.load, one.held) > one.capacity and one.held >= worst.setdefault(one.agent_id, one).held:
            worst[one.agent_id] = one
    for one in worst.values():
        yield f"agent {one.agent_id} has room for {one.capacity}, and had {one.held}, counted as {one.load}"


def _inbound(history: Iterable[Stored]) -> list[Stored]:
    return [message for message in history if message.direction == "inbound"]


def _outbound(history: Iterable[Stored]) -> list[Stored]:
    return [message for message in history if message.direction == "outbound"]


def _by_customer(messages: Iterable[Stored]) -> Mapping[str, list[Stored]]:
    found: dict[str, list[Stored]] = defaultdict(list)
    for message in messages:
        found[message.customer].append(message)
    return found


def _written_in(history: Iterable[Stored]) -> Counter[str]:
    return Counter(message.conversation_id for message in _inbound(history))
