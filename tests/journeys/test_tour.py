"""The tour of the README shows what it says, played on a new set as it stands there."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.journeys.tour import TOUR, Played

pytestmark = pytest.mark.journey

SENT = {"sent", "delivered", "read"}


def _acknowledged(shown: list[Any]) -> bool:
    return shown == ["200", "200"]


def _conversation_of_maria(shown: list[Any]) -> bool:
    [conversation], [message], [contact] = (page["items"] for page in shown[:3])
    return (
        conversation["status"] == "open"
        and message["text"] == "Bom dia! O bolo já está pronto?"
        and (contact["id"], contact["name"]) == (conversation["contact_id"], "Maria Aparecida")
        and shown[3]["count"] == 1
    )


def _one_note(shown: list[Any]) -> bool:
    first, again, notes, *_ = shown
    return bool(first == again and notes["items"] == [first])


def _settled_once(shown: list[Any]) -> bool:
    *_, settled, refused = shown
    return (settled["status"], settled["labels"], refused["status"]) == ("resolved", ["encomenda"], 412)


def _given_to_an_agent(shown: list[Any]) -> bool:
    _, agents, conversation, *_ = shown
    return conversation["assignee_id"] in {agent["id"] for agent in agents["items"] if agent["status"] == "online"}


def _answer_has_left(shown: list[Any]) -> bool:
    *_, answer, messages = shown
    return [one["status"] in SENT for one in messages["items"] if one["id"] == answer["id"]] == [True]


def _told_as_it_happened(shown: list[Any]) -> bool:
    told = [json.loads(line.removeprefix("data: ")) for line in shown if str(line).startswith("data: ")]
    return "Obrigada!" in [one["data"].get("text") for one in told] and any(
        str(one).startswith("id: ") for one in shown
    )


def _kept_as_it_came(shown: list[Any]) -> bool:
    acknowledged, failed, refused, dead_letters = shown
    return (acknowledged, len(failed["items"]), refused["status"], dead_letters["items"]) == ("200", 1, 409, [])


def _counted(shown: list[Any]) -> bool:
    counts = [sum(item["count"] for item in figure["items"]) for figure in shown]
    return counts == [3, 1, 1]


def _asked_and_proven(shown: list[Any]) -> bool:
    taken, proven = shown
    return (taken["state"], proven["state"], proven["type"]) == ("identity_pending", "triage", "access")


def _given_once(shown: list[Any]) -> bool:
    approved, *listed, again, request, trail = shown
    files = {str(line).split()[0] for line in listed[1:]}
    return (
        approved["state"] in {"approved", "collecting"}
        and files == {"data.json", "schema.json", "index.html"}
        and (again, request["state"], trail["valid"]) == ("404", "completed", True)
    )


def _registered(shown: list[Any]) -> bool:
    # Maria, and the three agents.
    return bool(shown[0]["subject_count"] == 4)


def _shown_by_the_simulator(shown: list[Any]) -> bool:
    ledger = [one for one in shown if "next_after" in one]
    return "Está a sair do forno!" in [send["text"] for send in ledger[0]["items"]]


PROMISES: Mapping[str, Callable[[list[Any]], bool]] = {
    "posted again it is acknowledged again, and nothing more comes of it": _acknowledged,
    "Read her conversation": _conversation_of_maria,
    "The same `Idempotency-Key` twice makes one note": _one_note,
    "the second one is refused with 412": _settled_once,
    "again one of them is given it": _given_to_an_agent,
    "The status tells what became of the answer": _answer_has_left,
    "What happens comes as it happens": _told_as_it_happened,
    "A text without a body is kept as it came": _kept_as_it_came,
    "Every figure says what it means": _counted,
    "She says by which number she is known": _asked_and_proven,
    "is gone when it was downloaded": _given_once,
    "The registers of the data protection officer": _registered,
    "it takes what Balcão sends as WhatsApp Cloud API does": _shown_by_the_simulator,
}
"""By the words of the README, whether what the commands after them showed is as they say."""


@pytest.mark.parametrize("words", PROMISES)
def test_what_the_tour_shows_is_what_it_says(words: str, played: Played) -> None:
    [place] = [number for number, passage in enumerate(TOUR) if words in passage.prose]
    assert PROMISES[words](played.shown[place]), played.shown[place]


def test_nothing_is_refused_but_what_is_said_to_be(played: Played) -> None:
    for passage, shown in zip(TOUR, played.shown, strict=True):
        for one in shown:
            if isinstance(one, dict) and str(one.get("type")).startswith("/problems/"):
                assert str(one["status"]) in passage.prose, one
