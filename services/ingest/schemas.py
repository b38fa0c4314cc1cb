"""The shapes that ingest's API takes and gives."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, SecretStr, StringConstraints

from shared.http import Body, Present, Words

Name = Annotated[Words, StringConstraints(min_length=1, max_length=200)]
Secret = Annotated[SecretStr, Field(min_length=8, max_length=500)]


class WhatsAppSettings(Body):
    phone_number_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{5,20}$")] = Field(
        description="Meta's id of the business phone number.", examples=["106540352242922"]
    )


class WhatsAppCredentials(Body):
    app_secret: Secret = Field(description="Signs the webhooks.", examples=["0f1e2d3c4b5a69788796a5b4c3d2e1f0"])
    verify_token: Secret = Field(description="Answers Meta's handshake.", examples=["a-token-of-your-choice"])
    access_token: Secret | None = Field(None, description="Sends messages.", examples=["EAAG-access-token"])


class NewChannel(Body):
    """A channel account to be connected."""

    kind: Literal["whatsapp"] = Field(examples=["whatsapp"])
    name: Name = Field(examples=["WhatsApp da loja"])
    settings: WhatsAppSettings
    credentials: WhatsAppCredentials = Field(description="Write-only: no answer ever holds them.")


class ChannelChange(Body):
    name: Present[Name] = Field(None, examples=["WhatsApp do balcão"])
    credentials: Present[WhatsAppCredentials] = None


class ChannelShown(BaseModel):
    id: UUID
    kind: str = Field(examples=["whatsapp"])
    name: str = Field(examples=["WhatsApp da loja"])
    settings: dict[str, Any] = Field(examples=[{"phone_number_id": "106540352242922"}])
    webhook_url: str = Field(description="What to enter at the provider.")
    created_at: datetime
    updated_at: datetime


class RawEventShown(BaseModel):
    """An item as a provider sent it, without its content."""

    id: UUID
    channel_id: UUID
    path: str = Field(description="Where it stood in the body.", examples=["entry[0].changes[0].value.messages[0]"])
    state: str = Field(examples=["failed"])
    reason: str | None
    received_at: datetime


RawEventState = Literal["accepted", "kept", "failed"]
