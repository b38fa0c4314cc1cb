"""What of the events is shown to whom: the scope that each type needs, and which of its fields are public."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple, get_args

import orjson
import structlog
from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

from shared.events import EVENTS, Event
from shared.events.gateway import TenantChanged, UserChanged
from shared.events.privacy import DeadlineNeared, PrivacyRequestChanged
from shared.personal import personal_fields

log = structlog.get_logger()

_BY_SPEAKER: Final = {"conversation": "conversations:read", "routing": "routing:read"}

SHOWN: Final[Mapping[type[Event], str]] = {
    event: _BY_SPEAKER[event.speaker()] for event in EVENTS.values() if event.speaker() in _BY_SPEAKER
} | {
    UserChanged: "users:read",
    TenantChanged: "tenant:read",
    PrivacyRequestChanged: "privacy:read",
    DeadlineNeared: "privacy:read",
}
"""The events that the stream shows, each with the scope that lets a caller see it.

What ingest says is not among them: the history tells of it once it is there to be read.
"""

TOPICS_READ: Final = frozenset(event.topic() for event in SHOWN)

_OPENED_BY: Final = {"message.content": "conversations:read", "user.name": "users:read"}
"""The scope under which the API shows personal data of a category; what is not named here is never on the stream."""


@cache
def public_fields(event: type[Event]) -> frozenset[str]:
    """The fields that are shown: those that are not personal, and those that the event's own scope opens.

    The tenant is the caller's own, and is not repeated.
    """
    personal = personal_fields(event)
    return frozenset(
        name
        for name in event.model_fields
        if name != "tenant_id" and (name not in personal or _OPENED_BY.get(personal[name]) == SHOWN[event])
    )


def public_json(type_: str, moment: str, value: bytes) -> str | None:
    """The members `type`, `occurred_at` and `data` of a shown event, as JSON without the braces; None if unreadable.

    What was said is shown as it was said, for whoever said it saw to it that it is what its type promises; what was
    left out is shown as what it then is.
    """
    shape = _shape(EVENTS[type_])
    try:
        record = orjson.loads(value)
        said = shape.defaults | record["data"] | record.get("personal", {})
        shown = {name: said[name] for name in shape.names}
        for name, part in shape.parts.items():
            shown[name] = part.dump_python(part.validate_python(shown[name]), mode="json")
        return orjson.dumps({"type": type_, "occurred_at": moment, "data": shown})[1:-1].decode()
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        log.warning("an event cannot be shown", type=type_, reason=type(broken).__name__)
        return None


class _Shape(NamedTuple):
    names: Sequence[str]
    """Of the fields that are shown, in their order."""
    defaults: Mapping[str, Any]
    """What those are that may be left out."""
    parts: Mapping[str, TypeAdapter[Any]]
    """Those in which something may be left out."""


@cache
def _shape(event: type[Event]) -> _Shape:
    fields = {name: field for name, field in event.model_fields.items() if name in public_fields(event)}
    return _Shape(
        names=list(fields),
        defaults={
            name: to_jsonable_python(field.get_default(call_default_factory=True))
            for name, field in fields.items()
            if not field.is_required()
        },
        parts={
            name: TypeAdapter(kind)
            for name, field in fields.items()
            if (kind := field.annotation) is not None and _has_parts(kind)
        },
    )


def _has_parts(kind: Any) -> bool:
    return (isinstance(kind, type) and issubclass(kind, BaseModel)) or any(map(_has_parts, get_args(kind)))
