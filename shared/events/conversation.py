"""What conversation says: what became part of the one history."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.events.base import Event
from shared.events.ingest import Address, Content
from shared.personal import Personal, Plain

STATUSES = ["open", "pending", "snoozed", "resolved"]


class ContactAdded(Event):
    """A person became known."""

    type = "conversation.contact-added.v1"
    keyed_by = "contact_id"
    about = "contact_id"

    contact_id: Plain[UUID]
    channel_id: Plain[UUID | None] = None
    channel_kind: Plain[str | None] = None
    addresses: Annotated[list[Address], Personal("contact.address")] = Field([])
    """By which the channel reaches him; none for whom the tenant added by itself."""


class ContactAddressesAdded(Event):
    """A contact is reached by further addresses on a channel."""

    type = "conversation.contact-addresses-added.v1"
    keyed_by = "contact_id"
    about = "contact_id"

    contact_id: Plain[UUID]
    channel_id: Plain[UUID]
    channel_kind: Plain[str]
    addresses: Annotated[list[Address], Personal("contact.address")] = Field(min_length=1)


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
    labels: Plain[list[str] | None] = None
    """Those it has from now on; none leaves them as they were told last."""


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
    labels: Plain[list[str] | None] = None
    """Those it has from now on; none leaves them as they were told last."""


class MessageAdded(OfConversation):
    """A message took its place in a conversation."""

    type = "conversation.message-added.v1"

    message_id: Plain[UUID]
    seq: Plain[int]
    direction: Plain[str] = Field(examples=["inbound", "outbound"])
    author_kind: Plain[str | None] = Field(None, examples=["contact", "agent", "system"])
    author_id: Plain[str | None] = None
    """The agent or key that wrote it; none for a contact and for what Balcão says by itself."""
    content_type: Plain[str]
    text: Annotated[str | None, Personal("message.content")] = None
    sent_at: Plain[datetime]


class MessageQueued(OfConversation):
    """A message of the tenant's is to be sent; whoever sends it tells what becomes of it."""

    type = "conversation.message-queued.v1"

    message_id: Plain[UUID]
    attempt: Plain[int]
    """1 at first; a higher one is an agent's decision to send again what failed, or of which nothing is known."""
    recipient: Annotated[list[Address], Personal("contact.address")] = Field(min_length=1)
    """All addresses of the contact on this channel, the one that he used last first."""
    content: Annotated[Content, Personal("message.content")]
    reply_to: Plain[str | None] = None
    """The provider's id of the message that this one quotes."""
    queued_at: Plain[datetime]


class MessageStatusChanged(OfConversation):
    """What became of a message that was to be sent; never backwards."""

    type = "conversation.message-status-changed.v1"

    message_id: Plain[UUID]
    status: Plain[str] = Field(examples=["sent", "delivered", "read", "failed", "unknown"])
    error_code: Plain[str | None] = None
    error_title: Plain[str | None] = None
    changed_at: Plain[datetime]
