"""What the facts of a conversation come to, in whatever order they are told."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics.domain import Calendar, Fact, FactKind, Hours, Measure, Metric, measures_of
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


def reassigned(at: float, agent: UUID = ANA) -> Fact:
    return fact(FactKind.CONVERSATION_REASSIGNED, at, agent_id=agent)


def unassigned(at: float, agent: UUID = ANA) -> Fact:
    return fact(FactKind.CONVERSATION_UNASSIGNED, at, agent_id=agent)


def became(at: float, status: str) -> Fact:
    return fact(FactKind.CONVERSATION_CHANGED, at, labels=(), status=status)


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
    "where the customer wrote nothing there is none": ([opened(1), replied(4)], FIRST, []),
    "nor is what the staff wrote before him": (
        [opened(1), replied(1), wrote(600), replied(630), wrote(640), replied(645)],
        FIRST,
        [(1, 30)],
    ),
    "what Balcão says is no reply": ([opened(1), wrote(1), bot(2), replied(9)], FIRST, [(1, 8)]),
    "but stands apart": ([opened(1), wrote(1), bot(2), replied(9), bot(10)], BOT, [(1, 1)]),
    "where the customer had written": ([opened(1), bot(2), wrote(5), bot(6)], BOT, [(1, 1)]),
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
    "from when the customer wrote, if he does": (
        [opened(1), wrote(1), replied(2), resolved(5), reopened(11), replied(14), wrote(15), replied(16)],
        FIRST,
        [(1, 1), (2, 1)],
    ),
    "what was unanswered when it was resolved stays so": (
        [opened(1), wrote(1), replied(2), wrote(3), resolved(5), reopened(11), wrote(13), replied(14), wrote(20)],
        NEXT,
        [],
    ),
    "what is said in a resolved conversation is no reply": ([opened(1), wrote(1), resolved(5), replied(6)], FIRST, []),
    "a resolution is from the first word": ([opened(2), wrote(1), resolved(5)], RESOLUTION, [(1, 4)]),
    "or from the opening": ([opened(2), replied(2), resolved(5)], RESOLUTION, [(1, 3)]),
    "in each cycle": ([opened(1), resolved(5), reopened(7), resolved(8)], RESOLUTION, [(1, 4), (2, 1)]),
    "reopened for what the customer wrote, from that": (
        [opened(1), resolved(5), wrote(6.5), reopened(7), wrote(7.5), resolved(8)],
        RESOLUTION,
        [(1, 4), (2, 1.5)],
    ),
    "waiting ends with an agent": ([opened(1), queued(1.1), assigned(4)], WAITING, [(1, 3)]),
    "it goes on in another queue": ([opened(1), queued(1), queued(2, REPAIRS), assigned(4)], WAITING, [(1, 3)]),
    "put off, it begins anew when it is open again": (
        [opened(1), queued(1.1), became(3, "snoozed"), became(10, "open"), queued(10.1), assigned(12)],
        WAITING,
        [(1, 2)],
    ),
    "who asked back lets nobody wait": (
        [opened(1), queued(1.1), became(3, "pending"), wrote(10), became(10.5, "open"), queued(11), assigned(12)],
        WAITING,
        [(1, 1.5)],
    ),
    "other changes do not end it": ([opened(1), queued(1.1), became(3, "open"), assigned(4)], WAITING, [(1, 3)]),
    "who answers keeps what is put off, and nobody waits": (
        [opened(1), queued(1.1), assigned(2), became(3, "snoozed"), became(9, "open"), resolved(10)],
        WAITING,
        [(1, 1)],
    ),
    "taken back, it waits again from then on, whatever its age": (
        [opened(1), queued(1.1), assigned(4), unassigned(10), queued(10), assigned(15, RUI)],
        WAITING,
        [(1, 3), (1, 5)],
    ),
    "taken back while it is put off, from when it is open again": (
        [opened(1), assigned(4), became(5, "snoozed"), unassigned(10), became(20, "open"), queued(21), assigned(23)],
        WAITING,
        [(1, 3), (1, 3)],
    ),
    "given to another, nobody waits": ([opened(1), assigned(2), reassigned(5), assigned(5, RUI)], WAITING, [(1, 1)]),
    "given, taken back and given again in one transaction": (
        [opened(1), queued(2), assigned(2), unassigned(2), queued(2), assigned(8, RUI)],
        WAITING,
        [(1, 1), (1, 6)],
    ),
    "resolved, nobody waits": ([opened(1), queued(1.1), resolved(5), queued(6), assigned(9)], WAITING, []),
    "nor from what routing decided before it heard of it": (
        [opened(1), assigned(2), resolved(5), unassigned(6), queued(6), reopened(10), queued(10.5), assigned(12)],
        WAITING,
        [(1, 1), (2, 2)],
    ),
    "nor from what it decided before it heard that it goes on": (
        [opened(1), assigned(2), resolved(5), reopened(10), unassigned(10.1), queued(10.5), assigned(12)],
        WAITING,
        [(1, 1), (2, 2)],
    ),
    "handling ends when the agent is let go": ([opened(1), assigned(2), unassigned(9)], HANDLING, [(1, 7)]),
    "not when it is put off": ([opened(1), assigned(2), became(3, "snoozed"), unassigned(9)], HANDLING, [(1, 7)]),
    "or when it is resolved, which routing hears later": (
        [opened(1), assigned(2), resolved(9), unassigned(9.5)],
        HANDLING,
        [(1, 7)],
    ),
    "or when another is given it": (
        [opened(1), assigned(2), reassigned(5), assigned(5, RUI), resolved(9)],
        HANDLING,
        [(1, 3), (1, 4)],
    ),
    "who is given what is resolved never had it": (
        [opened(1), resolved(5), assigned(5.25), unassigned(5.5), reopened(9), assigned(10), resolved(12)],
        HANDLING,
        [(2, 2)],
    ),
    "what others tell of begins nothing": ([queued(1), assigned(2), labelled(3, "vip"), resolved(4)], RESOLUTION, []),
}


@pytest.mark.parametrize(("facts", "metric", "expected"), STORIES.values(), ids=STORIES)
def test_how_long_things_take(facts: list[Fact], metric: Metric, expected: list[tuple[int, float]]) -> None:
    assert lasting(facts, metric) == expected


@pytest.mark.parametrize("facts", [facts for facts, *_ in STORIES.values() if len(facts) <= 6])
def test_a_short_story_comes_out_the_same_in_every_order(facts: list[Fact]) -> None:
    expected = measures_of(facts, NO_HOURS)
    assert all(measures_of(told, NO_HOURS) == expected for told in permutations(facts))


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


def test_a_reply_is_of_the_queue_in_which_the_conversation_was_then() -> None:
    facts = [opened(1), wrote(1), bot(1.5), queued(2), assigned(3), replied(4), wrote(5)]
    moved = [unassigned(6), queued(6, REPAIRS), assigned(7, RUI, REPAIRS), replied(8, RUI), resolved(9)]
    queues = {metric: only([*facts, *moved], metric).queue_id for metric in (FIRST, NEXT, RESOLUTION, BOT)}
    assert queues == {FIRST: SALES, NEXT: REPAIRS, RESOLUTION: REPAIRS, BOT: REPAIRS}


def test_business_hours_are_those_of_the_queue_of_the_reply() -> None:
    closed = Hours(REPAIRS, 1, NOON - timedelta(days=1), {}, {}, holidays=False)
    facts = [opened(1), wrote(1), queued(2), replied(4), wrote(5), queued(6, REPAIRS), replied(8)]
    found = {one.metric: one.business_seconds for one in measures_of(facts, Calendar([], [closed]))}
    assert (found[FIRST], found[NEXT]) == (3, 0)


def test_the_backlog_is_what_began_and_was_not_resolved() -> None:
    facts = [opened(1), wrote(0.5), resolved(5), reopened(9)]
    backlog = [measure for measure in measures_of(facts, NO_HOURS) if measure.metric is Metric.BACKLOG]
    spans = sorted((one.began_at, one.ended_at) for one in backlog if one.ended_at)
    assert spans == [(NOON + timedelta(seconds=1), NOON + timedelta(seconds=5))]
    assert [one.began_at for one in backlog if one.ended_at is None] == [NOON + timedelta(seconds=9)]


@pytest.mark.parametrize("later", [wrote(6), replied(6), queued(6), assigned(6), unassigned(6), labelled(6, "late")])
def test_what_is_heard_of_a_resolved_conversation_does_not_open_it(later: Fact) -> None:
    measures = measures_of([opened(1), wrote(1), assigned(2), resolved(5), later], NO_HOURS)
    assert not [measure for measure in measures if measure.cycle > 1 or measure.ended_at is None]


SOME_FACTS = st.lists(
    st.builds(
        fact,
        st.sampled_from(FactKind),
        st.integers(0, 12),
        queue_id=st.sampled_from([SALES, REPAIRS, None]),
        agent_id=st.sampled_from([ANA, RUI, None]),
        labels=st.sampled_from([None, (), ("bread",), ("bread", "late")]),
        status=st.sampled_from([None, "open", "pending", "snoozed", "resolved"]),
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
