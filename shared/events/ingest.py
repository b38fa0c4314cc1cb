"""What ingest says: what came in through a channel."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.events.base import Event
from shared.personal import Personal, Plain

IDENTITY_KINDS = ["wa_bsuid", "wa_phone", "psid", "igsid", "tg_user", "e164", "email", "visitor"]
"""The kinds of address known today; a listener accepts others."""

CONTENT_TYPES = [
    "text", "media", "location", "contacts", "interactive_reply", "order", "contact_request", "system", "unsupported",
]  # fmt: skip
"""The types of content known today; a listener shows any other as unsupported."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Address(_Part):
    """One address by which a channel reaches a person, verbatim as the provider gave it."""

    kind: str = Field(examples=IDENTITY_KINDS)
    value: str


class Attachment(_Part):
    """A file that the provider holds for us."""

    kind: str = Field(examples=["image", "audio", "voice", "video", "document", "sticker"])
    media_id: str | None = None
    url: str | None = None
    mime_type: str | None = None
    filename: str | None = None
    sha256: str | None = None


class Location(_Part):
    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None
    url: str | None = None


class Reply(_Part):
    """A choice made in an interactive message."""

    kind: str = Field(examples=["button", "list", "flow", "quick_reply"])
    id: str | None = None
    title: str | None = None
    description: str | None = None
    data: dict[str, Any] | None = None


class Referral(_Part):
    """The advertisement or post that brought the person here."""

    source_type: str | None = None
    source_id: str | None = None
    source_url: str | None = None
    headline: str | None = None
    body: str | None = None
    click_id: str | None = None


class Unsupported(_Part):
    """What the provider sent that Balcão cannot show; the raw event keeps it whole."""

    provider_type: str
    code: int | None = None
    title: str | None = None


class Content(_Part):
    """What a message holds. `text` is what a person reads: the body, a caption, the title of a choice."""

    type: str = Field(examples=CONTENT_TYPES)
    text: str | None = None
    # Made anew each time, for a default that stands here would be copied deeply, at the price of half the parsing.
    attachments: list[Attachment] = Field(default_factory=list)
    location: Location | None = None
    contacts: list[dict[str, Any]] = Field(default_factory=list)
    reply: Reply | None = None
    order: dict[str, Any] | None = None
    referral: Referral | None = None
    unsupported: Unsupported | None = None


class FromChannel(Event):
    """What every event about a person on a channel tells: who and where, as the provider knows it."""

    keyed_by = "sender_ref"
    about = "sender_ref"

    channel_id: Plain[UUID]
    channel_kind: Plain[str]
    raw_event_id: Plain[UUID]
    sender_ref: Plain[str]
    """A keyed fingerprint of the sender's first address on this channel: orders his events without naming him."""
    sender: Annotated[list[Address], Personal("contact.address")] = Field(min_length=1)
    """The best address first; the others are aliases of the same person."""
    sent_at: Plain[datetime]
    """When it happened, by the provider's clock."""


class MessageReceived(FromChannel):
    """A message came in, or one written in the provider's own app was echoed."""

    type = "ingest.message-received.v1"

    provider_message_id: Plain[str]
    direction: Plain[str] = Field(examples=["inbound", "outbound"])
    """`outbound` is an echo of what the tenant sent from another app."""
    sender_name: Annotated[str | None, Personal("contact.name")] = None
    username: Annotated[str | None, Personal("contact.name")] = None
    content: Annotated[Content, Personal("message.content")]
    reply_to: Plain[str | None] = None
    """The provider's id of the message that this one quotes."""
    forwarded: Plain[bool] = False
    opens_window: Plain[bool] = True
    """Whether the provider lets the tenant answer freely for some hours from now."""


class MessageEdited(FromChannel):
    """The sender changed a message; its id stays."""

    type = "ingest.message-edited.v1"

    provider_message_id: Plain[str]
    content: Annotated[Content, Personal("message.content")]


class MessageRevoked(FromChannel):
    """The sender took a message back."""

    type = "ingest.message-revoked.v1"

    provider_message_id: Plain[str]


class ReactionChanged(FromChannel):
    """The sender reacted to a message, or took the reaction back."""

    type = "ingest.reaction-changed.v1"

    provider_message_id: Plain[str]
    emoji: Annotated[str | None, Personal("message.content")] = None
    """None takes the reaction back."""


class AddressChanged(FromChannel):
    """The provider told that a person is reached by other addresses from now on; histories are not merged by it."""

    type = "ingest.address-changed.v1"

    new_addresses: Annotated[list[Address], Personal("contact.address")] = Field(min_length=1)


DELIVERY_STATES = ["sent", "delivered", "read", "failed", "unknown"]
"""From least to most known; `failed` and `unknown` are left by a later word of the provider or a new attempt only."""


class DeliveryChanged(Event):
    """What became of a message that was to be sent, as far as the provider has told."""

    type = "ingest.delivery-changed.v1"
    keyed_by = "conversation_id"
    about = "contact_id"

    conversation_id: Plain[UUID]
    contact_id: Plain[UUID]
    channel_id: Plain[UUID]
    message_id: Plain[UUID]
    attempt: Plain[int]
    state: Plain[str] = Field(examples=DELIVERY_STATES)
    provider_message_id: Plain[str | None] = None
    error_code: Plain[str | None] = None
    error_title: Plain[str | None] = None
    """In words of the provider or ours; it never holds content or an address."""
    occurred_at: Plain[datetime]
