"""When a tenant was open: by the hours, the time zone and the holidays that were in force at the time."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from shared.opening_hours import Schedule, open_seconds, schedule_of

LONGEST: Final = timedelta(days=3660)
"""What seems to last longer is counted so far: no clock is right about it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tenant is, as one version of it told."""

    version: int
    time_zone: str
    country: str | None
    changed_at: datetime | None
    """None when it is not known since when."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of a tenant, or of one of its queues, from a moment on."""

    queue_id: UUID | None
    version: int
    changed_at: datetime
    week: Mapping[str, Any] | None
    """None from when they were forgotten."""
    exceptions: Mapping[str, Any]
    holidays: bool


_NOWHERE: Final = Place(0, "UTC", None, None)
_EVER: Final = datetime.min.replace(tzinfo=UTC)


class Calendar:
    """All hours that a tenant ever had.

    A queue has its own hours while it has any, else those of the tenant; without any it is always open. Before the
    first place that is known, the tenant is taken to have been there.
    """

    def __init__(self, places: Iterable[Place] = (), hours: Iterable[Hours] = ()) -> None:
        self._places = sorted(places, key=lambda place: (place.changed_at or _EVER, place.version)) or [_NOWHERE]
        self._moved_at = [place.changed_at or _EVER for place in self._places[1:]]
        self._hours: dict[UUID | None, list[Hours]] = defaultdict(list)
        for each in sorted(hours, key=lambda one: (one.changed_at, one.version)):
            self._hours[each.queue_id].append(each)
        self._changes: dict[UUID | None, list[datetime]] = {}
        self._schedules: dict[tuple[UUID | None, datetime, int], Schedule] = {}

    def open_seconds(self, queue_id: UUID | None, start: datetime, end: datetime) -> float:
        """How much of the time from start to end the queue, or the tenant, was open, in seconds that really passed."""
        if end - start > LONGEST:
            end = start + LONGEST
        return sum((self._open_seconds(queue_id, since, until) for since, until in self._pieces(queue_id, start, end)))

    def _open_seconds(self, queue_id: UUID | None, start: datetime, end: datetime) -> float:
        schedule = self._schedule(queue_id, start)
        return (end - start).total_seconds() if schedule is None else open_seconds(schedule, start, end)

    def _pieces(self, queue_id: UUID | None, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The time from start to end, cut where anything changed."""
        changes = self._changes_of(queue_id)
        cuts = changes[bisect_right(changes, start) : bisect_left(changes, end)]
        return pairwise([start, *cuts, end])

    def _changes_of(self, queue_id: UUID | None) -> list[datetime]:
        """When the hours that hold for a queue may have changed, one after the other."""
        if queue_id not in self._changes:
            changes = {each.changed_at for whose in {queue_id, None} for each in self._hours.get(whose, ())}
            self._changes[queue_id] = sorted(changes.union(self._moved_at))
        return self._changes[queue_id]

    def _schedule(self, queue_id: UUID | None, at: datetime) -> Schedule | None:
        hours = self._in_force(queue_id, at) or self._in_force(None, at)
        if hours is None or hours.week is None:
            return None
        place = self._places[bisect_right(self._moved_at, at)]
        key = hours.queue_id, hours.changed_at, place.version
        if key not in self._schedules:
            holidays_of = place.country if hours.holidays else None
            self._schedules[key] = schedule_of(
                hours.week, hours.exceptions, time_zone=place.time_zone, holidays_of=holidays_of
            )
        return self._schedules[key]

    def _in_force(self, queue_id: UUID | None, at: datetime) -> Hours | None:
        hours: Sequence[Hours] = self._hours.get(queue_id, ())
        place = bisect_right(hours, at, key=lambda each: each.changed_at)
        return hours[place - 1] if place and hours[place - 1].week is not None else None
