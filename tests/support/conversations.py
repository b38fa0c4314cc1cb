"""Events as conversation would say them of one conversation."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from shared.events import Event
from shared.events.conversation import (
    ConversationChanged,
    ConversationOpened,
    ConversationReopened,
    ConversationResolved,
    MessageAdded,
)
from shared.ids import new_id
from tests.support.events import NOON
from tests.support.hearing import said_at

E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Conversation:
    """Each thing happens so many seconds after noon, and is said at that moment."""

    tenant_id: UUID
    channel_id: UUID = field(default_factory=new_id)
    conversation_id: UUID = field(default_factory=new_id)
    contact_id: UUID = field(default_factory=new_id)

    def message(self, seconds: float, direction: str = "inbound") -> MessageAdded:
        fields = {"seq": 1, "direction": direction, "content_type": "text", "text": "oi", "message_id": new_id()}
        return self._said(MessageAdded, seconds, "sent_at", **fields)

    def opened(self, seconds: float) -> ConversationOpened:
        return self._said(ConversationOpened, seconds, "opened_at")

    def reopened(self, seconds: float) -> ConversationReopened:
        return self._said(ConversationReopened, seconds, "reopened_at")

    def resolved(self, seconds: float) -> ConversationResolved:
        return self._said(ConversationResolved, seconds, "resolved_at")

    def changed(self, seconds: float, status: str) -> ConversationChanged:
        return self._said(ConversationChanged, seconds, "changed_at", status=status, priority="normal", labels=[])

    def _said(self, kind: type[E], seconds: float, when: str, **fields: Any) -> E:
        moment = NOON + timedelta(seconds=seconds)
        whose = {
            "tenant_id": self.tenant_id,
            "conversation_id": self.conversation_id,
            "contact_id": self.contact_id,
            "channel_id": self.channel_id,
            "channel_kind": "whatsapp",
        }
        return said_at(moment, kind(**whose, **fields, **{when: moment}))
