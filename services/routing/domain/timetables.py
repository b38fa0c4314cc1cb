"""When it opens again, and what Balcão says by itself and when."""

from datetime import datetime
from typing import Literal

from services.routing.domain.cases import Case
from shared.opening_hours import Schedule, is_open, next_opening

ReplyKind = Literal["greeting", "out_of_hours"]


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
    return case._replace(greeted_at=at) if kind == "greeting" else case._replace(away_told_at=at)
