"""Personal data is declared where it is defined: on a field of an event, on a column of a table.

A table also tells whom its rows are about. From the declarations come the redaction of logs, the wire form of events,
what a person is given when he asks for it (LGPD art. 19, GDPR art. 15) and, later, the eraser and the record of
processing (LGPD art. 37, GDPR art. 30).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel
from sqlalchemy import ARRAY, JSON, Column, ColumnElement, LargeBinary, MetaData, String, Table
from sqlalchemy.dialects.postgresql import BYTEA, JSONB

T = TypeVar("T")

CATEGORIES = {
    "contact.name": "how a person is called",
    "contact.address": "a number, handle or e-mail address by which a channel reaches a person",
    "contact.attributes": "what a tenant noted about a person",
    "message.content": "what a person wrote, said or sent",
    "message.metadata": "what a provider told beside a message",
    "user.name": "how a member of the tenant's staff is called and reached",
}
"""Every category of personal data that Balcão holds, in words."""

REFERENCES: Final = {
    "contact": "a contact's id",
    "user": "the id of a member of the tenant's staff",
    "sender": "the fingerprint of an address on a channel account, `sender_ref`",
    "visitor": "the id of a web chat's session",
}
"""By what a row may refer to a person, in words."""


REFERRING: Final = frozenset(
    {
        "agent_id", "assignee_id", "author_id", "contact_id", "sender_ref", "session_id", "subject_id", "user_id",
        "visitor_id",
    }
)  # fmt: skip
"""How columns are called that refer to a person: a table that has one is about somebody."""


@dataclass(frozen=True, slots=True)
class Via:
    """A row is about whom a row of another table of the same process is about."""

    table: str
    columns: Mapping[str, str]
    """Columns of the row, each with the one of the other table that it equals."""


@dataclass(frozen=True, slots=True)
class About:
    """Whom the rows of a table are about: every way that is named here counts."""

    places: Mapping[str, tuple[str, ...]]
    """By kind of reference (`REFERENCES`) the places in the row that may hold it (see `at`)."""
    via: tuple[Via, ...] = ()
    tenant: str | None = "tenant_id"
    """The place of the tenant; None where only the row by way of which this one is found tells it."""
    because: str | None = None
    """Why they are about nobody."""


@dataclass(frozen=True, slots=True)
class Personal:
    """Marks an event's field as personal data of a category."""

    category: str

    def __post_init__(self) -> None:
        _known(self.category)


@dataclass(frozen=True, slots=True)
class NotPersonal:
    """Marks an event's field as looked at and found not personal."""


Plain = Annotated[T, NotPersonal()]
"""A field that is not personal: `conversation_id: Plain[UUID]`."""


def personal(category: str) -> dict[str, Any]:
    """The `info` of a column that holds personal data."""
    return {"personal": _known(category)}


def not_personal() -> dict[str, Any]:
    """The `info` of a text, JSON or binary column that was looked at and found not personal."""
    return {"personal": None}


def secret() -> dict[str, Any]:
    """The `info` of a column that nobody is ever shown, not even whom it is about: a digest, a sealed credential."""
    return {"personal": None, "secret": True}


def about(*via: Via, tenant: str | None = "tenant_id", **places: str | tuple[str, ...]) -> dict[str, Any]:
    """The `info` of a table whose rows are about persons: `about(contact="contact_id")`.

    A place is a column, or a member of a JSON column: `headers.ce_datasubject`.
    """
    if unknown := places.keys() - REFERENCES.keys():
        raise ValueError(f"no such kind of reference to a person: {', '.join(sorted(unknown))}")
    named = {kind: (place,) if isinstance(place, str) else place for kind, place in places.items()}
    return {"about": About(named, via, tenant)}


def about_nobody(because: str) -> dict[str, Any]:
    """The `info` of a table that was looked at and found to be about no person."""
    return {"about": About({}, because=because)}


def about_of(table: Table) -> About | None:
    """Whom its rows are about; None where nobody has said it."""
    told: About | None = table.info.get("about")
    return told


def at(table: Table, place: str) -> ColumnElement[Any]:
    """What stands at a place of a row; raises `KeyError` where there is no such column."""
    name, _, member = place.partition(".")
    column: ColumnElement[Any] = table.c[name]
    return column[member].astext if member else column


def _known(category: str) -> str:
    if category not in CATEGORIES:
        raise ValueError(f"no such category of personal data: {category}")
    return category


def personal_fields(model: type[BaseModel]) -> dict[str, str]:
    """The personal fields of an event, each with its category."""
    return {
        name: mark.category
        for name, field in model.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Personal)
    }


def undeclared_fields(model: type[BaseModel]) -> list[str]:
    """The fields of an event that are declared neither personal nor not personal."""
    return [
        name
        for name, field in model.model_fields.items()
        if not any(isinstance(mark, Personal | NotPersonal) for mark in field.metadata)
    ]


def personal_columns(metadata: MetaData) -> Iterator[tuple[Column[Any], str]]:
    """The personal columns of a service's tables, each with its category."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            if category := column.info.get("personal"):
                yield column, category


def undeclared_columns(metadata: MetaData) -> list[str]:
    """The text, JSON and binary columns that are declared neither personal nor not personal."""
    return [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if _may_hold_text(column) and "personal" not in column.info
    ]


def misdeclared_tables(tables: Iterable[Table]) -> list[str]:
    """What is wrong with what the tables of a process tell of whom they are about, a sentence each."""
    everything = {table.name: table for table in tables}
    return [wrong for table in everything.values() for wrong in _wrongs(table, everything)]


def _wrongs(table: Table, everything: Mapping[str, Table]) -> Iterator[str]:
    told = about_of(table)
    if told is None:
        yield f"{table.name} does not say whom it is about"
    elif told.because is not None:
        for column in table.columns:
            if column.info.get("personal") or column.name in REFERRING:
                yield f"{table.name} is about nobody, and has {column.name}"
    else:
        yield from _dead_ends(table, told, everything, ())


def _dead_ends(table: Table, told: About, everything: Mapping[str, Table], came_by: tuple[str, ...]) -> Iterator[str]:
    """Where what `table` tells leads to no column, to no person, or round in a circle."""
    places = [*((told.tenant,) if told.tenant else ()), *(one for held in told.places.values() for one in held)]
    yield from (f"{table.name} has no {place}" for place in places if place.partition(".")[0] not in table.c)
    if not told.places and not told.via:
        yield f"{table.name} names no way to a person"
    if told.tenant is None and told.places:
        yield f"{table.name} does not say whose tenant's it is"
    for via in told.via:
        other = everything.get(via.table)
        further = about_of(other) if other is not None else None
        if other is None or further is None or further.because is not None:
            yield f"{table.name} leads to {via.table}, which leads to nobody"
        elif other.name in {table.name, *came_by}:
            yield f"{table.name} leads round in a circle, by {via.table}"
        else:
            missing = (set(via.columns) - set(table.c.keys())) | (set(via.columns.values()) - set(other.c.keys()))
            yield from (f"{table.name} leads to {via.table} by {name}, which is missing" for name in sorted(missing))
            yield from _dead_ends(other, further, everything, (*came_by, table.name))


def _may_hold_text(column: Column[Any]) -> bool:
    kind = column.type.item_type if isinstance(column.type, ARRAY) else column.type
    return isinstance(kind, String | JSON | JSONB | LargeBinary | BYTEA)
