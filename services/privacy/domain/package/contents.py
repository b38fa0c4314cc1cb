"""What a package holds, table by table, and how a file of it is written: beginning, tables with their rows, ending."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import orjson

from services.privacy.domain.package.shape import About, Controller, Request
from services.privacy.domain.package.words import OTHER, category_place
from shared.rights import PIECE

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cover:
    """What a package says before the rows."""

    controller: Controller
    request: Request
    about: About
    zone: ZoneInfo
    """The tenant's, in which a person reads times."""
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Holding:
    """What one service handed over of one table."""

    service: str
    table: str
    rows: int
    categories: Mapping[str, str]
    """The personal columns."""
    attempt: int
    """The one in which they were deposited."""
    parts: Sequence[int]
    """The numbers under which they were."""

    @property
    def category(self) -> str:
        """Under which category a person looks for it: the first of its own, as they are listed."""
        return min(self.categories.values(), key=category_place, default=OTHER)


class Rendering(Protocol):
    """How one file of a package is written, a piece at a time."""

    name: str

    def order(self, holdings: Iterable[Holding]) -> list[Holding]:
        """The order in which the file wants to have them."""

    def beginning(self) -> bytes:
        """What stands before all tables."""

    def table(self, holding: Holding) -> bytes:
        """What stands before the rows of the next table."""

    def rows(self, rows: Sequence[Row]) -> bytes:
        """More rows of this table."""

    def ending(self) -> bytes:
        """What stands after all tables."""


class Assembly:
    """Rows as they were, put together again where one was too long for a part."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def whole(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that these are or end."""
        return [row for piece in rows if (row := self._put_together(piece)) is not None]

    def _put_together(self, row: Row) -> Row | None:
        if PIECE not in row:
            return row
        self._pieces.append(row["json"])
        if not ends_row(row):
            return None
        text, self._pieces = "".join(self._pieces), []
        whole: Row = orjson.loads(text)
        return whole


def ends_row(row: Row) -> bool:
    """Whether it is a whole row, or the last piece of one."""
    number, of = row.get(PIECE, (1, 1))
    return bool(number == of)
