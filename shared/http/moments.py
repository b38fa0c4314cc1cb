"""Moments as callers give them: RFC 3339, with their zone, and nothing that merely looks like a number of seconds."""

import re
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _as_documented(value: Any) -> Any:
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise ValueError("must be a time as of RFC 3339, such as 2026-11-22T09:30:00Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_as_documented)]
"""A time with its zone, in a body or a query."""
