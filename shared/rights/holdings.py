"""What a process holds about a person: rows of every table that says whom it is about, page by page.

Every query is built from the declarations (`shared.personal`), so that no table is forgotten for being new.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import TypeAdapter
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    cast,
    exists,
    literal,
    select,
    tuple_,
    union,
)
from sqlalchemy.ext.asyncio import AsyncSession

from shared.personal import about_of, at
from shared.rights.deposits import PIECE, PLAIN_BYTES

_ROWS: Final = 500
"""A page has no more rows, however short they are."""
_STREAMED: Final = {"yield_per": 8}
"""So many rows are in memory at once besides those of the page: each of them may be long."""
_PIECE: Final = (PLAIN_BYTES - 500) // 4
"""So many characters fit into a part whatever they are, beside what stands around them."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whose rows are looked for: at which tenant, and under what, by kind of reference."""

    tenant_id: UUID
    references: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a table, one after the other by primary key."""

    table: str
    rows: Sequence[bytes]
    """Each a JSON object; together they fit into one part, save for a single row that is longer."""
    last: Sequence[Any] | None
    """The key after which the next page begins; None where there is no more."""

    def parts(self) -> list[bytes]:
        """The page in parts, before they are sealed: one, or as many as its one long row needs."""
        whole = _part(self.table, self.rows)
        if len(whole) <= PLAIN_BYTES:
            return [whole]
        (row,) = (row.decode() for row in self.rows)
        pieces = [row[start : start + _PIECE] for start in range(0, len(row), _PIECE)]
        return [
            _part(self.table, [orjson.dumps({PIECE: [number, len(pieces)], "json": piece})])
            for number, piece in enumerate(pieces, start=1)
        ]


class Holdings:
    """The tables of a process, as a person is given what they hold about him."""

    def __init__(self, *metadata: MetaData) -> None:
        self._tables: Final = {table.name: table for each in metadata for table in each.tables.values()}

    def tables_about(self, person: Person) -> list[str]:
        """The tables that can be about whom these references mean, in the order in which they are read."""
        return sorted(name for name, table in self._tables.items() if self._ways(table, person))

    def categories(self, table: str) -> dict[str, str]:
        """The personal columns of a table, each with its category."""
        return {
            column.name: category
            for column in self._tables[table].columns
            if (category := column.info.get("personal")) is not None
        }

    async def page(
        self, table: str, person: Person, session: AsyncSession, *, after: Sequence[Any] | None = None
    ) -> Page:
        """What the table holds about the person, from the key `after` on: as many rows as fit into one part."""
        held = self._tables[table]
        rows: list[bytes] = []
        last: Sequence[Any] | None = None
        room = PLAIN_BYTES - len(_part(table, []))
        query = self._query(held, person, after)
        found = await session.stream(query, execution_options=_STREAMED)
        try:
            async for row in found.mappings():
                text = _as_json(held, row)
                room -= len(text) + 1
                if rows and room < 0:
                    return Page(table, rows, last)
                rows.append(text)
                last = [row[key.name] for key in held.primary_key]
        finally:
            await found.close()
        return Page(table, rows, last if len(rows) == _ROWS else None)

    def _query(self, table: Table, person: Person, after: Sequence[Any] | None) -> Select[Any]:
        """Each way to the person is looked up by itself, as its index wants it; what was found is then read."""
        keys = list(table.primary_key)
        beyond = [] if after is None else [tuple_(*keys) > tuple_(*map(_bound, keys, after))]
        ways = (
            select(*keys).where(*_of_tenant(table, person), way, *beyond).order_by(*keys).limit(_ROWS)
            for way in self._ways(table, person)
        )
        found = union(*ways).subquery("found")
        return (
            select(*(_read(column) for column in table.columns if not column.info.get("secret")))
            .join(found, and_(*(key == found.c[key.name] for key in keys)))
            .order_by(*keys)
            .limit(_ROWS)
        )

    def _ways(self, table: Table, person: Person) -> list[ColumnElement[bool]]:
        """The conditions of which each makes a row one about the person."""
        told = about_of(table)
        if told is None:
            return []
        here = [
            at(table, place).in_(list(_possible(at(table, place), references)))
            for kind, places in told.places.items()
            if (references := person.references.get(kind))
            for place in places
        ]
        return here + [
            exists()
            .where(
                *_of_tenant(other, person),
                *(table.c[mine] == other.c[theirs] for mine, theirs in via.columns.items()),
                way,
            )
            .correlate(table)
            for via in told.via
            for other in [self._tables[via.table]]
            for way in self._ways(other, person)
        ]


def _of_tenant(table: Table, person: Person) -> list[ColumnElement[bool]]:
    told = about_of(table)
    if told is None or told.tenant is None:
        return []
    place = at(table, told.tenant)
    return [place == _bound(place, person.tenant_id)]


def _possible(place: ColumnElement[Any], references: Sequence[str]) -> Iterator[ColumnElement[Any]]:
    """Those that can stand at this place: where ids are UUIDs, what is none is nobody's."""
    for reference in references:
        with suppress(ValueError):
            yield _bound(place, reference)


def _bound(place: ColumnElement[Any], value: Any) -> ColumnElement[Any]:
    """The value as what stands at this place, be it as text; raises `ValueError` where it cannot be."""
    kind = place.type.python_type
    return literal(str(value) if kind is str else TypeAdapter(kind).validate_python(value), place.type)


def _read(column: Column[Any]) -> ColumnElement[Any]:
    """JSON is fetched as text: it may hold what Python would not give back as it is."""
    return cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column


def _as_json(table: Table, row: Mapping[str, Any]) -> bytes:
    shown = {
        name: _legible(value) if isinstance(value, bytes) or isinstance(table.c[name].type, JSON) else value
        for name, value in row.items()
    }
    return orjson.dumps(shown, option=orjson.OPT_UTC_Z, default=str)


def _legible(value: bytes | str | None) -> Any:
    """JSON as what it says, other text as text, and any other bytes in base64."""
    if value is None:
        return None
    try:
        said = orjson.loads(value)
        # What is too deep or too large a number for whoever takes the part in, stays text.
        orjson.dumps([[[said]]])
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return value if isinstance(value, str) else _text_of(value)
    return said


def _text_of(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _part(table: str, rows: Sequence[bytes]) -> bytes:
    return b'{"table":%b,"rows":[%b]}' % (orjson.dumps(table), b",".join(rows))
