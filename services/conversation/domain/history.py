"""The history's decisions: who wrote, which conversation it belongs to, which change of status is allowed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from shared.events.ingest import Address
from shared.phone_numbers import candidates

REOPEN_WITHIN: Final = timedelta(days=1)
"""How long after its resolution a conversation goes on when the customer writes again."""


USER_ID: Final = "wa_bsuid"
"""The kind of address that stays with one person."""


class Status(StrEnum):
    OPEN = "open"
    PENDING = "pending"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Place(StrEnum):
    """Where an arriving message belongs."""

    GOES_ON = "goes on"
    REOPENS = "reopens"
    BEGINS = "begins"


class ForbiddenChangeError(Exception):
    """A change of a conversation that its present state does not allow; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom an address belongs to, and whether the provider knows him by a user id on this channel."""

    contact_id: UUID
    has_user_id: bool


def recognise(sender: Sequence[Address], holder_of: Callable[[str, str], Holder | None]) -> UUID | None:
    """The contact whom these addresses belong to; None when nobody is known by them.

    The best address decides first, verbatim, then each other one. Only then other spellings of a phone number are
    tried, and only if they all point to one contact: on ambiguity nobody is taken for somebody else. A number that
    belongs to somebody with another user id was handed on: it says nothing.
    """
    has_user_id = any(address.kind == USER_ID for address in sender)

    def same(kind: str, value: str) -> UUID | None:
        holder = holder_of(kind, value)
        if holder is None or (kind != USER_ID and has_user_id and holder.has_user_id):
            return None
        return holder.contact_id

    for address in sender:
        contact = same(address.kind, address.value)
        if contact is not None:
            return contact
    alike = {
        contact
        for address in sender
        for spelling in candidates(address.kind, address.value)
        if (contact := same(address.kind, spelling)) is not None
    }
    return alike.pop() if len(alike) == 1 else None


def place(
    status: str | None,
    resolved_at: datetime | None,
    *,
    direction: str,
    now: datetime,
) -> Place:
    """Where a message belongs, given the contact's open conversation or else his last resolved one.

    What the tenant sent from another app joins a conversation that was just resolved without reopening it.
    """
    if status is None:
        return Place.BEGINS
    if status != Status.RESOLVED:
        return Place.GOES_ON
    if resolved_at is None or now - resolved_at > REOPEN_WITHIN:
        return Place.BEGINS
    return Place.REOPENS if direction == "inbound" else Place.GOES_ON


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A status as it will be."""

    status: Status
    snoozed_until: datetime | None
    resolved_at: datetime | None


def change_status(
    present: str,
    wanted: Status,
    *,
    resolved_at: datetime | None,
    snoozed_until: datetime | None,
    now: datetime,
) -> StatusChange:
    """The status that is wanted; raises `ForbiddenChangeError`."""
    if wanted is Status.SNOOZED:
        if snoozed_until is None or snoozed_until <= now:
            raise ForbiddenChangeError("A snoozed conversation needs a snoozed_until in the future.")
    elif snoozed_until is not None:
        raise ForbiddenChangeError("Only a snoozed conversation has a snoozed_until.")
    if present == Status.RESOLVED and wanted not in {Status.RESOLVED, Status.OPEN}:
        raise ForbiddenChangeError("A resolved conversation can only be opened again.")
    resolved = (resolved_at or now) if wanted is Status.RESOLVED else None
    return StatusChange(wanted, snoozed_until, resolved)


def wakes(direction: str, status: str) -> bool:
    """Whether a message ends a snooze or a wait for the customer."""
    return direction == "inbound" and status in {Status.SNOOZED, Status.PENDING}
