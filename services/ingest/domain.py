"""What a webhook carries, and what each item of it means: pure decisions, no I/O."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from shared.events.ingest import Address, FromChannel


class UnreadableBodyError(Exception):
    """A body whose signature is right but which is not as the provider documents it; the sentence says why."""


class MisunderstoodError(Exception):
    """An item that cannot be understood as it stands; the sentence says why and holds nothing of its content."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of the many that a POST may carry, as it is stored raw and can be understood again later."""

    path: str
    """Where it stood in the body, e.g. `entry[0].changes[1].messages[2]`."""
    account: str | None
    """The provider's id of the channel account that it is for; None where the item does not say."""
    dedup_key: str
    """The same for every delivery of the same thing, unique within a channel account."""
    body: bytes
    """JSON with all that is needed to understand the item by itself."""


@dataclass(slots=True)
class KeptItem:
    """An item as it is stored: whose it is, what became of it, and why."""

    id: UUID
    tenant_id: UUID
    channel_id: UUID
    dedup_key: str
    path: str
    account: str | None
    body: bytes = field(repr=False)
    state: str
    """accepted, kept or failed."""
    reason: str | None
    received_at: datetime
    sender_ref: str | None = None
    """The fingerprint of whom it names, if it names somebody."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What Balcão knows of an item that the item does not say."""

    tenant_id: UUID
    channel_id: UUID
    raw_event_id: UUID
    received_at: datetime
    fingerprint: Callable[[Address], str]
    """The keyed fingerprint of an address on this channel."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What became of a message that the tenant sent, as the provider tells it."""

    provider_message_id: str
    state: str
    """accepted, sent, delivered, read, played, failed or deleted; a provider may add others."""
    occurred_at: datetime
    error_code: int | None = None
    error_title: str | None = None
    callback_data: str | None = None
    """What the send carried for us, given back."""
    recipient_ref: str | None = None
    """The fingerprint of whom it was sent to, if it is told."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Stored raw and nothing more: an item that concerns no person and no message."""

    reason: str


Meaning = FromChannel | StatusReport | Kept


class Channel(Protocol):
    """What a kind of channel knows about its provider's webhooks."""

    kind: str

    def handshake(self, query: Mapping[str, str], secrets: Mapping[str, str]) -> str | None:
        """The answer to the provider's question whether this address is ours, as plain text; None refuses."""

    def is_authentic(self, headers: Mapping[str, str], body: bytes, secrets: Mapping[str, str]) -> bool:
        """Whether the raw bytes were signed with the channel's secret; header names are lower case."""

    def split(self, body: bytes) -> list[Item]:
        """The items of a body, in order; raises `UnreadableBodyError` when it is not what the provider sends."""

    def understand(self, item: Item, where: Whereabouts) -> Meaning:
        """What an item means; raises `MisunderstoodError`, and nothing else, for what it cannot read."""

    def named(self, item: Item) -> Address | None:
        """Whom an item names as its person, though nothing else of it be understood."""
