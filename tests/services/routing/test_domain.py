"""Who answers whom, and what becomes of a case, decided without a database."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.routing.domain import (
    Case,
    Server,
    answered_by,
    changed,
    default_queue,
    given_back,
    let_pass,
    match,
    offered_to,
    queue_for,
    reopened,
    resolved,
    weight_of,
)
from services.routing.models import Queue
from tests.support.events import NOON

TENANT, QUEUE, CONTACT, CHANNEL = (UUID(int=number) for number in range(1, 5))


def case(number: int = 100, **fields: Any) -> Case:
    """A case that waits in the queue."""
    one = Case(UUID(int=number), TENANT, CONTACT, CHANNEL, "whatsapp", 1, NOON, queue_id=QUEUE, queued_at=NOON)
    return one._replace(**fields)


def server(number: int, room: int = 3, **fields: Any) -> Server:
    return replace(Server(UUID(int=number), TENANT, room, auto_accept=True, queue_ids=frozenset()), **fields)


def pairs(line: list[Case], servers: list[Server]) -> list[tuple[int, int]]:
    return [(one.conversation_id.int, who.id.int) for one, who in match(line, servers)]


def test_each_is_given_to_who_has_most_room_then() -> None:
    line = [case(number) for number in range(100, 106)]
    assert pairs(line, [server(10, 1), server(11, 3)]) == [(100, 11), (101, 11), (102, 10), (103, 11)]


def test_nobody_is_given_what_he_refused_or_does_not_serve() -> None:
    refusing, elsewhere = server(10), server(11, queue_ids=frozenset({UUID(int=9)}))
    assert pairs([case(refused_by=frozenset({refusing.id}))], [refusing, elsewhere]) == []
    assert pairs([case(refused_by=frozenset({refusing.id}))], [refusing, elsewhere, server(12, 1)]) == [(100, 12)]


def test_who_answered_before_goes_first_and_who_missed_it_last() -> None:
    before, other = server(10, 1), server(11, 9)
    assert pairs([case(last_agent_id=before.id)], [before, other]) == [(100, 10)]
    assert pairs([case(last_agent_id=before.id, missed_by=frozenset({before.id}))], [before, other]) == [(100, 11)]
    assert pairs([case(missed_by=frozenset({other.id}))], [before, other]) == [(100, 10)]
    assert pairs([case(missed_by=frozenset({other.id}))], [other]) == [(100, 11)]


def test_agents_of_another_tenant_are_given_nothing() -> None:
    assert pairs([case()], [server(10, tenant_id=UUID(int=8))]) == []


@given(
    line=st.lists(st.tuples(st.integers(1, 3), st.sets(st.integers(10, 14)), st.sets(st.integers(10, 14)))),
    rooms=st.lists(st.integers(1, 4), max_size=5),
)
def test_whoever_can_be_served_is_and_nobody_beyond_his_room(
    line: list[tuple[int, set[int], set[int]]], rooms: list[int]
) -> None:
    cases = [
        case(100 + place, weight=weight, refused_by=_ids(refused), missed_by=_ids(missed))
        for place, (weight, refused, missed) in enumerate(line)
    ]
    servers = [server(10 + place, room) for place, room in enumerate(rooms)]
    given_to = {one.conversation_id: who for one, who in match(cases, servers)}
    left = {who.id: who.room for who in servers}
    for one in cases:
        who = given_to.get(one.conversation_id)
        if who is None:
            assert not any(other.may_take(one, left[other.id]) for other in servers)
        else:
            assert who.may_take(one, left[who.id])
            left[who.id] -= one.weight


def _ids(numbers: set[int]) -> frozenset[UUID]:
    return frozenset(UUID(int=number) for number in numbers)


def test_a_resolved_case_lets_go_of_everything_but_who_answered() -> None:
    answered = answered_by(case(refused_by=_ids({3})), UUID(int=10), NOON)
    closed = resolved(answered, NOON + timedelta(minutes=1))
    assert (closed.holder, closed.in_line, closed.refusals) == (None, False, frozenset())
    assert closed.last_agent_id == UUID(int=10)
    again = reopened(closed, NOON)
    assert (again.in_line, again.queued_at, again.assigned_at, again.closed_at) == (True, None, None, None)


@pytest.mark.parametrize("status", ["pending", "snoozed", "resolved"])
def test_what_does_not_wait_is_offered_to_nobody(status: str) -> None:
    offered = offered_to(case(), UUID(int=10), UUID(int=20))
    assert changed(offered, status, NOON).offer_id is None
    assert changed(offered, "open", NOON) == offered


def test_whoever_declines_is_remembered_and_whoever_misses_is_too() -> None:
    offered = offered_to(case(), UUID(int=10), UUID(int=20))
    missed = let_pass(offered)
    assert (missed.missed_by, missed.refused_by, missed.offered_to) == (_ids({10}), frozenset(), None)
    declined = given_back(offered_to(missed, UUID(int=10), UUID(int=21)))
    assert (declined.missed_by, declined.refused_by, declined.offered_to) == (frozenset(), _ids({10}), None)


def test_a_channel_named_by_two_queues_waits_in_the_more_urgent_one() -> None:
    queues = [
        Queue(id=UUID(int=number), tenant_id=TENANT, channel_ids=channels, priority=priority)
        for number, priority, channels in [(5, 1, [CHANNEL]), (6, 2, [CHANNEL]), (7, 9, [])]
    ]
    assert queue_for(case(), queues) == UUID(int=6)
    assert queue_for(case(), []) == TENANT


def test_a_call_weighs_more_than_a_message() -> None:
    assert [weight_of(kind) for kind in ("voice", "whatsapp", "email", "a kind of tomorrow")] == [3, 1, 1, 1]


def test_the_default_queue_is_called_in_the_language_of_the_tenant() -> None:
    assert [default_queue(locale) for locale in ("pt-PT", "fr", "de")] == ["Geral", "Général", "General"]
