"""When a counter is open: the week, its exceptions, and the public holidays of a country. Pure arithmetic."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from holidays import countries

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Span = Mapping[str, str]
"""`{"start": "09:00", "end": "18:00"}`"""

FORESEEN: Final = timedelta(days=60)
"""How far ahead the next opening is looked for."""

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(weeks=1)
SECOND: Final = timedelta(seconds=1)

_FIRST: Final = datetime(1, 2, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 10, 1, tzinfo=UTC)
"""Outside of these it is taken to be closed: there the calendar ends within what is looked at, or in another zone."""


class OverlapError(ValueError):
    """An interval begins before another of the same day has ended, or ends before it begins."""

    def __init__(self, where: int | date, index: int) -> None:
        super().__init__(f"Interval {index} of {where} overlaps another one or ends before it begins.")
        self.where = where
        """The day of the week (0 is Monday) or the date of an exception."""
        self.index = index
        """Which of that day's intervals, counted from 0 in the order in which they were given."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Open from `start` on, until just before `end`; an end at 00:00 is the midnight after."""

    start: time
    end: time

    @property
    def opens(self) -> timedelta:
        """What a clock on the wall shows at the start, counted from midnight."""
        return _shown(self.start)

    @property
    def closes(self) -> timedelta:
        """What it shows at the end."""
        return _shown(self.end) or DAY


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a counter is open by the clock on its wall.

    An exception stands for the whole of its day, and no intervals mean closed. On the public holidays of the country
    `holidays_of` (ISO 3166-1, two letters) it is closed unless the date is an exception; those that only a region
    keeps are exceptions too. A country that is not known has no holidays.
    """

    time_zone: str
    week: Mapping[int, Sequence[Interval]]
    """By the day of the week, 0 is Monday; a day that is missing is closed."""
    exceptions: Mapping[date, Sequence[Interval]]
    holidays_of: str | None


def schedule_of(
    week: Mapping[str, Sequence[Span]],
    exceptions: Mapping[str, Sequence[Span]],
    *,
    time_zone: str,
    holidays_of: str | None,
) -> Schedule:
    """The schedule of hours that are kept by the names of the days and by dates (ISO 8601)."""
    return Schedule(
        time_zone,
        week={WEEKDAYS.index(day): _intervals(spans) for day, spans in week.items()},
        exceptions={date.fromisoformat(day): _intervals(spans) for day, spans in exceptions.items()},
        holidays_of=holidays_of,
    )


def _intervals(spans: Sequence[Span]) -> list[Interval]:
    return [Interval(time.fromisoformat(span["start"]), time.fromisoformat(span["end"])) for span in spans]


def check(schedule: Schedule) -> None:
    """Raise `OverlapError` for the first interval that cannot stand."""
    days: list[tuple[int | date, Sequence[Interval]]] = [
        *sorted(schedule.week.items()),
        *sorted(schedule.exceptions.items()),
    ]
    for day, intervals in days:
        closed = timedelta()
        for index, interval in sorted(enumerate(intervals), key=lambda numbered: numbered[1].start):
            if not closed <= interval.opens < interval.closes:
                raise OverlapError(day, index)
            closed = interval.closes


def is_open(schedule: Schedule, now: datetime) -> bool:
    """Whether the clock on the wall shows a time within an interval of its day.

    So a time that comes twice is open both times, and one that never comes is not.
    """
    if not _FIRST <= now < _LAST:
        return False
    local = now.astimezone(ZoneInfo(schedule.time_zone))
    shown = _shown(local.time())
    return any(interval.opens <= shown < interval.closes for interval in _hours_of(schedule, local.date()))


def next_opening(schedule: Schedule, now: datetime) -> datetime | None:
    """The first open moment from now on, in UTC: now itself when it is open, None when there is none in 60 days."""
    now = _known(now)
    return next((opened for opened, _ in _open_spans(schedule, now, now + FORESEEN)), None)


def open_seconds(schedule: Schedule, start: datetime, end: datetime) -> float:
    """How long it is open from start to end, in seconds that really pass; 0 when the end is not after the start."""
    spans = _open_spans(schedule, start, end)
    return sum(((closed - opened).total_seconds() for opened, closed in spans), 0.0)


def _open_spans(schedule: Schedule, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The spans between start and end in which it is open, in UTC, one after the other."""
    start, end = _known(start), _known(end)
    for since, until, offset in _steady_spans(ZoneInfo(schedule.time_zone), start, end):
        day = (since + offset).date()
        while (midnight := datetime.combine(day, time(), UTC) - offset) < until:
            for interval in sorted(_hours_of(schedule, day), key=lambda interval: interval.start):
                opened, closed = max(since, midnight + interval.opens), min(until, midnight + interval.closes)
                if opened < closed:
                    yield opened, closed
            day += DAY


def _known(moment: datetime) -> datetime:
    """The moment, or the nearest one of which calendars tell, in UTC."""
    return min(max(moment, _FIRST), _LAST).astimezone(UTC)


def _steady_spans(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The time between start and end in spans of a week or less, each with the zone's one offset from UTC in it.

    Clocks are taken to change at most once in a week, and on a full second.
    """
    while start < end:
        offset, until = _offset(zone, start), min(start + WEEK, end)
        if _offset(zone, until) != offset:
            until = _change(zone, start.replace(microsecond=0))
        yield start, until, offset
        start = until


def _change(zone: ZoneInfo, start: datetime) -> datetime:
    """The moment within a week of the start at which the clocks change."""
    before = _offset(zone, start)
    seconds = range(WEEK // SECOND + 1)
    passed = bisect_left(seconds, True, key=lambda second: _offset(zone, start + second * SECOND) != before)
    return start + passed * SECOND


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    """How far the zone's clocks are ahead of UTC."""
    return moment.astimezone(zone).replace(tzinfo=UTC) - moment


def _hours_of(schedule: Schedule, day: date) -> Sequence[Interval]:
    if day in schedule.exceptions:
        return schedule.exceptions[day]
    if schedule.holidays_of and day in public_holidays(schedule.holidays_of, day.year):
        return ()
    return schedule.week.get(day.weekday(), ())


@lru_cache(maxsize=1024)
def public_holidays(country: str, year: int) -> frozenset[date]:
    """The public holidays of a country (ISO 3166-1, two letters), without the optional and regional ones."""
    known = getattr(countries, country, None)
    return frozenset(known(years=year)) if known else frozenset()


def _shown(clock: time) -> timedelta:
    """What a clock shows, counted from midnight."""
    return timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond)
