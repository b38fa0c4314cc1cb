"""An example of every event, as its record stands on the wire: what happens when Maria writes to a bakery."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from deploy.documents.schemas import JSON
from shared.events import EVENTS, Envelope, Event, Record
from shared.events.conversation import (
    ContactAdded,
    ContactAddressesAdded,
    ConversationChanged,
    ConversationOpened,
    ConversationReopened,
    ConversationResolved,
    MessageAdded,
    MessageQueued,
    MessageStatusChanged,
)
from shared.events.gateway import ApiKeyChanged, TenantChanged, UserChanged
from shared.events.ingest import (
    Address,
    AddressChanged,
    Attachment,
    Content,
    DeliveryChanged,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReactionChanged,
)
from shared.events.privacy import DeadlineNeared, NoticeQueued, PrivacyRequestChanged, SubjectDataRequested
from shared.events.routing import (
    AutoReplyDecided,
    BusinessHoursChanged,
    ConversationAssigned,
    ConversationOffered,
    ConversationQueued,
    ConversationUnassigned,
    OfferEnded,
    PresenceChanged,
)
from shared.ids import earliest_id

_MORNING: Final = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
_TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _id(number: int) -> UUID:
    return UUID(int=earliest_id(_MORNING).int + number)


def _at(minutes: int) -> datetime:
    return _MORNING + timedelta(minutes=minutes)


_TENANT, _CHANNEL, _CONTACT, _CONVERSATION, _API_KEY, _MESSAGE, _RAW_EVENT = map(_id, range(1, 8))
_AGENT, _QUEUE, _OFFER, _REPLY = map(_id, range(8, 12))
_REQUEST, _NOTICE = map(_id, range(14, 16))
_DUE, _LATEST = datetime(2026, 12, 6, 2, 59, 59, tzinfo=UTC), datetime(2026, 12, 8, 2, 59, 59, tzinfo=UTC)

_TO_BAKERY: Final[Mapping[str, Any]] = {
    "tenant_id": _TENANT,
    "channel_id": _CHANNEL,
    "channel_kind": "whatsapp",
    "raw_event_id": _RAW_EVENT,
    "sender_ref": "5f0c1d7ab3e94c6288d1f4a90b7e2c35",
    "sender": [Address(kind="wa_bsuid", value="BR.1A94f20cQ7731"), Address(kind="wa_phone", value="5582990000001")],
}
_OF_CONVERSATION: Final[Mapping[str, Any]] = {
    "tenant_id": _TENANT,
    "conversation_id": _CONVERSATION,
    "contact_id": _CONTACT,
    "channel_id": _CHANNEL,
    "channel_kind": "whatsapp",
}
_OF_CASE: Final[Mapping[str, Any]] = {name: value for name, value in _OF_CONVERSATION.items() if name != "channel_kind"}
_QUESTION: Final = "Bom dia! O bolo já está pronto?"
_CORRECTED: Final = "Bom dia! O bolo de sábado já está pronto?"
_WAMID: Final = "wamid.HBgNNTU4Mjk5MDAwMDAwMRUCABIYFjNFQjA"

_STORY: Final[Sequence[Event]] = (
    TenantChanged(
        tenant_id=_TENANT,
        name="Padaria do Largo",
        slug="padaria-do-largo",
        country="BR",
        time_zone="America/Sao_Paulo",
        locale="pt-BR",
        legal_regime="lgpd",
        role="controller",
        version=1,
        changed_at=_at(0),
    ),
    ApiKeyChanged(
        tenant_id=_TENANT,
        api_key_id=_API_KEY,
        label="Joana, balcão",
        role="agent",
        scopes=["contacts:read", "conversations:read", "conversations:write"],
        created_at=_at(1),
    ),
    MessageReceived(
        **_TO_BAKERY,
        sent_at=_at(2),
        provider_message_id=_WAMID,
        direction="inbound",
        sender_name="Maria Aparecida",
        username="@maria.ap",
        content=Content(
            type="media",
            text=_QUESTION,
            attachments=[Attachment(kind="image", media_id="1003", mime_type="image/jpeg")],
        ),
    ),
    ContactAdded(
        tenant_id=_TENANT,
        contact_id=_CONTACT,
        channel_id=_CHANNEL,
        channel_kind="whatsapp",
        addresses=_TO_BAKERY["sender"],
    ),
    ConversationOpened(**_OF_CONVERSATION, opened_at=_at(4)),
    MessageAdded(
        **_OF_CONVERSATION,
        message_id=_MESSAGE,
        seq=1,
        direction="inbound",
        content_type="media",
        text=_QUESTION,
        sent_at=_at(2),
    ),
    ConversationChanged(
        **_OF_CONVERSATION, status="pending", priority="normal", labels=["encomenda"], changed_at=_at(6)
    ),
    MessageEdited(
        **_TO_BAKERY, sent_at=_at(7), provider_message_id=_WAMID, content=Content(type="text", text=_CORRECTED)
    ),
    ReactionChanged(**_TO_BAKERY, sent_at=_at(8), provider_message_id=_WAMID, emoji="👍"),
    ConversationResolved(**_OF_CONVERSATION, resolved_at=_at(9)),
    ConversationReopened(**_OF_CONVERSATION, reopened_at=_at(10)),
    MessageRevoked(**_TO_BAKERY, sent_at=_at(11), provider_message_id=_WAMID),
    AddressChanged(**_TO_BAKERY, sent_at=_at(12), new_addresses=[Address(kind="wa_phone", value="5582990000002")]),
    UserChanged(
        tenant_id=_TENANT, user_id=_AGENT, name="Joana Prado", role="agent", active=True, version=1, changed_at=_at(13)
    ),
    PresenceChanged(tenant_id=_TENANT, agent_id=_AGENT, status="online", changed_at=_at(14)),
    ConversationQueued(**_OF_CASE, queue_id=_QUEUE, queued_at=_at(2)),
    AutoReplyDecided(
        **_OF_CASE,
        reply_id=_id(13),
        kind="greeting",
        text="Olá! Aqui é a Padaria do Largo. Já vamos atender você.",
        decided_at=_at(16),
    ),
    ConversationOffered(**_OF_CASE, offer_id=_OFFER, agent_id=_AGENT, offered_at=_at(17), expires_at=_at(18)),
    OfferEnded(**_OF_CASE, offer_id=_OFFER, agent_id=_AGENT, outcome="accepted", ended_at=_at(18)),
    ConversationAssigned(**_OF_CASE, queue_id=_QUEUE, agent_id=_AGENT, assigned_at=_at(18)),
    MessageQueued(
        **_OF_CONVERSATION,
        message_id=_REPLY,
        attempt=1,
        recipient=[Address(kind="wa_phone", value="5582990000001")],
        content=Content(type="text", text="Bom dia, Maria! Fica pronto às 15 h."),
        reply_to=_WAMID,
        queued_at=_at(20),
    ),
    DeliveryChanged(
        **_OF_CASE,
        message_id=_REPLY,
        attempt=1,
        state="delivered",
        provider_message_id="wamid.HBgNNTU4Mjk5MDAwMDAwMRUCABEYEjVCMzY",
        occurred_at=_at(21),
    ),
    MessageStatusChanged(**_OF_CONVERSATION, message_id=_REPLY, status="delivered", changed_at=_at(21)),
    ConversationUnassigned(**_OF_CASE, agent_id=_AGENT, reason="resolved", unassigned_at=_at(23)),
    ContactAddressesAdded(
        tenant_id=_TENANT,
        contact_id=_CONTACT,
        channel_id=_CHANNEL,
        channel_kind="whatsapp",
        addresses=[Address(kind="wa_phone", value="5582990000002")],
    ),
    BusinessHoursChanged(
        tenant_id=_TENANT,
        week={"saturday": [{"start": "07:00", "end": "13:00"}]},
        exceptions={"2026-12-25": []},
        holidays=True,
        version=1,
        changed_at=_at(25),
    ),
    PrivacyRequestChanged(
        tenant_id=_TENANT,
        request_id=_REQUEST,
        right="access",
        state="identity_pending",
        due_at=_DUE,
        legal_latest_at=_LATEST,
        changed_at=_at(26),
    ),
    NoticeQueued(
        tenant_id=_TENANT,
        notice_id=_NOTICE,
        request_id=_REQUEST,
        subject_id=_CONTACT,
        kind="proof_code",
        channel_id=_CHANNEL,
        channel_kind="whatsapp",
        recipient=[Address(kind="wa_phone", value="5582990000001")],
        text="O seu código é 073519. Vale por 10 minutos.",
        queued_at=_at(27),
    ),
    SubjectDataRequested(
        tenant_id=_TENANT,
        request_id=_REQUEST,
        subject_id=_CONTACT,
        attempt=1,
        services=["conversation", "gateway", "ingest", "metrics", "privacy", "routing"],
        references={"contact": [str(_CONTACT)], "sender": [_TO_BAKERY["sender_ref"]]},
        sealed_key="dGhlIGtleSBvZiB0aGlzIG9uZSByZXF1ZXN0LCBzZWFsZWQ=",
        requested_at=_at(28),
    ),
    DeadlineNeared(
        tenant_id=_TENANT,
        request_id=_REQUEST,
        right="access",
        share=0.5,
        due_at=_DUE,
        legal_latest_at=_LATEST,
        neared_at=_at(29),
    ),
)
"""Each a minute after the one before."""

_CAUSED_BY_THE_MESSAGE: Final = (ContactAdded, ConversationOpened, MessageAdded, ConversationReopened)


def example_records() -> dict[str, Record]:
    """A record of each event type, by type; raises `LookupError` when the story leaves one out."""
    if missing := EVENTS.keys() - {event.type for event in _STORY}:
        raise LookupError(f"there is no example of {', '.join(sorted(missing))}")
    ids = {event.type: _id(101 + number) for number, event in enumerate(_STORY)}
    records = {}
    for number, event in enumerate(_STORY):
        cause = ids[MessageReceived.type] if isinstance(event, _CAUSED_BY_THE_MESSAGE) else None
        records[event.type] = event.in_envelope(Envelope(ids[event.type], _at(number), cause, _TRACE)).to_record()
    return dict(sorted(records.items()))


def shown(record: Record) -> JSON:
    """A record as it is printed: its value as JSON, not as the bytes of it."""
    return {
        "topic": record.topic,
        "key": record.key,
        "headers": record.headers,
        "value": orjson.loads(record.value),
    }
