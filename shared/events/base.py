"""An event: its envelope, its fields, and its form on the wire.

The envelope is mapped on CloudEvents 1.0 headers (binary mode of the Kafka binding). The value is one JSON object of
two members: `data`, and `personal`, which holds all the fields declared personal. Both travel beside each other from
the first day on, so that sealing the second changes no listener.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Self
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from shared.personal import Plain, personal_fields
from shared.personal.redaction import learn_fields

SHARDS = 16


class UnreadableRecordError(Exception):
    """A record that is not an event, or not one that this version can read; it says which part, never the content."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of an event besides what it says."""

    id: UUID
    occurred_at: datetime
    caused_by: UUID | None = None
    trace: str | None = None
    """The W3C `traceparent` under which it happened."""


@dataclass(frozen=True, slots=True)
class Record:
    """An event as the outbox, the topics and the dead letters hold it."""

    topic: str
    key: str
    headers: dict[str, str]
    data: bytes
    personal: bytes | None

    @property
    def shard(self) -> int:
        """Which of the relay's locks guards the order of this key."""
        return zlib.crc32(self.key.encode()) % SHARDS

    @property
    def value(self) -> bytes:
        if self.personal is None:
            return b'{"data":' + self.data + b"}"
        return b'{"data":' + self.data + b',"personal":' + self.personal + b"}"


class Event(BaseModel):
    """Something that happened. Subclasses name their type, the field that orders them and the person they are about."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    """`<speaker>.<past-tense>.v<major>`"""
    keyed_by: ClassVar[str]
    """The field whose events keep their order."""
    about: ClassVar[str | None] = None
    """The field that refers to the data subject; an event is about one person at most."""

    tenant_id: Plain[UUID]

    _personal: ClassVar[frozenset[str]] = frozenset()
    _envelope: Envelope | None = PrivateAttr(default=None)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._personal = frozenset(personal_fields(cls))
        learn_fields(cls)

    @classmethod
    def topic(cls) -> str:
        """One topic a speaker."""
        return f"{cls.type.split('.', 1)[0]}.events"

    @property
    def key(self) -> str:
        return str(getattr(self, self.keyed_by))

    @property
    def envelope(self) -> Envelope:
        """Set when the event was emitted or received; an event that was neither has none."""
        # Taken from where pydantic keeps it: by its own way there, a look costs as much as half the parsing.
        envelope: Envelope | None = (self.__pydantic_private__ or {}).get("_envelope")
        if envelope is None:
            raise LookupError(f"{self.type} was neither emitted nor received")
        return envelope

    def in_envelope(self, envelope: Envelope) -> Self:
        self._envelope = envelope
        return self

    def to_record(self) -> Record:
        """The event's form on the wire."""
        envelope = self.envelope
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(envelope.id),
            "ce_type": self.type,
            "ce_source": f"/{self.type.split('.', 1)[0]}",
            "ce_time": envelope.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "ce_tenantid": str(self.tenant_id),
            "ce_partitionkey": self.key,
            "content-type": "application/json",
        }
        if envelope.caused_by is not None:
            headers["ce_causedby"] = str(envelope.caused_by)
        if envelope.trace is not None:
            headers["ce_traceparent"] = envelope.trace
        personal = None
        if self._personal:
            personal = self.model_dump_json(include=set(self._personal), exclude_none=True).encode()
            headers["ce_datakey"] = "none"
        if self.about is not None:
            headers["ce_datasubject"] = str(getattr(self, self.about))
        data = self.model_dump_json(exclude=set(self._personal), exclude_none=True).encode()
        return Record(topic=self.topic(), key=self.key, headers=headers, data=data, personal=personal)

    @classmethod
    def from_wire(cls, headers: Mapping[str, str], value: bytes) -> Self:
        """The event that a record carries; raises `UnreadableRecordError`."""
        try:
            parts = orjson.loads(value)
            event = cls.model_validate(parts["data"] | parts.get("personal", {}))
            caused_by = headers.get("ce_causedby")
            envelope = Envelope(
                id=UUID(headers["ce_id"]),
                occurred_at=datetime.fromisoformat(headers["ce_time"]),
                caused_by=UUID(caused_by) if caused_by else None,
                trace=headers.get("ce_traceparent"),
            )
        except ValidationError as invalid:
            where = ", ".join(".".join(map(str, error["loc"])) for error in invalid.errors(include_input=False))
            raise UnreadableRecordError(f"{cls.type}: {where}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as broken:
            raise UnreadableRecordError(f"{cls.type}: {type(broken).__name__}") from None
        return event.in_envelope(envelope)
