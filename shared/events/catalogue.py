"""All events by their type, and the topics they travel on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from shared.events import conversation, gateway, ingest, privacy, routing
from shared.events.base import Event, UnreadableRecordError

DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Topic:
    """One speaker's topic. Times are in seconds."""

    name: str
    partitions: int = 16
    retention: int = 7 * DAY
    """At most seven days, because personal data travels here."""
    compacted: bool = False


TOPICS: Final[Mapping[str, Topic]] = {
    topic.name: topic
    for topic in (
        Topic("ingest.events"),
        Topic("conversation.events"),
        Topic("routing.events"),
        Topic("privacy.events", partitions=4),
        Topic("gateway.events", partitions=4, compacted=True),
    )
}


def _types(event: type[Event]) -> Iterator[type[Event]]:
    for kind in event.__subclasses__():
        if "type" in vars(kind):
            yield kind
        yield from _types(kind)


EVENTS: Final[Mapping[str, type[Event]]] = {
    kind.type: kind
    for kind in _types(Event)
    if kind.__module__ in {speaker.__name__ for speaker in (conversation, gateway, ingest, privacy, routing)}
}


def read(headers: Mapping[str, str], value: bytes) -> Event:
    """The event that a record carries; raises `UnreadableRecordError` for what is no known event."""
    kind = EVENTS.get(headers.get("ce_type", ""))
    if kind is None:
        raise UnreadableRecordError("no known event type")
    return kind.from_wire(headers, value)
