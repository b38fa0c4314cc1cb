"""The shapes that ingest's API takes and gives."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    StringConstraints,
    ValidationInfo,
    WrapValidator,
    field_validator,
)
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from shared.http import Body, Present, Words

Name = Annotated[Words, StringConstraints(min_length=1, max_length=200)]
Secret = Annotated[SecretStr, Field(min_length=8, max_length=500)]

MOST_QUESTIONS = 20
"""What a visitor may be asked before a chat."""


class WhatsAppSettings(Body):
    phone_number_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{5,20}$")] = Field(
        description="Meta's id of the business phone number.", examples=["106540352242922"]
    )


class WhatsAppCredentials(Body):
    app_secret: Secret = Field(description="Signs the webhooks.", examples=["0f1e2d3c4b5a69788796a5b4c3d2e1f0"])
    verify_token: Secret = Field(description="Answers Meta's handshake.", examples=["a-token-of-your-choice"])
    access_token: Secret | None = Field(None, description="Sends messages.", examples=["EAAG-access-token"])


Origin = Annotated[
    str, StringConstraints(to_lower=True, pattern=r"^https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$", max_length=300)
]


QuestionKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]


class PreChatField(Body):
    """A question that is asked before the chat."""

    key: QuestionKey = Field(examples=["order_number"])
    label: Name = Field(examples=["Número do pedido"])
    required: StrictBool = Field(False, examples=[False])


class WebChatSettings(Body):
    title: Name = Field(examples=["Fale com a loja"])
    allowed_origins: list[Origin] = Field(
        [],
        max_length=50,
        description="The web pages that may open the chat (RFC 6454 §7); none for all.",
        examples=[["https://loja.example"]],
    )
    pre_chat_fields: list[PreChatField] = Field([], max_length=MOST_QUESTIONS)

    @field_validator("pre_chat_fields")
    @classmethod
    def _have_keys_of_their_own(cls, fields: list[PreChatField]) -> list[PreChatField]:
        if len({one.key for one in fields}) < len(fields):
            raise ValueError("must have a key of its own each")
        return fields


def _of_its_kind(value: Any, _: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    # A union would tell of every kind what is wrong with it. Without a kind there is a mistake to tell already.
    kind = info.data.get("kind")
    return _SETTINGS[kind].model_validate(value) if kind is not None else value


_SETTINGS: dict[str, type[WhatsAppSettings | WebChatSettings]] = {
    "web_chat": WebChatSettings,
    "whatsapp": WhatsAppSettings,
}


class NewChannel(Body):
    """A channel account to be connected; a web chat has no provider, and so no credentials."""

    kind: Literal["whatsapp", "web_chat"] = Field(examples=["whatsapp"])
    name: Name = Field(examples=["WhatsApp da loja"])
    settings: Annotated[WhatsAppSettings | WebChatSettings, WrapValidator(_of_its_kind)] = Field(
        description="Those of its kind.", examples=[{"phone_number_id": "106540352242922"}]
    )
    credentials: WhatsAppCredentials | None = Field(
        None,
        validate_default=True,
        description="Those of its kind. Write-only: no answer ever holds them.",
        examples=[{"app_secret": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "verify_token": "a-token-of-your-choice"}],
    )

    @field_validator("credentials")
    @classmethod
    def _are_the_providers(cls, given: WhatsAppCredentials | None, info: ValidationInfo) -> WhatsAppCredentials | None:
        kind = info.data.get("kind")
        if kind == "whatsapp" and given is None:
            raise ValueError("are needed")
        if kind == "web_chat" and given is not None:
            raise ValueError("has no place here")
        return given


class ChannelChange(Body):
    """What is left out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Chat do balcão", "settings": {"title": "Fale com o balcão"}}]}
    )

    name: Present[Name] = Field(None, examples=["WhatsApp do balcão"])
    settings: Present[WebChatSettings] = Field(None, description="Of a web chat, as a whole.")
    credentials: Present[WhatsAppCredentials] = Field(None, description="Of an account at a provider, as a whole.")


class ChannelShown(BaseModel):
    id: UUID
    kind: str = Field(examples=["whatsapp"])
    name: str = Field(examples=["WhatsApp da loja"])
    settings: dict[str, Any] = Field(examples=[{"phone_number_id": "106540352242922"}])
    webhook_url: str | None = Field(description="What to enter at the provider; null where there is none.")
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


class WebChatShown(BaseModel):
    """What a page needs to open a web chat."""

    channel_id: UUID
    title: str = Field(examples=["Fale com a loja"])
    pre_chat_fields: list[PreChatField]


Answer = Annotated[Words, StringConstraints(max_length=1000)]


class NewChatSession(Body):
    """What a visitor tells before he writes."""

    name: Name | None = Field(None, examples=["Maria"])
    email: Annotated[Words, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)] | None = Field(
        None, examples=["maria@example.com"]
    )
    pre_chat: dict[QuestionKey, Answer] = Field({}, max_length=MOST_QUESTIONS, examples=[{"order_number": "1234"}])
    locale: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}$")] | None = Field(
        None, description="A language tag (BCP 47).", examples=["pt-BR"]
    )


class ChatSessionBegun(BaseModel):
    """A session, with the only sight of its token."""

    id: UUID
    channel_id: UUID
    token: str = Field(description="The visitor's secret, for `X-Visitor-Token`; it is never shown again.")
    created_at: datetime
    expires_at: datetime = Field(description="When it ends if it is not used; every use moves it.")


class ChatSessionShown(BaseModel):
    """A visitor as the staff sees him."""

    id: UUID
    channel_id: UUID
    name: str | None
    email: str | None = Field(description="As the visitor told it; nobody has verified it.")
    pre_chat: dict[str, str] = Field(description="His answers, by the keys of the questions.")
    locale: str | None
    typing: bool = Field(description="Whether he writes just now.")
    created_at: datetime
    used_at: datetime = Field(description="When he was last there, to within an hour.")


class NewChatMessage(Body):
    text: Annotated[Words, StringConstraints(min_length=1, max_length=4000)] = Field(
        examples=["Onde está o meu pedido?"]
    )
    client_message_id: UUID = Field(
        description="Made by the page; the same twice is one message.",
        examples=["0192d3a4-5b6c-7d8e-9f01-23456789abcd"],
    )


class ChatAttachment(BaseModel):
    kind: str = Field(examples=["image"])
    url: str | None = None
    mime_type: str | None = None
    filename: str | None = None


class ChatMessageShown(BaseModel):
    """A message of either side, as the visitor sees it."""

    id: UUID
    seq: int = Field(description="Its place in the session, rising and not gap-free; its event's id on the stream.")
    direction: str = Field(description="`inbound` is what the visitor wrote.", examples=["inbound", "outbound"])
    type: str = Field(examples=["text"])
    text: str | None
    attachments: list[ChatAttachment]
    reply_to: str | None = Field(description="The id of the message that it quotes.")
    client_message_id: UUID | None
    status: str = Field(examples=["sent", "delivered", "read"])
    sent_at: datetime


class TypingChange(Body):
    typing: StrictBool = Field(examples=[True])


class ReadChange(Body):
    message_id: UUID = Field(
        description="The newest message that he has seen.", examples=["0192d3a4-5b6c-7d8e-9f01-23456789abcd"]
    )
