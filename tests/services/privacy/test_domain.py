"""Which way a request may go, who is found by what, and what a person is told."""

from datetime import UTC, datetime, timedelta
from string import Formatter
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.privacy.domain.identity import Known, lookup_key, reached_at, same_person
from services.privacy.domain.notices import Notice, moment_words, notice_text, outcome_words, until_words
from services.privacy.domain.requests import MOVES, RECEIVED, SETTLED, STATES, State, may_move
from shared.ids import new_id
from tests.support.events import NOON

fuzz = settings(max_examples=100, deadline=None, derandomize=True, database=None)
LOCALES = ["pt-BR", "pt-PT", "en", "es", "fr"]


@given(path=st.lists(st.sampled_from(STATES), max_size=30))
@fuzz
def test_whatever_is_tried_a_request_goes_only_where_the_table_leads(path: list[State]) -> None:
    state: State = RECEIVED
    for wanted in path:
        allowed = may_move(state, wanted)
        assert allowed == (wanted in MOVES[state])
        assert not (allowed and state in SETTLED)
        state = wanted if allowed else state


def test_every_state_is_in_the_table_and_reached_from_the_first() -> None:
    assert set(MOVES) == set(STATES)
    reached, news = {RECEIVED}, {RECEIVED}
    while news:
        news = {following for state in news for following in MOVES[state]} - reached
        reached |= news
    assert reached == set(STATES)


def test_every_state_leads_to_an_end() -> None:
    ends = set(SETTLED)
    while more := {state for state in STATES if state not in ends and MOVES[state] & ends}:
        ends |= more
    assert ends == set(STATES)


def test_nothing_is_taken_back_once_it_is_carried_out() -> None:
    for state in ("executing", "verifying", "shredding", "retrying", "delivering", *SETTLED):
        assert not may_move(state, "withdrawn")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("wa_phone", "5511987654321"), ("phone", "+55 11 98765-4321")),
        (("wa_phone", "551187654321"), ("phone", "+55 (11) 98765-4321")),
        (("wa_phone", "5511987654321"), ("e164", "+551187654321")),
        (("email", "maria@example.com"), ("email", " Maria@Example.COM ")),
    ],
)
def test_an_address_is_found_however_it_is_written(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert lookup_key(*one) == lookup_key(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("wa_phone", "5511987654321"), ("wa_phone", "5511987654322")),
        (("visitor", "5511987654321"), ("wa_phone", "5511987654321")),
        (("visitor", "Ab"), ("visitor", "ab")),
    ],
)
def test_another_address_is_not(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert lookup_key(*one) != lookup_key(*other)


def known(kind: str, value: str, *, of: UUID, channel: str = "whatsapp", days: int = 0) -> Known:
    return Known(new_id(), of, UUID(int=1), channel, kind, value, NOON + timedelta(days=days))


def test_a_code_goes_to_what_stays_with_one_person_then_to_what_is_newest() -> None:
    maria = new_id()
    old = known("wa_phone", "5511987654321", of=maria)
    new = known("wa_phone", "5511999999999", of=maria, days=1)
    user_id = known("wa_bsuid", "BR.1", of=maria)
    chat = known("visitor", str(new_id()), of=maria, channel="web_chat")
    letter = known("email", "maria@example.com", of=maria, channel="email")
    assert reached_at([old, new, letter], None) == new
    assert reached_at([old, new, user_id, letter], None) == user_id
    assert reached_at([old, user_id, chat], "web_chat") == chat
    assert reached_at([old, known("visitor", str(new_id()), of=maria, channel="web_chat", days=2)], None) == old
    assert reached_at([letter], None) is None


def test_a_number_that_was_handed_on_does_not_make_two_persons_one() -> None:
    maria, joana, both = new_id(), new_id(), new_id()
    addresses = [
        known("wa_bsuid", "BR.1", of=maria),
        known("wa_bsuid", "BR.2", of=joana),
        known("wa_phone", "5511987654321", of=both),
    ]
    assert same_person(maria, [maria, joana, both], addresses) == [maria, both]
    # A number alone does not prove that a user id is his who has it now.
    assert same_person(both, [maria], addresses) == [both]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", get_args(Notice))
def test_a_notice_says_all_that_it_is_given_in_every_language(kind: Notice, locale: str) -> None:
    values = {
        "tenant": "Padaria Sol",
        "code": "073519",
        "minutes": "10",
        "reason": "Porque sim.",
        "authority": "ANPD",
        "authority_url": "https://www.gov.br/anpd",
        "outcome": outcome_words("done", locale),
        "until": "27/11/2026",
        "controller": "Clínica Sol",
    }
    said = notice_text(kind, locale, values)
    assert said.startswith("Padaria Sol")
    assert not [name for _, name, _, _ in Formatter().parse(said) if name]
    needed = {
        "proof_code": ["073519", "10"],
        "package_ready": ["27/11/2026"],
        "rejected": ["Porque sim.", "ANPD"],
        "redirected": ["Clínica Sol"],
        "extended": ["Porque sim."],
    }
    assert all(value in said for value in needed.get(kind, []))


def test_a_new_deadline_is_named_as_a_day_at_the_tenants() -> None:
    due_at = datetime(2027, 2, 26, 2, 59, 59, tzinfo=UTC)
    assert "25 de fevereiro de 2027" in until_words(due_at, "America/Sao_Paulo", "pt-BR")
    assert "25 de febrero de 2027" in until_words(due_at, "America/Sao_Paulo", "es")


def test_until_when_a_package_waits_is_told_to_the_minute() -> None:
    until = datetime(2026, 11, 27, 13, 4, tzinfo=UTC)
    assert moment_words(until, "America/Sao_Paulo", "pt-BR") == "27 de novembro de 2026, 10:04"
    assert moment_words(until, "Europe/Lisbon", "pt-PT") == "27 de novembro de 2026, 13:04"
