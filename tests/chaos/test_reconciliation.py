"""The reconciliation tells every broken promise, and nothing where all were kept."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.chaos.reconciliation import Accepted, Evidence, Load, Routed, Stored, reconcile
from tests.journeys.provider import Posted

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MARIA, TALK = "5511987654321", "a conversation"
WRITTEN = ["first", "second", "third"]


def written(number: int) -> Stored:
    """What Maria wrote, in the second of its number, and acknowledged before she wrote again."""
    return Stored(
        id=f"message {number}",
        conversation_id=TALK,
        customer=MARIA,
        direction="inbound",
        seq=number,
        sent_at=NOON + timedelta(seconds=number),
        text=None,
        provider_message_id=WRITTEN[number - 1],
        status=None,
    )


def answer(number: int, status: str = "delivered") -> Stored:
    """What Maria was answered."""
    words, after = f"answer {number}", written(3)
    said = replace(after, direction="outbound", text=words, provider_message_id=None, status=status)
    return replace(said, id=words, seq=after.seq + number)


HISTORY = (written(1), written(2), written(3), answer(1), answer(2))
KEPT = Evidence(
    written=WRITTEN,
    posted=Posted(
        posted_at={id_: number for number, id_ in enumerate(WRITTEN)},
        acknowledged_at={id_: number + 0.5 for number, id_ in enumerate(WRITTEN)},
    ),
    answered={"answer 1": TALK, "answer 2": TALK},
    history=HISTORY,
    counted={TALK: 3},
    routed=[Routed(TALK, known=True, decided="Ana", shown="Ana")],
    accepted=[Accepted(1, "answer 1", MARIA), Accepted(2, "answer 2", MARIA)],
    loads=[Load("Ana", capacity=3, load=3, held=3)],
)


def faults(evidence: Evidence) -> dict[str, Sequence[str]]:
    return {kind: told for kind, told in reconcile(evidence).faults.items() if told}


def test_where_all_promises_were_kept_nothing_is_told() -> None:
    assert faults(KEPT) == {}
    assert reconcile(KEPT).is_clean


def test_a_message_that_is_not_in_the_history_is_lost() -> None:
    lost = replace(KEPT, history=[one for one in HISTORY if one.seq != 2], counted={TALK: 2})
    assert faults(lost) == {"lost": ["second was acknowledged, and is not in the history"]}
    assert not reconcile(lost).is_clean


def test_an_answer_that_was_taken_and_is_not_there_is_lost() -> None:
    lost = replace(KEPT, history=HISTORY[:4], accepted=KEPT.accepted[:1])
    assert faults(lost) == {"lost": [f"the answer 'answer 2' was taken, and is not in conversation {TALK}"]}


def test_an_answer_that_the_provider_never_had_is_lost_unless_it_is_said_to_be_unknown() -> None:
    lost = replace(KEPT, accepted=KEPT.accepted[:1])
    assert faults(lost) == {"lost": ["answer 2 is delivered, and the provider does not have it"]}
    assert faults(replace(lost, history=(*HISTORY[:4], answer(2, "unknown")))) == {}


def test_what_was_sent_and_stands_nowhere_is_lost() -> None:
    sent = replace(KEPT, accepted=[*KEPT.accepted, Accepted(3, "a ghost", MARIA)])
    assert "lost" in faults(sent)


def test_a_message_that_is_not_counted_is_lost_and_one_that_is_counted_twice_is_duplicated() -> None:
    assert list(faults(replace(KEPT, counted={TALK: 2}))) == ["lost"]
    assert list(faults(replace(KEPT, counted={TALK: 4}))) == ["duplicated"]


def test_a_conversation_that_routing_does_not_know_or_that_is_shown_otherwise_is_lost() -> None:
    assert list(faults(replace(KEPT, routed=[]))) == ["lost"]
    assert list(faults(replace(KEPT, routed=[replace(KEPT.routed[0], known=False)]))) == ["lost"]
    assert list(faults(replace(KEPT, routed=[replace(KEPT.routed[0], shown=None)]))) == ["lost"]


def test_a_message_that_is_there_twice_is_duplicated() -> None:
    twice = replace(KEPT, history=(*HISTORY, replace(written(2), id="message 4", seq=6)), counted={TALK: 4})
    assert "second is in the history 2 times" in faults(twice)["duplicated"]


def test_an_answer_that_is_there_twice_is_duplicated() -> None:
    twice = replace(KEPT, history=(*HISTORY, replace(answer(2), id="answer 3", status="unknown", seq=6)))
    assert list(faults(twice)) == ["duplicated"]


def test_a_message_that_is_numbered_after_a_later_one_is_out_of_order() -> None:
    first, second = replace(written(1), seq=2), replace(written(2), seq=1)
    misordered = replace(KEPT, history=(first, second, *HISTORY[2:]))
    assert faults(misordered) == {
        "out of order": ["first was durable before second was posted, and is numbered after it"]
    }


def test_messages_that_were_posted_at_once_may_be_numbered_in_any_order() -> None:
    at_once = Posted(dict.fromkeys(WRITTEN, 0.0), dict.fromkeys(WRITTEN, 1.0))
    first, second = replace(written(1), seq=2), replace(written(2), seq=1)
    assert faults(replace(KEPT, posted=at_once, history=(first, second, *HISTORY[2:]))) == {}


def test_a_replayed_dead_letter_is_numbered_when_it_takes_effect_and_listed_by_its_date() -> None:
    late = replace(KEPT, replayed={"first"}, history=(replace(written(1), seq=9), *HISTORY[1:]))
    assert faults(late) == {}
    misplaced = replace(late, history=(replace(written(1), seq=9, sent_at=NOON + timedelta(hours=1)), *HISTORY[1:]))
    assert list(faults(misplaced)) == ["out of order"]


def test_answers_that_reach_the_customer_in_another_order_are_out_of_order() -> None:
    crossed = replace(KEPT, accepted=[Accepted(1, "answer 2", MARIA), Accepted(2, "answer 1", MARIA)])
    assert list(faults(crossed)) == ["out of order"]


def test_a_message_that_the_provider_accepted_twice_was_blindly_resent() -> None:
    resent = replace(KEPT, accepted=[*KEPT.accepted, Accepted(3, "answer 2", MARIA)])
    assert faults(resent) == {"blindly resent": ["answer 2 was accepted 2 times"]}


def test_an_agent_who_had_too_much_at_any_moment_was_over_capacity() -> None:
    held = Load("Ana", capacity=3, load=3, held=4)
    counted = Load("Bruno", capacity=3, load=4, held=3)
    told = faults(replace(KEPT, loads=[*KEPT.loads, held, *KEPT.loads, counted]))
    assert told == {
        "over capacity": [
            "agent Ana has room for 3, and had 4, counted as 3",
            "agent Bruno has room for 3, and had 3, counted as 4",
        ]
    }
