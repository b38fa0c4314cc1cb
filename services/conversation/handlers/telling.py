"""What the events of a conversation tell of it, whoever has it in hand."""

from typing import Any

from services.conversation.models import Conversation, Message
from services.conversation.store import NewMessage, Thread
from shared.events.conversation import MessageAdded


def of(conversation: Conversation | Thread) -> dict[str, Any]:
    """The fields that all events of a conversation have."""
    return {
        "tenant_id": conversation.tenant_id,
        "conversation_id": conversation.id,
        "contact_id": conversation.contact_id,
        "channel_id": conversation.channel_id,
        "channel_kind": conversation.channel_kind,
    }


def message_added(
    message: Message | NewMessage,
    conversation: Conversation | Thread,
    *,
    author_kind: str | None,
    author_id: str | None = None,
) -> MessageAdded:
    return MessageAdded(
        **of(conversation),
        message_id=message.id,
        seq=message.seq,
        direction=message.direction,
        author_kind=author_kind,
        author_id=author_id,
        content_type=message.content_type,
        text=message.text,
        sent_at=message.sent_at,
    )
