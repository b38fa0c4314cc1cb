"""The answer's decisions: how long it may be, under which address it is sent, and what becomes of it."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from shared.events.ingest import Address

LONGEST_TEXT: Final = 20_000
"""Characters of a text on a channel that sets no narrower limit."""

_LONGEST_TEXTS: Final[Mapping[str, int]] = {"whatsapp": 4096}
"""Characters by kind of channel, as its provider documents them."""


class MessageStatus(StrEnum):
    """What became of a message that was sent from here, from least to most known.

    A failure outdoes the provider's word that it took the message, and is itself outdone by the proof that the
    customer has it. Nothing ever goes backwards, so that in whatever order the words come the same one holds.
    """

    QUEUED = "queued"
    UNKNOWN = "unknown"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"


_KNOWN: Final = {status: place for place, status in enumerate(MessageStatus)}
_PROOFS: Final = {MessageStatus.DELIVERED, MessageStatus.READ}
_UNSETTLED: Final = {MessageStatus.FAILED, MessageStatus.UNKNOWN}


def longest_text(channel_kind: str) -> int:
    """How many characters a text may have on a kind of channel."""
    return _LONGEST_TEXTS.get(channel_kind, LONGEST_TEXT)


def settles(status: str, attempt: int, *, told: str, of_attempt: int) -> bool:
    """Whether what was told of an attempt is more than what is known of the message.

    Of an earlier attempt only the proof counts that the customer has the message. A state that this version does not
    know says nothing.
    """
    if told not in _KNOWN or (of_attempt < attempt and told not in _PROOFS):
        return False
    return _KNOWN[MessageStatus(told)] > _KNOWN[MessageStatus(status)]


def may_be_sent_again(status: str | None) -> bool:
    """Only what failed, or of what nothing is known: everything else is on its way or there."""
    return status in _UNSETTLED


def in_order_of_use(addresses: Iterable[Address], last_used: Sequence[Address]) -> list[Address]:
    """The addresses, those last used first and in their order; the others stay behind them as they are."""
    places = {address: place for place, address in enumerate(last_used)}
    return sorted(addresses, key=lambda address: places.get(address, len(places)))
