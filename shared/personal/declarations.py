"""Personal data is declared where it is defined: on a field of an event, on a column of a table.

From the declarations come the redaction of logs, the wire form of events and, later, the exporter, the eraser and the
record of processing (LGPD art. 37, GDPR art. 30).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import ARRAY, JSON, Column, LargeBinary, MetaData, String
from sqlalchemy.dialects.postgresql import BYTEA, JSONB

T = TypeVar("T")

CATEGORIES = {
    "contact.name": "how a person is called",
    "contact.address": "a number, handle or e-mail address by which a channel reaches a person",
    "contact.attributes": "what a tenant noted about a person",
    "message.content": "what a person wrote, said or sent",
    "message.metadata": "what a provider told beside a message",
    "user.name": "how a member of the tenant's staff is called",
}
"""Every category of personal data that Balcão holds, in words."""


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


def _may_hold_text(column: Column[Any]) -> bool:
    kind = column.type.item_type if isinstance(column.type, ARRAY) else column.type
    return isinstance(kind, String | JSON | JSONB | LargeBinary | BYTEA)
