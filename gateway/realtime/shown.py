"""What of the events is shown to whom: the scope that each type needs, and which of its fields are public."""

from collections.abc import Mapping
from functools import cache
from typing import Final

import structlog

from shared.events import EVENTS, Event, UnreadableRecordError, read
from shared.events.gateway import TenantChanged, UserChanged
from shared.events.ingest import DeliveryChanged
from shared.events.privacy import DeadlineNeared, PrivacyRequestChanged
from shared.personal import personal_fields

log = structlog.get_logger()

_BY_SPEAKER: Final = {"conversation": "conversations:read", "routing": "routing:read"}

SHOWN: Final[Mapping[type[Event], str]] = {
    event: _BY_SPEAKER[speaker]
    for type_, event in EVENTS.items()
    if (speaker := type_.partition(".")[0]) in _BY_SPEAKER
} | {
    DeliveryChanged: "conversations:read",
    UserChanged: "users:read",
    TenantChanged: "tenant:read",
    PrivacyRequestChanged: "privacy:read",
    DeadlineNeared: "privacy:read",
}
"""The events that the stream shows, each with the scope that lets a caller see it."""

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


def public_json(headers: Mapping[str, str], value: bytes) -> str | None:
    """The members `type`, `occurred_at` and `data` of a shown event, as JSON without the braces; None if unreadable."""
    try:
        event = read(headers, value)
    except UnreadableRecordError as unreadable:
        log.warning("an event cannot be shown", reason=str(unreadable))
        return None
    data = event.model_dump_json(include=set(public_fields(type(event))))
    return f'"type":"{event.type}","occurred_at":"{headers["ce_time"]}","data":{data}'
