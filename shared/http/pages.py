"""Lists by pages: an opaque cursor says where the next one begins."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Query
from pydantic import BaseModel

from shared.http.problems import BadRequest

LONGEST = 500

T = TypeVar("T")
R = TypeVar("R")


class Page(BaseModel, Generic[T]):
    """Some items of a list, and the cursor of the next ones."""

    items: list[T]
    next_cursor: str | None = None


class Paging:
    """What a caller asks of a list."""

    def __init__(self, limit: int, cursor: str | None) -> None:
        self.limit = limit
        self._cursor = cursor

    @property
    def more(self) -> int:
        """One row more than the page holds tells whether there is a next page."""
        return self.limit + 1

    def after(self, *kinds: type) -> tuple[Any, ...] | None:
        """The sort key after which the page begins; raises `BadRequest` for a cursor that is not of this list."""
        if self._cursor is None:
            return None
        try:
            parts = orjson.loads(base64.urlsafe_b64decode(self._cursor[:LONGEST].encode("ascii") + b"=="))
            return tuple(_READ[kind](part) for kind, part in zip(kinds, parts, strict=True))
        except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
            raise BadRequest("The cursor is not one of this list.", slug="bad-cursor") from None

    def after_id(self) -> UUID | None:
        """The same where lists are sorted by their ids alone."""
        after = self.after(UUID)
        return after[0] if after else None

    def page(self, rows: Sequence[R], show: Callable[[R], T], key: Callable[[R], Sequence[Any]]) -> Page[T]:
        """The page of `rows`, of which there are up to `more`."""
        shown = rows[: self.limit]
        return Page(
            items=[show(row) for row in shown],
            next_cursor=_write(key(shown[-1])) if len(rows) > self.limit else None,
        )


async def _paging(
    limit: Annotated[int, Query(ge=1, le=200, description="How many items at most.")] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> Paging:
    return Paging(limit, cursor)


Pages = Annotated[Paging, Depends(_paging)]


def _moment(part: Any) -> datetime:
    moment = datetime.fromisoformat(part)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)


def _number(part: Any) -> int:
    if type(part) is not int or not -(2**31) <= part < 2**31:
        raise ValueError("no number that a column of integers holds")
    return part


_READ: dict[type, Callable[[Any], Any]] = {datetime: _moment, UUID: UUID, int: _number}


def _write(key: Sequence[Any]) -> str:
    # The driver's UUIDs are of a class of their own, which orjson does not know.
    return base64.urlsafe_b64encode(orjson.dumps(list(key), default=str)).rstrip(b"=").decode()
