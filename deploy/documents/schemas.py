"""JSON schemas as pydantic writes them, made fit for a document that people read."""

from collections.abc import Mapping
from typing import Any

JSON = dict[str, Any]

_VALUES = {"const", "default", "enum", "example", "examples"}


class ClashError(Exception):
    """Two different things have one name."""


def merge(into: JSON, more: Mapping[str, Any]) -> None:
    """Add named schemas to others; raises `ClashError` for a name that stands for something else there."""
    for name, schema in more.items():
        if into.setdefault(name, schema) != schema:
            raise ClashError(f"two different schemas are called {name}")


def without_titles(schema: Any) -> Any:
    """The schema without pydantic's titles, which only repeat the names."""
    if isinstance(schema, list):
        return [without_titles(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value if name in _VALUES else without_titles(value)
        for name, value in schema.items()
        # A field may be called `title`, but then its schema is no text.
        if not (name == "title" and isinstance(value, str))
    }


def without_null(schema: JSON) -> JSON:
    """The schema of something that is left out where a model would say null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    if "anyOf" not in schema:
        return schema
    return {**kinds[0], **rest} if len(kinds) == 1 else {"anyOf": kinds, **rest}
