"""Who waits: what each event means for a customer's waiting."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation as routing sees it, at the moment of the latest thing heard of it."""

    conversation_id: UUID
    tenant_id: UUID
    channel_kind: str
    waiting_since: datetime | None
    """Since when the customer waits for an answer."""
    paused: bool
    """Put off: until it goes on nobody is waited for."""
    closed_at: datetime | None
    told_at: datetime


def written(case: Case, direction: str, sent_at: datetime) -> Case:
    """A customer who writes waits from then on, unless he did before; an answer ends the waiting."""
    if direction != "inbound":
        return replace(case, waiting_since=None)
    return replace(case, waiting_since=case.waiting_since or sent_at, paused=False, closed_at=None)


def set_to(case: Case, status: str) -> Case:
    """Asked back, the customer waits no more; put off, he waits as before once it goes on."""
    if status == "pending":
        return replace(case, waiting_since=None, paused=False)
    return replace(case, paused=status == "snoozed")


def reopened(case: Case, at: datetime) -> Case:
    """It goes on, and waits again until it is answered."""
    return replace(case, waiting_since=case.waiting_since or at, paused=False, closed_at=None)


def resolved(case: Case, at: datetime) -> Case:
    """Nobody waits in a resolved conversation."""
    return replace(case, waiting_since=None, paused=False, closed_at=at)
