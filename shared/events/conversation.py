"""What conversation says: what became part of the one history."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.events.base import Event
from shared.personal import Personal, Plain

STATUSES = ["open", "pending", "snoozed", "resolved"]


class ContactAdded(Event):
    """A person became known."""

    type = "conversation.contact-added.v1"
    keyed_by = "contact_id"
    about = "contact_id"

    contact_id: Plain[UUID]
    channel_id: Plain[UUID | None] = None


class OfConversation(Event):
    """What every event of a conversation tells."""

    keyed_by = "conversation_id"
    about = "contact_id"

    conversation_id: Plain[UUID]
    contact_id: Plain[UUID]
    channel_id: Plain[UUID]
    channel_kind: Plain[str]


class ConversationOpened(OfConversation):
    """A new conversation began."""

    type = "conversation.conversation-opened.v1"

    opened_at: Plain[datetime]


class ConversationReopened(OfConversation):
    """A resolved conversation goes on."""

    type = "conversation.conversation-reopened.v1"

    reopened_at: Plain[datetime]


class ConversationChanged(OfConversation):
    """Status, labels or priority were set without resolving or reopening."""

    type = "conversation.conversation-changed.v1"

    status: Plain[str] = Field(examples=STATUSES)
    priority: Plain[str] = Field(examples=["low", "normal", "high", "urgent"])
    labels: Plain[list[str]]
    changed_at: Plain[datetime]


class ConversationResolved(OfConversation):
    """A conversation was settled."""

    type = "conversation.conversation-resolved.v1"

    resolved_at: Plain[datetime]


class MessageAdded(OfConversation):
    """A message took its place in a conversation."""

    type = "conversation.message-added.v1"

    message_id: Plain[UUID]
    seq: Plain[int]
    direction: Plain[str] = Field(examples=["inbound", "outbound"])
    content_type: Plain[str]
    text: Annotated[str | None, Personal("message.content")] = None
    sent_at: Plain[datetime]
