"""What a customer is told by the counter itself."""

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final, get_args

import pytest

from services.routing.domain.texts import LOCALES, Tone, greeting, out_of_hours

TONES: Final[tuple[Tone, ...]] = get_args(Tone)
BOTH = tuple(product(LOCALES, TONES))
NARROW: Final = "\N{NARROW NO-BREAK SPACE}"

ZONE: Final = "America/Sao_Paulo"
NOW: Final = datetime(2026, 11, 26, 22, 0, tzinfo=UTC)
"""Thursday at 19:00 in São Paulo."""

TONIGHT: Final = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)
TOMORROW: Final = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
SATURDAY: Final = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
MONDAY: Final = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
IN_A_WEEK: Final = datetime(2026, 12, 3, 12, 0, tzinfo=UTC)
AT_ONE: Final = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
NEW_YEAR: Final = datetime(2027, 1, 1, 12, 0, tzinfo=UTC)


def said(locale: str, tone: Tone, opens_at: datetime | None, now: datetime = NOW, zone: str = ZONE) -> str:
    return out_of_hours(locale, tone, "Padaria Sol", opens_at, now, zone)


@pytest.mark.parametrize(("locale", "tone"), BOTH)
def test_every_text_names_the_tenant_and_is_made_of_whole_sentences(locale: str, tone: Tone) -> None:
    openings = (None, TONIGHT, TOMORROW, SATURDAY, MONDAY, IN_A_WEEK, AT_ONE, NEW_YEAR)
    for text in (greeting(locale, tone, "Padaria Sol"), *(said(locale, tone, opens_at) for opens_at in openings)):
        assert "Padaria Sol" in text
        assert text.endswith(".")
        assert not re.search(r"[{}]|  | [,.]|,,|\.\.", text)


def test_no_text_equals_another() -> None:
    greetings = [greeting(locale, tone, "Padaria Sol") for locale, tone in BOTH]
    absences = [said(locale, tone, opens_at) for locale, tone in BOTH for opens_at in (None, TONIGHT, MONDAY)]
    assert len({*greetings, *absences}) == len(greetings) + len(absences)


@pytest.mark.parametrize(("opens_at", "locale", "expected"), [
    (TONIGHT, "pt-BR", ", hoje às 20:30."),
    (TONIGHT, "pt-PT", ", hoje às 20:30."),
    (TONIGHT, "en", f" today at 8:30{NARROW}PM."),
    (TONIGHT, "es", ", hoy a las 20:30."),
    (TONIGHT, "fr", ", aujourd’hui à 20:30."),
    (TOMORROW, "pt-BR", ", amanhã às 09:00."),
    (TOMORROW, "pt-PT", ", amanhã às 09:00."),
    (TOMORROW, "en", f" tomorrow at 9:00{NARROW}AM."),
    (TOMORROW, "es", ", mañana a las 9:00."),
    (TOMORROW, "fr", ", demain à 09:00."),
    (SATURDAY, "pt-BR", ", no sábado às 09:00."),
    (MONDAY, "pt-BR", ", na segunda-feira às 09:00."),
    (MONDAY, "pt-PT", ", na segunda-feira às 09:00."),
    (MONDAY, "en", f" on Monday at 9:00{NARROW}AM."),
    (MONDAY, "es", ", el lunes a las 9:00."),
    (MONDAY, "fr", ", lundi à 09:00."),
    (IN_A_WEEK, "pt-BR", ", na quinta-feira, 3 de dezembro, às 09:00."),
    (IN_A_WEEK, "pt-PT", ", na quinta-feira, 3 de dezembro, às 09:00."),
    (IN_A_WEEK, "en", f" on Thursday, December 3, at 9:00{NARROW}AM."),
    (IN_A_WEEK, "es", ", el jueves 3 de diciembre a las 9:00."),
    (IN_A_WEEK, "fr", ", le jeudi 3 décembre à 09:00."),
    (NEW_YEAR, "pt-BR", ", na sexta-feira, 1º de janeiro, às 09:00."),
    (NEW_YEAR, "pt-PT", ", na sexta-feira, 1 de janeiro, às 09:00."),
    (NEW_YEAR, "en", f" on Friday, January 1, at 9:00{NARROW}AM."),
    (NEW_YEAR, "es", ", el viernes 1 de enero a las 9:00."),
    (NEW_YEAR, "fr", ", le vendredi 1er janvier à 09:00."),
    (AT_ONE, "pt-BR", ", na segunda-feira à 01:00."),
    (AT_ONE, "es", ", el lunes a la 1:00."),
    (AT_ONE, "fr", ", lundi à 01:00."),
])  # fmt: skip
def test_the_opening_is_named_as_the_country_says_it(opens_at: datetime, locale: str, expected: str) -> None:
    for tone in TONES:
        assert said(locale, tone, opens_at).endswith(expected)


