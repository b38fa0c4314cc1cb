"""What the facts of a conversation come to, in whatever order they are told."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics.domain import Calendar, Fact, FactKind, Measure, Metric, measures_of
from shared.ids import new_id
from tests.services.metrics.stories import ANA, REPAIRS, RUI, SALES
from tests.support.events import NOON

TENANT, CONVERSATION, CHANNEL = new_id(), new_id(), new_id()
NO_HOURS = Calendar()


def fact(kind: FactKind, seconds: float, **fields: Any) -> Fact:
    return Fact(new_id(), TENANT, kind, CONVERSATION, CHANNEL, NOON + timedelta(seconds=seconds), **fields)


def opened(at: float) -> Fact:
    return fact(FactKind.CONVERSATION_OPENED, at)


def reopened(at: float, *labels: str) -> Fact:
    return fact(FactKind.CONVERSATION_REOPENED, at, labels=labels or None)


def resolved(at: float, *labels: str) -> Fact:
    return fact(FactKind.CONVERSATION_RESOLVED, at, labels=labels or None)


def wrote(at: float) -> Fact:
    return fact(FactKind.MESSAGE_RECEIVED, at)


def replied(at: float, agent: UUID | None = ANA) -> Fact:
    return fact(FactKind.MESSAGE_SENT, at, agent_id=agent)


def bot(at: float) -> Fact:
    return fact(FactKind.AUTOMATIC_MESSAGE_SENT, at)


def labelled(at: float, *labels: str) -> Fact:
    return fact(FactKind.CONVERSATION_CHANGED, at, labels=labels)


def queued(at: float, queue: UUID = SALES) -> Fact:
    return fact(FactKind.CONVERSATION_QUEUED, at, queue_id=queue)


def assigned(at: float, agent: UUID = ANA, queue: UUID | None = SALES) -> Fact:
    return fact(FactKind.CONVERSATION_ASSIGNED, at, agent_id=agent, queue_id=queue)


def unassigned(at: float, agent: UUID = ANA) -> Fact:
    return fact(FactKind.CONVERSATION_UNASSIGNED, at, agent_id=agent)


def taken_back(at: float, agent: UUID = ANA) -> Fact:
    return fact(FactKind.CONVERSATION_TAKEN_BACK, at, agent_id=agent)


def lasting(facts: Sequence[Fact], metric: Metric) -> list[tuple[int, float]]:
    """The cycle and the seconds of each, by their ends."""
    found = [measure for measure in measures_of(facts, NO_HOURS) if measure.metric is metric]
    return [
        (measure.cycle, (measure.ended_at - measure.began_at).total_seconds())
        for measure in sorted(found, key=lambda measure: measure.ended_at or NOON)
        if measure.ended_at is not None
    ]


FIRST, NEXT, BOT = Metric.FIRST_REPLY_TIME, Metric.NEXT_REPLY_TIME, Metric.FIRST_AUTOMATIC_REPLY_TIME
WAITING, HANDLING, RESOLUTION = Metric.WAITING_TIME, Metric.HANDLING_TIME, Metric.RESOLUTION_TIME

STORIES: dict[str, tuple[list[Fact], Metric, list[tuple[int, float]]]] = {
    "the first reply is to the customer's first word": ([opened(2), wrote(1), wrote(5), replied(9)], FIRST, [(1, 8)]),
    "and there is one": ([opened(1), wrote(1), replied(2), replied(3)], FIRST, [(1, 1)]),
    "where the customer wrote nothing, to the opening": ([opened(1), replied(4)], FIRST, [(1, 3)]),
    "what Balcão says is no reply": ([opened(1), wrote(1), bot(2), replied(9)], FIRST, [(1, 8)]),
    "but stands apart": ([opened(1), wrote(1), bot(2), replied(9), bot(10)], BOT, [(1, 1)]),
    "who wrote in another app is human": ([opened(1), wrote(1), replied(4, None)], FIRST, [(1, 3)]),
    "a next reply is to the first of several messages": (
        [opened(1), wrote(1), replied(2), wrote(3), wrote(5), bot(6), replied(9), replied(10), wrote(20), replied(21)],
        NEXT,
        [(1, 6), (1, 1)],
    ),
    "what nobody asked for is no next reply": ([opened(1), wrote(1), replied(2), replied(3)], NEXT, []),
    "reopened, the first reply is told anew": (
        [opened(1), wrote(1), replied(2), resolved(5), wrote(10), reopened(11), replied(14)],
        FIRST,
        [(1, 1), (2, 4)],
    ),
    "from the reopening, where the customer wrote nothing": (
        [opened(1), wrote(1), replied(2), resolved(5), reopened(11), replied(14)],
        FIRST,
        [(1, 1), (2, 3)],
    ),
    "what was unanswered when it was resolved stays so": (
        [opened(1), wrote(1), replied(2), wrote(3), resolved(5), reopened(11), replied(14), wrote(20), replied(22)],
        NEXT,
        [(2, 2)],
    ),
    "what is said in a resolved conversation is no reply": ([opened(1), wrote(1), resolved(5), replied(6)], FIRST, []),
    "a resolution is from the first word": ([opened(2), wrote(1), resolved(5)], RESOLUTION, [(1, 4)]),
    "and told once": ([opened(2), wrote(1), resolved(5), resolved(6)], RESOLUTION, [(1, 4)]),
    "in each cycle": ([opened(1), resolved(5), reopened(7), resolved(8)], RESOLUTION, [(1, 4), (2, 1)]),
    "waiting ends with an agent": ([opened(1), queued(1), assigned(4)], WAITING, [(1, 3)]),
    "it goes on in another queue": ([opened(1), queued(1), queued(1, REPAIRS), assigned(4)], WAITING, [(1, 3)]),
    "put off, it begins anew": ([opened(1), queued(1), queued(10), assigned(12)], WAITING, [(1, 2)]),
    "taken back, it waits again from then on, whatever its age": (
        [opened(1), queued(1), assigned(4), taken_back(10), queued(1), assigned(15, RUI)],
        WAITING,
        [(1, 3), (1, 5)],
    ),
    "resolved, nobody waits": ([opened(1), queued(1), resolved(5), assigned(9)], WAITING, []),
    "handling ends when the agent is let go": ([opened(1), assigned(2), unassigned(9)], HANDLING, [(1, 7)]),
    "or when it is resolved, which routing hears later": (
        [opened(1), assigned(2), resolved(9), unassigned(9.5)],
        HANDLING,
        [(1, 7)],
    ),
    "or when another is given it": (
        [opened(1), assigned(2), unassigned(5), assigned(5, RUI), resolved(9)],
        HANDLING,
        [(1, 3), (1, 4)],
    ),
    "of an agent who is let go by mistake nothing ends": ([opened(1), assigned(2, RUI), unassigned(4)], HANDLING, []),
    "who is given what is resolved had it for a moment": (
        [opened(1), resolved(5), assigned(5.25), unassigned(5.5)],
        HANDLING,
        [(1, 0.25)],
    ),
    "what others tell of begins nothing": ([queued(1), assigned(2), labelled(3, "vip"), resolved(4)], RESOLUTION, []),
}


@pytest.mark.parametrize(("facts", "metric", "expected"), STORIES.values(), ids=STORIES)
def test_how_long_things_take(facts: list[Fact], metric: Metric, expected: list[tuple[int, float]]) -> None:
    assert lasting(facts, metric) == expected


def only(facts: Sequence[Fact], metric: Metric) -> Measure:
    (measure,) = (measure for measure in measures_of(facts, NO_HOURS) if measure.metric is metric)
    return measure


def test_a_measure_is_of_who_did_it_and_where() -> None:
    facts = [opened(1), wrote(1), queued(1), assigned(2, RUI, REPAIRS), replied(3, ANA), resolved(5)]
    assert (only(facts, WAITING).queue_id, only(facts, WAITING).agent_id) == (REPAIRS, None)
    assert (only(facts, HANDLING).queue_id, only(facts, HANDLING).agent_id) == (REPAIRS, RUI)
    assert (only(facts, FIRST).queue_id, only(facts, FIRST).agent_id) == (REPAIRS, ANA)
    assert only(facts, RESOLUTION).agent_id == only(facts, Metric.CONVERSATIONS_RESOLVED).agent_id == RUI
    assert {measure.channel_id for measure in measures_of(facts, NO_HOURS)} == {CHANNEL}


def test_labels_are_those_at_the_end_of_the_cycle() -> None:
    facts = [opened(1), wrote(1), replied(2), labelled(3, "bread"), resolved(5, "bread", "late"), labelled(6, "late")]
    assert only(facts, FIRST).labels == ("late",)
    again = [*facts, reopened(9), wrote(9), labelled(10)]
    labels = {measure.cycle: measure.labels for measure in measures_of(again, NO_HOURS)}
    assert labels == {1: ("late",), 2: ()}
    assert {measure.labels for measure in measures_of([*again[:-1], resolved(11)], NO_HOURS)} == {("late",)}


def test_the_backlog_is_what_began_and_was_not_resolved() -> None:
    facts = [opened(1), wrote(0.5), resolved(5), reopened(9)]
    backlog = [measure for measure in measures_of(facts, NO_HOURS) if measure.metric is Metric.BACKLOG]
    spans = sorted((one.began_at, one.ended_at) for one in backlog if one.ended_at)
    assert spans == [(NOON + timedelta(seconds=0.5), NOON + timedelta(seconds=5))]
    assert [one.began_at for one in backlog if one.ended_at is None] == [NOON + timedelta(seconds=9)]


SOME_FACTS = st.lists(
    st.builds(
        fact,
        st.sampled_from(FactKind),
        st.integers(0, 12),
        queue_id=st.sampled_from([SALES, REPAIRS, None]),
        agent_id=st.sampled_from([ANA, RUI, None]),
        labels=st.sampled_from([None, (), ("bread",), ("bread", "late")]),
    ),
    max_size=14,
)


@settings(max_examples=80, deadline=None)
@given(facts=SOME_FACTS, data=st.data())
def test_whatever_happened_and_in_whatever_order_it_is_told(facts: list[Fact], data: st.DataObject) -> None:
    measures = measures_of(facts, NO_HOURS)
    assert measures_of(data.draw(st.permutations(facts)), NO_HOURS) == measures
    assert len({(measure.fact_id, measure.metric) for measure in measures}) == len(measures)
    assert all(measure.ended_at is None or measure.began_at <= measure.ended_at for measure in measures)
    assert all(measure.business_seconds is None or measure.business_seconds >= 0 for measure in measures)
