"""When a counter is open."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.opening_hours import (
    DAY,
    FORESEEN,
    Interval,
    OverlapError,
    Schedule,
    check,
    is_open,
    next_opening,
    open_seconds,
)

fuzz = settings(max_examples=60, deadline=None, derandomize=True, database=None)

QUARTER = timedelta(minutes=15)
MORNING = Interval(time(9), time(12))
AFTERNOON = Interval(time(13), time(18))
EVENING = Interval(time(18), time(0))
ALL_DAY = Interval(time(0), time(0))
WORKDAYS = dict.fromkeys(range(5), (MORNING, AFTERNOON))
ALWAYS = dict.fromkeys(range(7), (ALL_DAY,))


def schedule(
    zone: str,
    week: Mapping[int, Sequence[Interval]],
    exceptions: Mapping[date, Sequence[Interval]] | None = None,
    holidays_of: str | None = None,
) -> Schedule:
    return Schedule(zone, week, exceptions or {}, holidays_of)


def at(zone: str, wall: str, *, again: bool = False) -> datetime:
    """When the clocks of the zone show this; `again` is the second time where it comes twice."""
    return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone), fold=again).astimezone(UTC)


SAO_PAULO, LISBON, MADRID = "America/Sao_Paulo", "Europe/Lisbon", "Europe/Madrid"
OFFICE = schedule(SAO_PAULO, WORKDAYS)


@pytest.mark.parametrize(("wall", "expected"), [
    ("2026-11-23 08:59:59.999999", False),
    ("2026-11-23 09:00", True),
    ("2026-11-23 11:59:59.999999", True),
    ("2026-11-23 12:00", False),
    ("2026-11-23 13:00", True),
    ("2026-11-23 18:00", False),
    ("2026-11-22 10:00", False),  # a Sunday
])  # fmt: skip
def test_it_is_open_from_the_start_of_an_interval_until_just_before_its_end(wall: str, expected: bool) -> None:
    assert is_open(OFFICE, at(SAO_PAULO, wall)) is expected


def test_the_clock_on_the_wall_counts_and_not_that_of_the_caller() -> None:
    assert is_open(OFFICE, datetime(2026, 11, 23, 20, 59, tzinfo=UTC))
    assert not is_open(OFFICE, datetime(2026, 11, 23, 21, 0, tzinfo=UTC))
    assert is_open(OFFICE, datetime(2026, 11, 23, 20, 59, tzinfo=UTC).astimezone(ZoneInfo("Asia/Tokyo")))


FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("now", [FIRST, FIRST + DAY, LAST - DAY, LAST])
def test_where_calendars_end_it_is_closed(zone: str, now: datetime) -> None:
    always = schedule(zone, ALWAYS, holidays_of="PT")
    assert not is_open(always, now)
    opened = next_opening(always, now)
    assert opened is None or opened > now
    assert open_seconds(always, now, now) == 0
    assert open_seconds(schedule(zone, ALWAYS), datetime(9999, 9, 30, tzinfo=UTC), LAST) == DAY.total_seconds()


@pytest.mark.parametrize(("now", "opens"), [
    ("2026-11-23 03:00", "2026-11-23 09:00"),
    ("2026-11-23 12:30", "2026-11-23 13:00"),
    ("2026-11-23 18:00", "2026-11-24 09:00"),
    ("2026-11-27 18:30", "2026-11-30 09:00"),  # after the weekend
])  # fmt: skip
def test_the_next_opening_is_the_next_start_of_an_interval(now: str, opens: str) -> None:
    opening = next_opening(OFFICE, at(SAO_PAULO, now))
    assert opening == at(SAO_PAULO, opens)
    assert opening.tzinfo is UTC


def test_what_is_open_opens_now() -> None:
    now = datetime(2026, 11, 23, 14, 7, 3, 250, tzinfo=UTC)
    assert next_opening(OFFICE, now) == now


def test_an_end_at_midnight_lasts_to_the_end_of_the_day() -> None:
    late = schedule(LISBON, {0: (EVENING,)})
    assert is_open(late, at(LISBON, "2026-11-23 23:59:59.999999"))
    assert not is_open(late, at(LISBON, "2026-11-24 00:00"))
    assert open_seconds(late, at(LISBON, "2026-11-23 00:00"), at(LISBON, "2026-11-30 00:00")) == 6 * 3600


def test_from_midnight_to_midnight_is_the_whole_day() -> None:
    check(schedule(LISBON, ALWAYS))
    start = at(LISBON, "2026-03-01 00:00")
    assert open_seconds(schedule(LISBON, ALWAYS), start, start + timedelta(days=40)) == 40 * 86_400


@pytest.mark.parametrize("week", [{}, dict.fromkeys(range(7), ()), {0: (Interval(time(12), time(9)),)}])
def test_what_never_opens_has_no_next_opening(week: Mapping[int, Sequence[Interval]]) -> None:
    closed = schedule(MADRID, week)
    now = at(MADRID, "2026-11-22 10:00")
    assert not is_open(closed, now)
    assert next_opening(closed, now) is None
    assert open_seconds(closed, now, now + timedelta(days=400)) == 0


def test_the_next_opening_is_looked_for_within_sixty_days() -> None:
    now = at(MADRID, "2026-11-22 10:00")
    soon, later = (now + FORESEEN).date() - timedelta(days=1), (now + FORESEEN).date() + timedelta(days=1)
    assert next_opening(schedule(MADRID, {}, {soon: (MORNING,)}), now) == at(MADRID, f"{soon} 09:00")
    assert next_opening(schedule(MADRID, {}, {later: (MORNING,)}), now) is None


def test_an_exception_stands_for_the_whole_of_its_day() -> None:
    inventory, sunday = date(2026, 11, 23), date(2026, 11, 29)
    odd = schedule(SAO_PAULO, WORKDAYS, {inventory: (), sunday: (EVENING,)})
    assert next_opening(odd, at(SAO_PAULO, "2026-11-23 10:00")) == at(SAO_PAULO, "2026-11-24 09:00")
    assert next_opening(odd, at(SAO_PAULO, "2026-11-28 10:00")) == at(SAO_PAULO, "2026-11-29 18:00")


@pytest.mark.parametrize(("country", "zone", "holiday"), [
    ("BR", SAO_PAULO, "2026-09-07"),  # Independência
    ("BR", SAO_PAULO, "2026-11-20"),  # Consciência Negra, of the whole country since 2024
    ("PT", LISBON, "2026-06-04"),  # Corpo de Deus
    ("PT", LISBON, "2026-12-01"),  # Restauração da Independência
    ("ES", MADRID, "2026-10-12"),  # Fiesta Nacional
    ("FR", "Europe/Paris", "2026-07-14"),  # fête nationale
    ("US", "America/New_York", "2027-12-31"),  # a New Year's Day on a Saturday, kept the day before
])  # fmt: skip
def test_it_is_closed_on_the_public_holidays_of_its_country(country: str, zone: str, holiday: str) -> None:
    noon = at(zone, f"{holiday} 10:00")
    assert is_open(schedule(zone, WORKDAYS), noon)
    assert not is_open(schedule(zone, WORKDAYS, holidays_of=country), noon)


def test_a_holiday_of_one_country_is_a_workday_of_another() -> None:
    independence = at(LISBON, "2026-09-07 10:00")
    assert is_open(schedule(LISBON, WORKDAYS, holidays_of="PT"), independence)


def test_an_exception_opens_a_holiday() -> None:
    fair = schedule(SAO_PAULO, WORKDAYS, {date(2026, 12, 25): (MORNING,)}, "BR")
    assert is_open(fair, at(SAO_PAULO, "2026-12-25 10:00"))
    assert not is_open(fair, at(SAO_PAULO, "2026-12-25 15:00"))


@pytest.mark.parametrize("country", ["ZZ", "XX", "", "br"])
def test_an_unknown_country_has_no_holidays(country: str) -> None:
    assert is_open(schedule(SAO_PAULO, WORKDAYS, holidays_of=country), at(SAO_PAULO, "2026-12-25 10:00"))


def test_a_row_of_holidays_and_a_weekend_is_skipped() -> None:
    easter = schedule(SAO_PAULO, WORKDAYS, holidays_of="BR")
    assert next_opening(easter, at(SAO_PAULO, "2026-04-02 18:00")) == at(SAO_PAULO, "2026-04-06 09:00")


# Lisbon's clocks went from 01:00 to 02:00 on 2026-03-29, and back from 02:00 to 01:00 on 2026-10-25.
# São Paulo's went from 00:00 to 01:00 on 2018-11-04, and from 00:00 back to 23:00 of the day before on 2018-02-18.


def test_what_opens_at_a_time_that_does_not_exist_opens_when_the_clocks_are_put_forward() -> None:
    early = schedule(LISBON, {6: (Interval(time(1, 30), time(4)),)})
    opening = next_opening(early, at(LISBON, "2026-03-28 12:00"))
    assert opening == at(LISBON, "2026-03-29 02:00")
    assert open_seconds(early, at(LISBON, "2026-03-28 12:00"), at(LISBON, "2026-03-29 12:00")) == 2 * 3600


def test_an_interval_of_times_that_do_not_exist_is_left_out() -> None:
    gone = schedule(LISBON, {6: (Interval(time(1, 15), time(1, 45)),)})
    assert next_opening(gone, at(LISBON, "2026-03-28 12:00")) == at(LISBON, "2026-04-05 01:15")
    assert open_seconds(gone, at(LISBON, "2026-03-28 12:00"), at(LISBON, "2026-03-29 12:00")) == 0


def test_a_midnight_that_does_not_exist_ends_and_begins_a_day() -> None:
    through = schedule(SAO_PAULO, {5: (EVENING,), 6: (Interval(time(0), time(9)),)})
    evening, morning = at(SAO_PAULO, "2018-11-03 18:00"), at(SAO_PAULO, "2018-11-04 09:00")
    assert is_open(through, at(SAO_PAULO, "2018-11-04 01:00") - timedelta(seconds=1))
    assert is_open(through, at(SAO_PAULO, "2018-11-04 01:00"))
    assert open_seconds(through, evening, morning) == (6 + 8) * 3600
    sunday = schedule(SAO_PAULO, {6: (ALL_DAY,)})
    assert next_opening(sunday, evening) == at(SAO_PAULO, "2018-11-04 01:00")


def test_times_that_come_twice_are_open_twice() -> None:
    night = schedule(LISBON, {6: (Interval(time(1), time(1, 30)),)})
    first, second = at(LISBON, "2026-10-25 01:00"), at(LISBON, "2026-10-25 01:00", again=True)
    assert second - first == timedelta(hours=1)
    assert next_opening(night, first - QUARTER) == first
    assert next_opening(night, at(LISBON, "2026-10-25 01:30")) == second
    assert is_open(night, second + QUARTER)
    assert open_seconds(night, first, first + timedelta(hours=3)) == 3600


def test_an_evening_that_is_an_hour_longer_is_open_an_hour_longer() -> None:
    late = schedule(SAO_PAULO, {5: (EVENING,)})
    start = at(SAO_PAULO, "2018-02-17 12:00")
    assert open_seconds(late, start, start + timedelta(days=1)) == 7 * 3600


def test_a_day_that_a_country_left_out_is_left_out() -> None:
    # Samoa went from 29 to 31 December 2011 over the date line.
    friday = date(2011, 12, 30)
    island = schedule("Pacific/Apia", {}, {friday: (ALL_DAY,), date(2011, 12, 31): (MORNING,)})
    now = at("Pacific/Apia", "2011-12-29 12:00")
    assert next_opening(island, now) == at("Pacific/Apia", "2011-12-31 09:00")
    assert open_seconds(island, now, now + timedelta(days=3)) == 3 * 3600


@pytest.mark.parametrize(("intervals", "index"), [
    ((MORNING, Interval(time(11), time(13))), 1),
    ((AFTERNOON, MORNING, Interval(time(17), time(19))), 2),
    ((MORNING, MORNING), 1),
    ((EVENING, ALL_DAY), 0),
    ((MORNING, Interval(time(18), time(9))), 1),
    ((Interval(time(9), time(9)),), 0),
])  # fmt: skip
def test_intervals_that_cannot_stand_are_named(intervals: Sequence[Interval], index: int) -> None:
    christmas_eve = date(2026, 12, 24)
    for where, wrong in (
        (2, schedule(LISBON, {1: (MORNING,), 2: intervals})),
        (christmas_eve, schedule(LISBON, WORKDAYS, {christmas_eve: intervals})),
    ):
        with pytest.raises(OverlapError) as raised:
            check(wrong)
        assert (raised.value.where, raised.value.index) == (where, index)


def test_intervals_may_touch_and_stand_in_any_order() -> None:
    touching = schedule(LISBON, {0: (EVENING, AFTERNOON, MORNING), 1: (ALL_DAY,)}, {date(2026, 12, 24): ()})
    check(touching)
    assert next_opening(touching, at(LISBON, "2026-11-23 03:00")) == at(LISBON, "2026-11-23 09:00")
    week = at(LISBON, "2026-11-23 00:00"), at(LISBON, "2026-11-30 00:00")
    assert open_seconds(touching, *week) == (14 + 24) * 3600


def test_time_that_does_not_pass_counts_nothing() -> None:
    now = at(SAO_PAULO, "2026-11-23 10:00")
    assert open_seconds(OFFICE, now, now) == 0
    assert open_seconds(OFFICE, now, now - timedelta(days=1)) == 0


@st.composite
def intervals_of_a_day(draw: st.DrawFn) -> tuple[Interval, ...]:
    """Some that do not overlap, on quarters of an hour."""
    edges = sorted(draw(st.sets(st.integers(0, 96), max_size=6)))
    clocks = [time(edge // 4 % 24, edge % 4 * 15) for edge in edges]
    return tuple(Interval(*pair) for pair in zip(clocks[::2], clocks[1::2], strict=False))


@st.composite
def schedules_around_a_change(draw: st.DrawFn) -> tuple[Schedule, datetime]:
    """A schedule, and a full quarter of an hour near a change of its zone's clocks."""
    zone, change = draw(st.sampled_from([
        (LISBON, datetime(2026, 3, 29, 1, tzinfo=UTC)),
        (LISBON, datetime(2026, 10, 25, 1, tzinfo=UTC)),
        (SAO_PAULO, datetime(2018, 2, 18, 2, tzinfo=UTC)),
        (SAO_PAULO, datetime(2018, 11, 4, 3, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),  # by half an hour
        ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 1, 1, tzinfo=UTC)),  # no change, but an odd offset
    ]))  # fmt: skip
    week = draw(st.dictionaries(st.integers(0, 6), intervals_of_a_day()))
    exceptions = draw(
        st.dictionaries(st.sampled_from([change.date(), change.date() + timedelta(1)]), intervals_of_a_day())
    )
    before = draw(st.integers(0, 150))
    return Schedule(zone, week, exceptions, None), change - before * QUARTER


