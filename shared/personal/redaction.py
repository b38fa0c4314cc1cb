"""Logs and traces never hold bodies, names, addresses or tokens: what is declared personal is cut out by its name."""

from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from pathlib import PurePath
from typing import Any
from uuid import UUID

from pydantic import BaseModel, SecretBytes, SecretStr
from sqlalchemy import MetaData

from shared.personal.declarations import personal_columns, personal_fields

CUT = "[cut]"

_names = {
    "address", "authorization", "body", "content", "cookie", "credentials", "display_name", "email", "key_secret",
    "name", "password", "payload", "personal", "phone", "secret", "text", "token", "url", "username", "value",
}  # fmt: skip


def learn_fields(model: type[BaseModel]) -> None:
    """Cut this event's personal fields from now on."""
    _names.update(personal_fields(model))


def learn_columns(metadata: MetaData) -> None:
    """Cut these tables' personal columns from now on."""
    _names.update(column.name for column, _ in personal_columns(metadata))


def is_personal_name(name: str) -> bool:
    return name in _names


def redact(value: Any, *, depth: int = 4) -> Any:
    """`value` as it may be logged: personal and secret parts cut, objects reduced to their type."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, SecretStr | SecretBytes | bytes | BaseModel) or depth == 0:
        return CUT
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {
            str(name): CUT if is_personal_name(str(name)) else redact(part, depth=depth - 1)
            for name, part in value.items()
        }
    if isinstance(value, Sequence | set | frozenset):
        return [redact(part, depth=depth - 1) for part in list(value)[:50]]
    return str(value) if isinstance(value, UUID | date | time | timedelta | PurePath) else CUT
