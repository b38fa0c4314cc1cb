"""What routing says: who waits in which queue, and who answers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.events.base import Event
from shared.personal import Personal, Plain


class OfCase(Event):
    """What every decision about a conversation tells."""

    keyed_by = "conversation_id"
    about = "contact_id"

    conversation_id: Plain[UUID]
    contact_id: Plain[UUID]
    channel_id: Plain[UUID]


class ConversationQueued(OfCase):
    """A conversation waits for an agent."""

    type = "routing.conversation-queued.v1"

    queue_id: Plain[UUID]
    queued_at: Plain[datetime]
    """Since when it waits: what was taken back keeps its age."""


class ConversationOffered(OfCase):
    """An agent is asked whether he answers; his capacity is held meanwhile."""

    type = "routing.conversation-offered.v1"

    offer_id: Plain[UUID]
    agent_id: Plain[UUID]
    offered_at: Plain[datetime]
    expires_at: Plain[datetime]


class OfferEnded(OfCase):
    """An offer stands no more."""

    type = "routing.offer-ended.v1"

    offer_id: Plain[UUID]
    agent_id: Plain[UUID]
    outcome: Plain[str] = Field(examples=["accepted", "declined", "expired", "withdrawn"])
    ended_at: Plain[datetime]


class ConversationAssigned(OfCase):
    """An agent answers from now on, and nobody else."""

    type = "routing.conversation-assigned.v1"

    queue_id: Plain[UUID | None] = None
    agent_id: Plain[UUID]
    assigned_at: Plain[datetime]


class ConversationUnassigned(OfCase):
    """The agent answers no more."""

    type = "routing.conversation-unassigned.v1"

    agent_id: Plain[UUID]
    reason: Plain[str] = Field(examples=["resolved", "taken_back", "reassigned"])
    unassigned_at: Plain[datetime]


class AutoReplyDecided(OfCase):
    """The customer is to be told something by Balcão itself, in his tenant's language and tone."""

    type = "routing.auto-reply-decided.v1"

    reply_id: Plain[UUID]
    """The message that conversation makes of it has this id, so that it is made once."""
    kind: Plain[str] = Field(examples=["greeting", "out_of_hours"])
    text: Annotated[str, Personal("message.content")]
    decided_at: Plain[datetime]


class PresenceChanged(Event):
    """An agent came, went, or is away."""

    type = "routing.presence-changed.v1"
    keyed_by = "agent_id"
    about = "agent_id"

    agent_id: Plain[UUID]
    status: Plain[str] = Field(examples=["online", "away", "offline"])
    changed_at: Plain[datetime]


class BusinessHoursChanged(Event):
    """When a tenant, or one of its queues, answers from now on; each change is told whole."""

    type = "routing.business-hours-changed.v1"
    keyed_by = "tenant_id"

    queue_id: Plain[UUID | None] = None
    """None for those of the whole tenant, which hold for the queues that have none of their own."""
    week: Plain[dict[str, list[dict[str, str]]] | None] = Field(
        None, examples=[{"monday": [{"start": "09:00", "end": "18:00"}]}]
    )
    """None when they were forgotten: then it is always open, or a queue has the hours of the tenant again."""
    exceptions: Plain[dict[str, list[dict[str, str]]]] = Field({}, examples=[{"2026-12-24": []}])
    holidays: Plain[bool] = False
    """Whether the public holidays of the tenant's country are closed."""
    version: Plain[int]
    changed_at: Plain[datetime]
