"""What is written down of what happened: facts, which name no person and are never changed."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class FactKind(StrEnum):
    CONVERSATION_OPENED = "conversation opened"
    CONVERSATION_REOPENED = "conversation reopened"
    MESSAGE_RECEIVED = "message received"
    AUTOMATIC_MESSAGE_SENT = "automatic message sent"
    MESSAGE_SENT = "message sent"
    """By a human: one of the staff, or whoever wrote in the provider's own app."""
    CONVERSATION_CHANGED = "conversation changed"
    CONVERSATION_REASSIGNED = "conversation reassigned"
    """Taken from its agent for another, who is given it with the next fact."""
    CONVERSATION_UNASSIGNED = "conversation unassigned"
    CONVERSATION_QUEUED = "conversation queued"
    CONVERSATION_ASSIGNED = "conversation assigned"
    CONVERSATION_RESOLVED = "conversation resolved"


class Fact(NamedTuple):
    """Something that happened and counts."""

    event_id: UUID
    tenant_id: UUID
    kind: FactKind
    conversation_id: UUID
    channel_id: UUID
    happened_at: datetime
    """When it was told, for of one conversation that is the order of what happened; of a message, when it was sent."""
    channel_kind: str | None = None
    queue_id: UUID | None = None
    agent_id: UUID | None = None
    """Who answers from then on, or no more, or who wrote: a member of the staff, or an API key."""
    labels: Sequence[str] | None = None
    """Those that the conversation has from then on; None leaves them as they were."""
    status: str | None = None
    """That it has from then on; None leaves it as it was."""


def in_order(fact: Fact) -> tuple[datetime, UUID]:
    """By what facts are sorted: those of one transaction bear one time, and ids in the order in which it told them."""
    return fact.happened_at, fact.event_id
