"""The audit chain: every entry holds the hash of the one before it, so that none is changed or taken out unseen."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, Self
from uuid import UUID

import rfc8785

Detail = str | int | bool | None

BEGINNING: Final = bytes(hashlib.sha256().digest_size)
"""What the first entry of a chain follows."""

Why = Literal["missing", "changed", "not in line", "not as noted", "not as sealed", "not sealed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Who did what, when, for whose request: references alone, so that it outlives the person's data."""

    tenant_id: UUID
    seq: int
    """From 1 on, without a gap."""
    at: datetime
    actor: str
    action: str
    request_id: UUID | None
    subject_id: UUID | None
    details: Mapping[str, Detail]

    def hash_after(self, previous: bytes) -> bytes:
        """SHA-256 of the hash before and the entry as canonical JSON (RFC 8785)."""
        told: dict[str, Any] = {
            "tenant_id": str(self.tenant_id),
            "seq": self.seq,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "actor": self.actor,
            "action": self.action,
            "request_id": _text(self.request_id),
            "subject_id": _text(self.subject_id),
            "details": dict(self.details),
        }
        return hashlib.sha256(previous + rfc8785.dumps(told)).digest()


class Link(NamedTuple):
    """An entry as it is kept, with its place in the chain."""

    entry: Entry
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a chain, as it is or was: all that comes before it stands under its hash."""

    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain is no longer what was written, and why."""

    seq: int
    why: Why


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that is followed from its beginning, some entries at a time."""

    witnesses: Sequence[tuple[Head, Why]] = ()
    """Heads that it had once, each with what is wrong when it does not go through it."""
    head: Head = Head(0, BEGINNING)
    broken_at: Break | None = None

    @classmethod
    def witnessed(cls, *, noted: Head | None, sealed: Head | None) -> Self:
        """A chain that must go through the head that somebody noted, and through the one that was sealed."""
        heads: list[tuple[Head | None, Why]] = [(noted, "not as noted"), (sealed, "not as sealed")]
        return cls([(head, why) for head, why in heads if head is not None])

    def follow(self, links: Iterable[Link]) -> Self:
        """The chain with these entries behind it; it ends before the first that is not what it must be."""
        head = self.head
        for link in links:
            broken = self._fault(head, link)
            if broken is not None:
                return replace(self, head=head, broken_at=broken)
            head = Head(link.entry.seq, link.hash)
        return replace(self, head=head)

    def ended(self) -> Self:
        """The chain when there are no more entries: it is broken where it once went further."""
        if self.broken_at is None and any(head.seq > self.head.seq for head, _ in self.witnesses):
            return replace(self, broken_at=Break(self.head.seq + 1, "missing"))
        return self

    def _fault(self, head: Head, link: Link) -> Break | None:
        seq = link.entry.seq
        if seq != head.seq + 1:
            return Break(head.seq + 1, "missing")
        if link.previous_hash != head.hash:
            return Break(seq, "not in line")
        if link.entry.hash_after(head.hash) != link.hash:
            return Break(seq, "changed")
        unlike = (why for seen, why in self.witnesses if seen.seq == seq and seen.hash != link.hash)
        return next((Break(seq, why) for why in unlike), None)


def _text(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)