@given(given_schedule=schedules_around_a_change(), quarters=st.integers(0, 300))
@fuzz
def test_open_time_is_the_sum_of_the_moments_at_which_it_is_open(
    given_schedule: tuple[Schedule, datetime], quarters: int
) -> None:
    counter, start = given_schedule
    check(counter)
    moments = [start + passed * QUARTER for passed in range(quarters)]
    total = sum(is_open(counter, moment) for moment in moments) * QUARTER.total_seconds()
    assert open_seconds(counter, start, start + quarters * QUARTER) == total


@given(given_schedule=schedules_around_a_change())
@fuzz
def test_the_next_opening_is_the_first_moment_at_which_it_is_open(given_schedule: tuple[Schedule, datetime]) -> None:
    counter, start = given_schedule
    moments = (start + passed * QUARTER for passed in range(FORESEEN // QUARTER))
    assert next_opening(counter, start) == next((moment for moment in moments if is_open(counter, moment)), None)


@given(given_schedule=schedules_around_a_change(), parts=st.tuples(st.floats(0, 3e5), st.floats(0, 3e5)))
@fuzz
def test_open_time_adds_up(given_schedule: tuple[Schedule, datetime], parts: tuple[float, float]) -> None:
    counter, start = given_schedule
    between = start + timedelta(seconds=parts[0])
    end = between + timedelta(seconds=parts[1])
    whole = open_seconds(counter, start, between) + open_seconds(counter, between, end)
    assert open_seconds(counter, start, end) == pytest.approx(whole)
