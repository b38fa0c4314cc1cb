"""How much of a time it was open, by what was in force at each moment of it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.metrics.domain import Calendar, Hours, Place
from tests.services.metrics.stories import AFTERNOONS, REPAIRS, SALES
from tests.support.events import NOON

HOUR = 3600
LISBON = Place(1, "Europe/Lisbon", "PT", NOON - timedelta(days=30))
MORNINGS = {"friday": [{"start": "08:00", "end": "12:00"}]}


def hours(week: Any, version: int = 1, *, after: float = -24, queue: UUID | None = None, **fields: Any) -> Hours:
    """From so many hours after noon."""
    told: dict[str, Any] = {"exceptions": {}, "holidays": False}
    return Hours(queue, version, NOON + timedelta(hours=after), week, **told | fields)


def open_hours(calendar: Calendar, since: float, until: float, queue: UUID | None = SALES) -> float:
    """Between so many hours after noon and so many."""
    start, end = (NOON + timedelta(hours=hour) for hour in (since, until))
    return calendar.open_seconds(queue, start, end) / HOUR


CALENDARS: dict[str, tuple[Calendar, float]] = {
    "without hours it is always open": (Calendar([LISBON]), 8),
    "nor does it need a place then": (Calendar(), 8),
    "the tenant's hours hold for its queues": (Calendar([LISBON], [hours(AFTERNOONS)]), 5),
    "a queue's own go before": (Calendar([LISBON], [hours(AFTERNOONS), hours(MORNINGS, queue=SALES)]), 2),
    "those of another do not": (Calendar([LISBON], [hours(AFTERNOONS), hours(MORNINGS, queue=REPAIRS)]), 5),
    "from when they changed": (Calendar([LISBON], [hours(AFTERNOONS), hours(MORNINGS, 2, after=3)]), 2),
    "before there were any it was open": (Calendar([LISBON], [hours(AFTERNOONS, after=-1)]), 1 + 5),
    "forgotten, it is always open": (Calendar([LISBON], [hours(AFTERNOONS), hours(None, 2, after=3)]), 2 + 3),
    "a queue that forgets its own has the tenant's": (
        Calendar([LISBON], [hours(AFTERNOONS), hours({}, queue=SALES), hours(None, 2, after=3, queue=SALES)]),
        3,
    ),
    "a day that is an exception": (
        Calendar([LISBON], [hours(AFTERNOONS, exceptions={"2026-11-20": [{"start": "13:00", "end": "14:00"}]})]),
        1,
    ),
    "where nothing is known of the place, by the world's clock": (Calendar([], [hours(AFTERNOONS)]), 5),
    "in another zone": (Calendar([Place(1, "America/Sao_Paulo", "BR", None)], [hours(AFTERNOONS)]), 2),
    "the first place was ever before": (
        Calendar([Place(1, "Europe/Lisbon", "PT", NOON + timedelta(days=3))], [hours(AFTERNOONS)]),
        5,
    ),
    "from when it moved": (
        Calendar([LISBON, Place(2, "America/Sao_Paulo", "BR", NOON + timedelta(hours=2))], [hours(AFTERNOONS)]),
        1 + 2,
    ),
}


@pytest.mark.parametrize(("calendar", "expected"), CALENDARS.values(), ids=CALENDARS)
def test_from_two_hours_before_noon_to_six_after(calendar: Calendar, expected: float) -> None:
    assert open_hours(calendar, -2, 6) == expected


@pytest.mark.parametrize(("country", "expected"), [("PT", 0), ("BR", 5)])
def test_a_public_holiday_is_that_of_the_tenants_country(country: str, expected: float) -> None:
    calendar = Calendar([Place(1, "UTC", country, None)], [hours({"tuesday": AFTERNOONS["friday"]}, holidays=True)])
    restoration = datetime(2026, 12, 1, tzinfo=UTC)
    assert calendar.open_seconds(None, restoration, restoration + timedelta(days=1)) / HOUR == expected


def test_no_clock_is_believed_that_is_wrong_by_centuries() -> None:
    calendar = Calendar([LISBON], [hours(AFTERNOONS)])
    ever = calendar.open_seconds(None, datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
    assert 0 <= ever <= 3660 * 24 * HOUR
    assert calendar.open_seconds(None, NOON, NOON) == 0
    last = datetime.max.replace(tzinfo=UTC)
    assert calendar.open_seconds(None, last - timedelta(days=1), last) == 0
