"""What a channel is given to send and what can become of it, the same for every kind of channel: no I/O, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID

from shared.events.ingest import Address, Content

QUEUED: Final = "queued"

_RANK: Final = {QUEUED: 0, "unknown": 1, "sent": 2, "failed": 3, "delivered": 4, "read": 5}
_PROOF: Final = {"delivered", "read"}

TOLD: Final[Mapping[str, str]] = {
    "accepted": "sent",
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",
    "failed": "failed",
}
"""The state of a send by what a provider tells of it; of anything else that he may tell, nothing follows."""


def rises(current: str, told: str) -> bool:
    """Whether a send that stands at `current` moves to `told`.

    The highest that was ever told stands, so that it does not matter in which order and how often things are told.
    Whatever a provider tells settles `unknown`; `failed` outweighs `sent`, and only the proof that the message arrived
    outweighs `failed`.
    """
    return _RANK[told] > _RANK[current]


def counts(state: str, *, superseded: bool) -> bool:
    """Whether the state of an attempt is the message's: that of an older one only where it proves that it arrived."""
    return not superseded or state in _PROOF


class UnsendableError(Exception):
    """What can never be sent like this; the code is for programs, the sentence for people."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Order:
    """A message to be sent through an account of a channel."""

    account: str
    secrets: Mapping[str, str] = field(repr=False)
    recipient: Sequence[Address] = field(repr=False)
    content: Content = field(repr=False)
    reply_to: str | None
    reference: str
    """Given back by the provider with everything that he tells of the message."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known after an attempt; the provider is not asked again."""

    state: str
    """sent, failed or unknown."""
    provider_message_id: str | None = None
    error_code: str | None = None
    error_title: str | None = None


class Cause(StrEnum):
    """Why a provider took nothing this time, and so what must wait."""

    OUTAGE = "outage"
    """He is not there, or not well: it is tried with care whether he is back."""
    ACCOUNT = "account"
    """He has had enough from this account for now: everything of it waits."""
    RECIPIENT = "recipient"
    """He has had enough for this person: the others go on."""


@dataclass(frozen=True, slots=True)
class NotNow:
    """By the provider's own word, or because he was never reached, nothing was taken: it may be tried again."""

    cause: Cause
    error_code: str
    error_title: str | None
    seconds: float | None = None
    """How long he asks us to wait."""


UNKNOWN: Final = Outcome(
    "unknown", error_code="outcome_unknown", error_title="It is not known whether the provider took the message."
)


_MOST_ATTEMPTS: Final = 2**31 - 1


def reference(message_id: UUID, attempt: int) -> str:
    """What a provider gives back to us with all that he tells of an attempt."""
    return f"{message_id}:{attempt}"


def referred(callback_data: str | None) -> tuple[UUID, int] | tuple[None, None]:
    """The attempt that a provider's status refers to; none where it is not ours, as of another program's message."""
    message_id, _, attempt = (callback_data or "").partition(":")
    try:
        known = UUID(message_id), int(attempt)
    except ValueError:
        return None, None
    return known if 0 < known[1] <= _MOST_ATTEMPTS else (None, None)
