"""Careful reading of JSON that may hold anything where the documentation promises something."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from services.ingest.domain import MisunderstoodError

MAX_IDENTIFIER = 255
"""Longer than any id of the provider, short enough for every index."""

_MAX_CODE = 2**31 - 1
_WHATSAPP_BEGAN = datetime(2009, 1, 1, tzinfo=UTC).timestamp()
_CLOCK_SKEW = timedelta(days=1).total_seconds()
_SECONDS_END = 100_000_000_000
"""Beyond it (the year 5138) a stamp counts milliseconds, which have been seen."""


def text(part: Mapping[str, Any], name: str) -> str | None:
    """The member, if it is a text that is not empty."""
    value = part.get(name)
    return value if isinstance(value, str) and value else None


def identifier(part: Mapping[str, Any], name: str) -> str | None:
    """The member, if it can serve as a key."""
    value = part.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= MAX_IDENTIFIER else None


def needed_identifier(part: Mapping[str, Any], name: str) -> str:
    """The member, which must be able to serve as a key; raises `MisunderstoodError`."""
    value = identifier(part, name)
    if value is None:
        raise MisunderstoodError(f"{name} is not an id")
    return value


def needed_object(part: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The member, which must be an object; raises `MisunderstoodError`."""
    value = part.get(name)
    if not isinstance(value, dict):
        raise MisunderstoodError(f"{name} is not an object")
    return value


def optional_object(part: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The member, if it is an object; otherwise an empty one."""
    value = part.get(name)
    return value if isinstance(value, dict) else {}


def first_error(part: Mapping[str, Any]) -> tuple[int | None, str | None]:
    """Code and title of the first of `errors`."""
    errors = part.get("errors")
    if not isinstance(errors, list) or not errors or not isinstance(errors[0], dict):
        return None, None
    return error(errors[0])


def error(told: Mapping[str, Any]) -> tuple[int | None, str | None]:
    """Code and title of an error, as far as it gives them."""
    code = told.get("code")
    return code if type(code) is int and abs(code) <= _MAX_CODE else None, text(told, "title")


def moment(stamp: object, received_at: datetime) -> datetime:
    """A Unix time, a number or its digits, in seconds or milliseconds; `received_at` if it cannot be true."""
    if isinstance(stamp, str) and stamp.isascii() and stamp.isdigit() and len(stamp) <= 16:
        stamp = int(stamp)
    if type(stamp) is not int:
        return received_at
    seconds = stamp / 1000 if stamp > _SECONDS_END else stamp
    if not _WHATSAPP_BEGAN <= seconds <= received_at.timestamp() + _CLOCK_SKEW:
        return received_at
    return datetime.fromtimestamp(seconds, UTC)
