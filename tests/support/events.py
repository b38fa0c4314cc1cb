"""Events as ingest would say them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.events import Envelope, Event, Record
from shared.events.ingest import Address, Content, MessageReceived
from shared.ids import new_id

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def message_received(tenant_id: UUID, who: str = "5511987654321", number: int = 0, **changes: Any) -> MessageReceived:
    """The `number`-th text of a sender, a second after the one before."""
    fields: dict[str, Any] = {
        "tenant_id": tenant_id,
        "channel_id": UUID(int=tenant_id.int ^ 1),
        "channel_kind": "whatsapp",
        "raw_event_id": new_id(),
        "sender_ref": f"ref-{who}",
        "sender": [Address(kind="wa_phone", value=who)],
        "sender_name": f"Sender {who}",
        "sent_at": NOON + timedelta(seconds=number),
        "provider_message_id": f"wamid.{who}.{number}",
        "direction": "inbound",
        "content": Content(type="text", text=f"text {number}"),
    }
    return MessageReceived(**fields | changes)


def as_record(event: Event | Record) -> Record:
    """As it is published."""
    if isinstance(event, Record):
        return event
    return event.in_envelope(Envelope(new_id(), NOON)).to_record()