@pytest.mark.parametrize(("locale", "tone"), BOTH)
def test_without_an_opening_only_the_time_is_missing(locale: str, tone: Tone) -> None:
    unknown = said(locale, tone, None)
    assert said(locale, tone, TOMORROW).startswith(unknown.removesuffix("."))
    assert not re.search(r"\d", unknown)


def test_today_and_tomorrow_are_those_of_the_time_zone() -> None:
    late, opens_at = datetime(2026, 11, 27, 2, 0, tzinfo=UTC), datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
    assert said("pt-BR", "formal", opens_at, late).endswith(", amanhã às 09:00.")
    assert said("pt-PT", "formal", opens_at, late, "Europe/Lisbon").endswith(", hoje às 12:00.")


def test_a_day_of_the_week_names_no_day_but_the_next_of_that_name() -> None:
    nearly, week = NOW + timedelta(days=6), NOW + timedelta(days=7)
    assert "on Wednesday at" in said("en", "formal", nearly)
    assert "on Thursday, December 3, at" in said("en", "formal", week)


def test_brazil_and_portugal_each_speak_their_own_portuguese() -> None:
    words = {
        locale: " ".join(
            text for tone in TONES for text in (greeting(locale, tone, "Sol"), said(locale, tone, TOMORROW))
        ).lower()
        for locale in ("pt-BR", "pt-PT")
    }
    for brazilian, portuguese in (("contato", "contacto"), ("equipe", "equipa"), ("registrada", "registada")):
        assert re.search(rf"\b{brazilian}\b", words["pt-BR"])
        assert not re.search(rf"\b{portuguese}\b", words["pt-BR"])
        assert re.search(rf"\b{portuguese}\b", words["pt-PT"])
        assert not re.search(rf"\b{brazilian}\b", words["pt-PT"])
    # A friend is addressed as "tu" in Portugal, where the pronoun follows the verb.
    assert "responde-te" in words["pt-PT"]
    assert "te responde" in words["pt-BR"]


@pytest.mark.parametrize(("locale", "formal", "friendly"), [
    ("pt-PT", r"\ba sua mensagem\b", r"\ba tua mensagem\b"),
    ("es", r"\b[Ll]e\b.*\bsu mensaje\b", r"\b[Tt]e\b|\btu mensaje\b"),
])  # fmt: skip
def test_the_tone_decides_how_the_customer_is_addressed(locale: str, formal: str, friendly: str) -> None:
    for text in ({tone: greeting(locale, tone, "Sol") for tone in TONES}, {t: said(locale, t, MONDAY) for t in TONES}):
        assert re.search(formal, text["formal"], re.IGNORECASE)
        assert not re.search(friendly, text["formal"])
        assert re.search(friendly, text["friendly"])
        assert not re.search(formal, text["friendly"], re.IGNORECASE)


def test_a_tenant_with_another_locale_speaks_english() -> None:
    assert greeting("de", "formal", "Sol") == greeting("en", "formal", "Sol")
    assert said("de", "friendly", MONDAY) == said("en", "friendly", MONDAY)


def test_a_name_is_taken_as_it_is() -> None:
    name = "{when} & Söhne {0}"
    assert name in greeting("en", "formal", name)
    assert name in out_of_hours("en", "formal", name, MONDAY, NOW, ZONE)
