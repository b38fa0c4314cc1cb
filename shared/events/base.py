"""An event: its envelope, its fields, and its form on the wire.

The envelope is mapped on CloudEvents 1.0 headers (binary mode of the Kafka binding). The value is one JSON object of
two members: `data`, and `personal`, which holds all the fields declared personal. Both travel beside each other from
the first day on, so that sealing the second changes no listener.
"""

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.ids import read_id
from shared.personal import Plain, personal_fields
from shared.personal.redaction import learn_fields

SHARDS = 16
HEADERS_READ: Final = ("ce_type", "ce_id", "ce_time", "ce_causedby", "ce_traceparent")
"""Those of which an event is read; the others are for whoever does not read it."""


class UnreadableRecordError(Exception):
    """A record that is not an event, or not one that this version can read; it says which part, never the content."""


class Envelope(NamedTuple):
    """What is known of an event besides what it says."""

    id: UUID
    occurred_at: datetime
    caused_by: UUID | None = None
    trace: str | None = None
    """The W3C `traceparent` under which it happened."""


class Record(NamedTuple):
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
    """Something that happened. Subclasses name their type, the field that orders them and the person they are about.

    Two are equal when they say the same, whatever their envelopes are; a copy has none yet. What a field of any content
    holds must be what JSON can: texts as names, numbers of 64 bits.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    """`<speaker>.<past-tense>.v<major>`"""
    keyed_by: ClassVar[str]
    """The field whose events keep their order."""
    about: ClassVar[str | None] = None
    """The field that refers to the data subject; an event is about one person at most."""

    tenant_id: Plain[UUID]

    _personal: ClassVar[tuple[str, ...]] = ()

    # No private attribute of pydantic's: to give each event one would take as long as to check its fields.
    __slots__ = ("_envelope",)
    if TYPE_CHECKING:
        _envelope: Envelope

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._personal = tuple(personal_fields(cls))
        learn_fields(cls)

    @classmethod
    def speaker(cls) -> str:
        """The service that says it."""
        return cls.type.partition(".")[0]

    @classmethod
    def topic(cls) -> str:
        """One topic a speaker."""
        return f"{cls.speaker()}.events"

    @property
    def key(self) -> str:
        return str(getattr(self, self.keyed_by))

    @property
    def envelope(self) -> Envelope:
        """Set when the event was emitted or received; an event that was neither has none."""
        try:
            return self._envelope
        except AttributeError:
            raise LookupError(f"{self.type} was neither emitted nor received") from None

    def in_envelope(self, envelope: Envelope) -> Self:
        object.__setattr__(self, "_envelope", envelope)
        return self

    def to_record(self) -> Record:
        """The event's form on the wire."""
        envelope, key = self.envelope, self.key
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(envelope.id),
            "ce_type": self.type,
            "ce_source": f"/{self.speaker()}",
            "ce_time": envelope.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "ce_tenantid": str(self.tenant_id),
            "ce_partitionkey": key,
            "content-type": "application/json",
        }
        if envelope.caused_by is not None:
            headers["ce_causedby"] = str(envelope.caused_by)
        if envelope.trace is not None:
            headers["ce_traceparent"] = envelope.trace
        data, personal = _said_in(self), None
        if self._personal:
            personal = _written({name: data.pop(name) for name in self._personal if name in data})
            headers["ce_datakey"] = "none"
        if self.about is not None:
            headers["ce_datasubject"] = str(getattr(self, self.about))
        return Record(self.topic(), key, headers, _written(data), personal)

    @classmethod
    def from_wire(cls, headers: Mapping[str, str], value: bytes) -> Self:
        """The event that a record carries; raises `UnreadableRecordError`."""
        try:
            parts = orjson.loads(value)
            event = cls.model_validate(parts["data"] | parts.get("personal", {}))
            caused_by = headers.get("ce_causedby")
            envelope = Envelope(
                id=read_id(headers["ce_id"]),
                occurred_at=datetime.fromisoformat(headers["ce_time"]),
                caused_by=read_id(caused_by) if caused_by else None,
                trace=headers.get("ce_traceparent"),
            )
        except ValidationError as invalid:
            where = ", ".join(".".join(map(str, error["loc"])) for error in invalid.errors(include_input=False))
            raise UnreadableRecordError(f"{cls.type}: {where}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as broken:
            raise UnreadableRecordError(f"{cls.type}: {type(broken).__name__}") from None
        return event.in_envelope(envelope)


def _said_in(part: BaseModel) -> dict[str, Any]:
    return {name: value for name, value in vars(part).items() if value is not None}


def _written(members: Mapping[str, Any]) -> bytes:
    return orjson.dumps(members, default=_member, option=orjson.OPT_UTC_Z)


def _member(value: Any) -> Any:
    """What orjson does not write by itself: a part of an event, and the ids that databases give."""
    if isinstance(value, BaseModel):
        return _said_in(value)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError
