"""Fields that mean the same in every body and query: words that can be stored, and moments that can be."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic.json_schema import SkipJsonSchema

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _as_documented(value: Any) -> Any:
    # Left to itself the framework takes numbers, too, and what merely looks like one.
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise ValueError("must be a time as of RFC 3339, such as 2026-11-22T09:30:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time of the years 1 to 9999 in UTC") from None


def _storable(value: str) -> str:
    if _UNSTORABLE.search(value):
        raise ValueError("must not hold a NUL character or half a character")
    return value


def _not_null(value: Any) -> Any:
    if value is None:
        raise ValueError("must not be null; what is left out stays as it is")
    return value


T = TypeVar("T")
Present = Annotated[T | SkipJsonSchema[None], BeforeValidator(_not_null)]
"""A member of a change that can be left out, but not be null: what it changes is never empty."""

Moment = Annotated[AwareDatetime, BeforeValidator(_as_documented), AfterValidator(_in_utc)]
"""A time with its zone as of RFC 3339, given on in UTC."""

Words = Annotated[str, AfterValidator(_storable)]
"""A text that Postgres can hold."""
