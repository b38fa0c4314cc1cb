"""What becomes of the messages that were sent from here, as ingest tells it: more is known each time, never less."""

from collections.abc import Sequence
from uuid import UUID

from services.conversation import store
from services.conversation.domain import settles
from services.conversation.store import Outgoing
from shared.db import UnitOfWork
from shared.events.conversation import MessageStatusChanged
from shared.events.ingest import DeliveryChanged


async def record_deliveries(events: Sequence[DeliveryChanged], uow: UnitOfWork) -> None:
    """Write down what became of messages, and tell it where it is more than was known.

    With the provider's id a message is known when it is echoed, edited, taken back or reacted to.
    """
    messages = await store.outgoing(events, uow.session)
    settled: dict[UUID, Outgoing] = {}
    named: dict[UUID, Outgoing] = {}
    for event in events:
        message = messages.get((event.tenant_id, event.message_id))
        if message is None:
            continue
        if settles(message.status, message.attempt, told=event.state, of_attempt=event.attempt):
            settled[message.id] = message
            message.status, message.status_at = event.state, event.occurred_at
            message.error_code, message.error_title = event.error_code, event.error_title
            uow.emit(_status_changed(event, message), caused_by=event)
        if _names(event, message):
            settled[message.id] = named[message.id] = message
            message.provider_message_id = event.provider_message_id
    if named:
        await store.give_up_names(named.values(), uow.session)
    if settled:
        await store.settle(settled.values(), uow.session)
    if named:
        await store.apply_parked(named.values(), uow.session)


def _names(event: DeliveryChanged, message: Outgoing) -> bool:
    """Whether the event tells an id by which the provider knows the message; that of the last attempt is kept."""
    if event.provider_message_id in {None, message.provider_message_id}:
        return False
    return message.provider_message_id is None or event.attempt >= message.attempt


def _status_changed(event: DeliveryChanged, message: Outgoing) -> MessageStatusChanged:
    return MessageStatusChanged(
        tenant_id=event.tenant_id,
        conversation_id=event.conversation_id,
        contact_id=event.contact_id,
        channel_id=event.channel_id,
        channel_kind=message.channel_kind,
        message_id=message.id,
        status=message.status,
        error_code=message.error_code,
        error_title=message.error_title,
        changed_at=message.status_at,
    )
