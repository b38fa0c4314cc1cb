"""Until when the law wants an answer: days and months as Brazil and the Union count them, in the zone of the law.

Day 0, on which it begins, does not count; the last day counts whole, so that late is who answers on the next. Of each
deadline there are two: `due_at`, the safe one, by which Balcão works, and `legal_latest_at`, which a weekend or public
holiday puts off (Código Civil art. 132 §1; Regulation 1182/71 art. 3(4)). Optional holidays, such as Carnival in
Brazil, put nothing off.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from holidays.version import __version__ as holidays_version

from services.privacy.domain.requests import Right
from shared.opening_hours import public_holidays

CALENDAR: Final = f"holidays {holidays_version}"
"""Which public holidays are known, by the version of who tells them."""

ALERTED_AT: Final = (0.5, 0.75, 0.9, 1.0)
"""The shares of its time after which an unsettled request is told of."""

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_LAST_SECOND: Final = time(23, 59, 59)

_ZONES: Final = {"lgpd": "America/Sao_Paulo", "gdpr PT": "Europe/Lisbon"}
"""Whose day it is under a law, or under a law of the Union's in a country."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How long there is, and by which law."""

    id: str
    days: int = 0
    months: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where and under which law it is counted."""

    regime: str
    country: str
    """ISO 3166-1, two letters: whose public holidays count."""
    time_zone: str
    """In which days begin and end: see `zone_of`."""
    small_agent: bool = False
    """A small agent as of Resolution CD/ANPD 2/2022 has twice the time."""

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> Self:
        """Where a deadline with these inputs was counted, whatever its tenant has become since."""
        return cls(**{each.name: inputs[each.name] for each in fields(cls)})


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline with all that it was counted from, so that it can be counted again and defended."""

    due_at: datetime
    legal_latest_at: datetime
    rule_id: str
    calendar_version: str
    inputs: Mapping[str, Any]


_LGPD_COMPLETE: Final = Rule("lgpd.art-19-ii", days=15)
_LGPD_AT_ONCE: Final = Rule("lgpd.art-19-i")
_LGPD_CONSENT: Final = Rule("lgpd.art-8-5")
_LGPD_OTHER: Final = Rule("lgpd.art-18", days=15)
_LGPD: Final[Mapping[Right, Rule]] = {
    "access": _LGPD_COMPLETE,
    "confirmation": _LGPD_AT_ONCE,
    "refusal_consequences": Rule("lgpd.art-18-viii"),
    "consent_withdrawal": _LGPD_CONSENT,
    "marketing_objection": Rule("lgpd.art-18-2"),
}
_SMALL: Final[Mapping[Rule, Rule]] = {
    _LGPD_COMPLETE: Rule("anpd.res-2-2022.art-14.lgpd.art-19-ii", days=30),
    _LGPD_OTHER: Rule("anpd.res-2-2022.art-14.lgpd.art-18", days=30),
    _LGPD_AT_ONCE: Rule("anpd.res-2-2022.art-15", days=15),
}
_GDPR: Final = Rule("gdpr.art-12-3", months=1)
_GDPR_EXTENDED: Final = Rule("gdpr.art-12-3.extended", months=3)
_GDPR_AT_ONCE: Final[Mapping[Right, Rule]] = {
    "consent_withdrawal": Rule("gdpr.art-7-3"),
    "marketing_objection": Rule("gdpr.art-21-3"),
}


def zone_of(regime: str, country: str, time_zone: str) -> str:
    """In which zone a tenant's deadlines are counted: the law's own, or the tenant's where it has none here."""
    return _ZONES.get(regime) or _ZONES.get(f"{regime} {country}", time_zone)


def deadline(right: Right, received_at: datetime, place: Place) -> Deadline:
    """Until when a request must be answered that was received then."""
    return _counted(_rule(right, place), received_at, place)


def extended(received_at: datetime, place: Place) -> Deadline:
    """The deadline after an extension of two further months, counted from the receipt as well (GDPR art. 12(3))."""
    return _counted(_GDPR_EXTENDED, received_at, place)


def may_be_extended(place: Place, rule_id: str, due_at: datetime, now: datetime) -> bool:
    """Whether its time can be made longer: under the GDPR once, within the first month; the LGPD knows no extension."""
    return place.regime == "gdpr" and rule_id == _GDPR.id and not is_late(due_at, now)


def add_months(day: date, months: int, regime: str) -> date:
    """The same day so many months later.

    Where a month has no such day, Brazil counts to the first of the next one (Código Civil art. 132 §3), the Union to
    the last of the month (Regulation 1182/71 art. 3(2)(c)).
    """
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    last = monthrange(year, month)[1]
    if day.day <= last:
        return date(year, month, day.day)
    return date(year, month, last) + (_DAY if regime == "lgpd" else timedelta())


def next_business_day(day: date, country: str) -> date:
    """The day itself, or the first one after it that is neither Saturday, Sunday nor a public holiday."""
    while day.weekday() >= 5 or day in public_holidays(country, day.year):
        day += _DAY
    return day


def is_late(due_at: datetime, now: datetime) -> bool:
    """Whether the last day is over; its last second is not."""
    return due_at <= over_by(now)


def over_by(now: datetime) -> datetime:
    """Deadlines up to this moment are over."""
    return now - _SECOND


def alert_at(share: float, received_at: datetime, due_at: datetime) -> datetime:
    """When this share of the time has passed; all of it has when the last day is over."""
    return received_at + (due_at + _SECOND - received_at) * share


def _rule(right: Right, place: Place) -> Rule:
    if place.regime == "gdpr":
        return _GDPR_AT_ONCE.get(right, _GDPR)
    rule = _LGPD.get(right, _LGPD_OTHER)
    return _SMALL.get(rule, rule) if place.small_agent else rule


def _counted(rule: Rule, received_at: datetime, place: Place) -> Deadline:
    received_on = _local_day(received_at, place)
    due_on = add_months(received_on, rule.months, place.regime) + rule.days * _DAY
    # What must be done at once waits for no business day.
    latest_on = next_business_day(due_on, place.country) if due_on > received_on else due_on
    return Deadline(
        due_at=_end_of(due_on, place),
        legal_latest_at=_end_of(latest_on, place),
        rule_id=rule.id,
        calendar_version=CALENDAR,
        inputs={
            "received_at": received_at.astimezone(UTC).isoformat(),
            "received_on": received_on.isoformat(),
            "regime": place.regime,
            "country": place.country,
            "time_zone": place.time_zone,
            "small_agent": place.small_agent,
            "days": rule.days,
            "months": rule.months,
        },
    )


def _local_day(moment: datetime, place: Place) -> date:
    return moment.astimezone(ZoneInfo(place.time_zone)).date()


def _end_of(day: date, place: Place) -> datetime:
    return datetime.combine(day, _LAST_SECOND, ZoneInfo(place.time_zone)).astimezone(UTC)
