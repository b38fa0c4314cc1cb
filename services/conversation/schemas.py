"""The shapes that conversation's API takes and gives."""

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from services.conversation.domain import LONGEST_TEXT, MessageStatus, Priority, Status
from shared.http import Body, Moment, Present, Words

ATTRIBUTES_BYTES = 20_000

Label = Annotated[Words, StringConstraints(min_length=1, max_length=50, strip_whitespace=True)]


def _small(attributes: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(attributes, allow_nan=False)
        text = orjson.dumps(attributes)
    except (ValueError, RecursionError, orjson.JSONEncodeError):
        raise ValueError("must be JSON of finite numbers and whole characters, not nested too deeply") from None
    if len(text) > ATTRIBUTES_BYTES or rb"\u0000" in text:
        raise ValueError(f"must have {ATTRIBUTES_BYTES} bytes at most and no NUL character")
    return attributes


def _once_each(labels: list[str]) -> list[str]:
    return list(dict.fromkeys(labels))


Labels = Annotated[list[Label], Field(max_length=50), AfterValidator(_once_each)]
ContactName = Annotated[Words, StringConstraints(min_length=1, max_length=300)]
Attributes = Annotated[dict[str, Any], AfterValidator(_small)]


class ConversationShown(BaseModel):
    id: UUID
    status: Status
    subject: str | None
    contact_id: UUID
    channel_id: UUID
    channel_kind: str = Field(examples=["whatsapp"])
    queue_id: UUID | None = Field(description="Where it waits, or waited before it was assigned; null without a queue.")
    assignee_id: UUID | None = Field(description="Who answers; null while nobody does.")
    priority: Priority
    labels: list[str]
    attributes: dict[str, Any]
    message_count: int
    last_message_at: datetime | None
    snoozed_until: datetime | None
    resolved_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ConversationChange(Body):
    """What is to be changed; what is left out stays."""

    status: Present[Status] = Field(None, examples=["resolved"])
    snoozed_until: Present[Moment] = Field(None, description="With the status snoozed: until when.")
    priority: Present[Priority] = None
    labels: Present[Labels] = Field(None, examples=[["billing"]])
    subject: Words | None = Field(None, max_length=500, description="null leaves it without one.")
    attributes: Present[Attributes] = Field(None, description="All of them; those left out are gone.")


class NewMessage(Body):
    text: Words = Field(
        min_length=1,
        max_length=LONGEST_TEXT,
        description="4096 characters at most on WhatsApp.",
        examples=["Bom dia! Já estou a ver o seu pedido."],
    )
    reply_to: UUID | None = Field(None, description="The id of the message of this conversation that it quotes.")


class AuthorShown(BaseModel):
    kind: str = Field(examples=["contact", "agent", "system"])
    id: str | None = Field(description="The agent or key that wrote it; null for the contact and for Balcão itself.")


class MessageShown(BaseModel):
    id: UUID
    seq: int = Field(description="The order of arrival: gap-free within the conversation, never renumbered.")
    direction: str = Field(examples=["inbound"])
    type: str = Field(description="What it holds: `text`, `media`, …; `unsupported` and `revoked` among them.")
    text: str | None
    content: dict[str, Any] = Field(description="Attachments, location and what else it holds.")
    reply_to: str | None = Field(description="The provider's id of the message that it quotes.")
    provider_message_id: str | None
    reactions: list[str]
    author: AuthorShown | None = Field(description="null for what was written in another app of the provider's.")
    status: MessageStatus | None = Field(
        description="What became of a message sent from here, never less known save by a new attempt; else null.",
        examples=["queued"],
    )
    status_at: datetime | None = Field(description="When that happened.")
    attempt: int | None = Field(description="How often it was sent; 1 at first.", examples=[1])
    error_code: str | None = Field(description="Why it failed, or is not known, in the provider's code.")
    error_title: str | None
    sent_at: datetime = Field(description="By the provider's clock; of a message sent from here, when it was queued.")
    received_at: datetime
    edited_at: datetime | None
    revoked_at: datetime | None


class NewNote(Body):
    text: Words = Field(min_length=1, max_length=20_000, examples=["Já ligou ontem sobre o mesmo."])


class NoteShown(BaseModel):
    id: UUID
    author_id: str
    text: str
    created_at: datetime


class AddressShown(BaseModel):
    channel_id: UUID
    kind: str = Field(examples=["wa_phone"])
    value: str = Field(examples=["5511987654321"])


class ContactShown(BaseModel):
    id: UUID
    name: str | None
    attributes: dict[str, Any]
    addresses: list[AddressShown]
    created_at: datetime
    updated_at: datetime


class NewContact(Body):
    name: ContactName | None = Field(None, examples=["Maria Souza"])
    attributes: Attributes = Field({}, examples=[{"plan": "premium"}])


class ContactChange(Body):
    """What is to be changed; what is left out stays."""

    name: ContactName | None = Field(None, description="null forgets it.", examples=["Maria Souza"])
    attributes: Present[Attributes] = Field(
        None, description="All of them; those left out are gone.", examples=[{"plan": "premium"}]
    )
