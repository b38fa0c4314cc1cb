"""Until when the law wants an answer, as it is counted in Brazil and in the Union."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.privacy.domain.deadlines import (
    Place,
    add_months,
    alert_at,
    deadline,
    extended,
    is_late,
    may_be_extended,
    zone_of,
)
from services.privacy.domain.requests import Right

BRAZIL = Place("lgpd", "BR", "America/Sao_Paulo")
SMALL = Place("lgpd", "BR", "America/Sao_Paulo", small_agent=True)
PORTUGAL = Place("gdpr", "PT", "Europe/Lisbon")


def at_noon(day: str, place: Place) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(12), ZoneInfo(place.time_zone)).astimezone(UTC)


def end_of(day: str, place: Place) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(23, 59, 59), ZoneInfo(place.time_zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("place", "received", "due", "latest"),
    [
        # The last day is Carnival, which is no public holiday.
        (BRAZIL, "2026-02-02", "2026-02-17", "2026-02-17"),
        # A Sunday, and the Monday of Carnival.
        (BRAZIL, "2026-01-31", "2026-02-15", "2026-02-16"),
        (SMALL, "2026-02-02", "2026-03-04", "2026-03-04"),
        # February has no such day; a Saturday.
        (PORTUGAL, "2026-01-31", "2026-02-28", "2026-03-02"),
        # Christmas on a Friday.
        (PORTUGAL, "2026-11-25", "2026-12-25", "2026-12-28"),
        (PORTUGAL, "2026-03-05", "2026-04-05", "2026-04-06"),
        (PORTUGAL, "2026-08-31", "2026-09-30", "2026-09-30"),
    ],
)
def test_the_last_day_counts_whole_and_a_holiday_puts_off_only_the_latest(
    place: Place, received: str, due: str, latest: str
) -> None:
    until = deadline("access", at_noon(received, place), place)
    assert (until.due_at, until.legal_latest_at) == (end_of(due, place), end_of(latest, place))


@pytest.mark.parametrize(("received", "due"), [("2026-01-31", "2026-04-30"), ("2026-11-25", "2027-02-25")])
def test_an_extension_is_counted_from_the_receipt(received: str, due: str) -> None:
    assert extended(at_noon(received, PORTUGAL), PORTUGAL).due_at == end_of(due, PORTUGAL)


@pytest.mark.parametrize(
    ("place", "received", "due"),
    [
        # 1 March in São Paulo still.
        (BRAZIL, "2026-03-02T01:30:00Z", "2026-03-17T02:59:59Z"),
        # 1 July in Lisbon already.
        (PORTUGAL, "2026-06-30T23:30:00Z", "2026-08-01T22:59:59Z"),
    ],
)
def test_day_0_is_the_local_day(place: Place, received: str, due: str) -> None:
    assert deadline("access", datetime.fromisoformat(received), place).due_at == datetime.fromisoformat(due)


@pytest.mark.parametrize(
    ("right", "place", "days", "rule_id"),
    [
        ("confirmation", BRAZIL, 0, "lgpd.art-19-i"),
        ("confirmation", SMALL, 15, "anpd.res-2-2022.art-15"),
        ("consent_withdrawal", BRAZIL, 0, "lgpd.art-8-5"),
        ("consent_withdrawal", SMALL, 0, "lgpd.art-8-5"),
        ("consent_withdrawal", PORTUGAL, 0, "gdpr.art-7-3"),
        ("marketing_objection", BRAZIL, 0, "lgpd.art-18-2"),
        ("marketing_objection", SMALL, 0, "lgpd.art-18-2"),
        ("marketing_objection", PORTUGAL, 0, "gdpr.art-21-3"),
        ("objection", BRAZIL, 15, "lgpd.art-18"),
        ("refusal_consequences", BRAZIL, 0, "lgpd.art-18-viii"),
        ("erasure", BRAZIL, 15, "lgpd.art-18"),
        ("erasure", SMALL, 30, "anpd.res-2-2022.art-14.lgpd.art-18"),
        ("confirmation", PORTUGAL, 31, "gdpr.art-12-3"),
    ],
)
def test_each_right_has_its_time(right: Right, place: Place, days: int, rule_id: str) -> None:
    received_at = at_noon("2026-07-06", place)
    until = deadline(right, received_at, place)
    due_on = date(2026, 7, 6) + timedelta(days=days)
    assert (until.due_at, until.rule_id) == (end_of(due_on.isoformat(), place), rule_id)


def test_what_must_be_done_at_once_waits_for_no_business_day() -> None:
    until = deadline("consent_withdrawal", at_noon("2026-02-15", BRAZIL), BRAZIL)
    assert until.due_at == until.legal_latest_at == end_of("2026-02-15", BRAZIL)


@pytest.mark.parametrize(
    ("regime", "country", "zone"),
    [
        ("lgpd", "BR", "America/Sao_Paulo"),
        ("gdpr", "PT", "Europe/Lisbon"),
        ("gdpr", "ES", "Atlantic/Canary"),
        ("none", "AO", "Atlantic/Canary"),
    ],
)
def test_a_day_is_the_day_of_the_law_or_else_of_the_tenant(regime: str, country: str, zone: str) -> None:
    assert zone_of(regime, country, "Atlantic/Canary") == zone


def test_the_last_second_of_the_last_day_is_in_time() -> None:
    due_at = end_of("2026-02-17", BRAZIL)
    assert not is_late(due_at, due_at + timedelta(milliseconds=999))
    assert is_late(due_at, due_at + timedelta(seconds=1))


def test_a_day_that_a_month_lacks_is_the_next_in_brazil_and_the_last_in_the_union() -> None:
    assert add_months(date(2026, 8, 31), 6, "lgpd") == date(2027, 3, 1)
    assert add_months(date(2026, 8, 31), 6, "gdpr") == date(2027, 2, 28)


def test_only_the_union_extends_and_only_once_and_in_time() -> None:
    received_at = at_noon("2026-01-31", PORTUGAL)
    first = deadline("access", received_at, PORTUGAL)
    later = extended(received_at, PORTUGAL)
    assert may_be_extended(PORTUGAL, first.rule_id, first.due_at, first.due_at)
    assert not may_be_extended(PORTUGAL, first.rule_id, first.due_at, first.due_at + timedelta(seconds=1))
    assert not may_be_extended(PORTUGAL, later.rule_id, later.due_at, received_at)
    assert not may_be_extended(BRAZIL, "lgpd.art-19-ii", first.due_at, received_at)


def test_a_deadline_tells_from_what_it_was_counted() -> None:
    until = deadline("access", at_noon("2026-02-02", SMALL), SMALL)
    assert until.calendar_version.startswith("holidays ")
    assert until.inputs == {
        "received_at": "2026-02-02T15:00:00+00:00",
        "received_on": "2026-02-02",
        "regime": "lgpd",
        "country": "BR",
        "time_zone": "America/Sao_Paulo",
        "small_agent": True,
        "days": 30,
        "months": 0,
    }


def test_an_alert_comes_after_its_share_of_the_time() -> None:
    received_at = datetime(2026, 2, 2, tzinfo=UTC)
    last_second = received_at + timedelta(days=20, seconds=-1)
    assert alert_at(0.75, received_at, last_second) == received_at + timedelta(days=15)
    assert alert_at(1, received_at, last_second) == received_at + timedelta(days=20)
