"""What is counted, and what each figure means in words."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID


class FactKind(StrEnum):
    MESSAGE_RECEIVED = "message received"
    MESSAGE_SENT = "message sent"
    CONVERSATION_OPENED = "conversation opened"
    CONVERSATION_REOPENED = "conversation reopened"
    CONVERSATION_RESOLVED = "conversation resolved"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened and counts; it names no person."""

    event_id: UUID
    tenant_id: UUID
    kind: FactKind
    conversation_id: UUID
    channel_id: UUID
    channel_kind: str
    happened_at: datetime


class Metric(StrEnum):
    MESSAGES_RECEIVED = "messages-received"
    MESSAGES_SENT = "messages-sent"
    CONVERSATIONS_OPENED = "conversations-opened"
    CONVERSATIONS_REOPENED = "conversations-reopened"
    CONVERSATIONS_RESOLVED = "conversations-resolved"


class Grouping(StrEnum):
    CHANNEL = "channel"
    DAY = "day"


COUNTED: Final[dict[Metric, tuple[FactKind, str]]] = {
    Metric.MESSAGES_RECEIVED: (FactKind.MESSAGE_RECEIVED, "Messages from customers, by the provider's time."),
    Metric.MESSAGES_SENT: (FactKind.MESSAGE_SENT, "Messages to customers, by the time of sending."),
    Metric.CONVERSATIONS_OPENED: (FactKind.CONVERSATION_OPENED, "Conversations that began."),
    Metric.CONVERSATIONS_REOPENED: (FactKind.CONVERSATION_REOPENED, "Resolved conversations that went on."),
    Metric.CONVERSATIONS_RESOLVED: (
        FactKind.CONVERSATION_RESOLVED,
        "Resolutions of conversations; one that is resolved again after it was reopened counts again.",
    ),
}
