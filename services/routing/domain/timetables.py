"""Business hours as they are kept and shown, the schedule that they make, and what Balcão says by itself and when."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Final, Literal

from services.routing.domain.cases import Case
from services.routing.domain.hours import Interval, Schedule, is_open, next_opening

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Span = Mapping[str, str]
"""`{"start": "09:00", "end": "18:00"}`"""

ReplyKind = Literal["greeting", "out_of_hours"]


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


def opens_at(schedule: Schedule | None, now: datetime) -> datetime | None:
    """When it opens again; None when it is open, or when that is not foreseen. Without a schedule it is always open."""
    return None if schedule is None or is_open(schedule, now) else next_opening(schedule, now)


def reply_to(case: Case, schedule: Schedule | None, now: datetime, *, begins: bool) -> ReplyKind | None:
    """What a customer who writes is told: a greeting when he begins in hours, and that nobody is there.

    The latter is told once an absence, which lasts until it opens. The conversation that he `begins` is greeted once.
    """
    if schedule is None or is_open(schedule, now):
        return "greeting" if begins and case.greeted_at is None else None
    if case.away_told_at is None:
        return "out_of_hours"
    opened = next_opening(schedule, case.away_told_at)
    return "out_of_hours" if opened is not None and opened <= now else None


def replied(case: Case, kind: ReplyKind, at: datetime) -> Case:
    """What he was told is remembered."""
    return replace(case, greeted_at=at) if kind == "greeting" else replace(case, away_told_at=at)
