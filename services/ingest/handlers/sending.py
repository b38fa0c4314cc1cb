"""What is to be said to people leaves through the providers: in order for each person, each attempt once."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from services.ingest import store
from services.ingest.channels import web_chat
from services.ingest.channels.sending import (
    QUEUED,
    UNKNOWN,
    Cause,
    NotNow,
    Order,
    Outcome,
    UnsendableError,
    reference,
)
from services.ingest.clients import Clients, Gate, Gates
from services.ingest.handlers.channels import open_credentials
from services.ingest.handlers.deliveries import settle_sends, text_digest
from services.ingest.models import Send
from services.ingest.store import DueSend, News, NewSend
from shared.bus.retry import Poison
from shared.db import Job, UnitOfWork
from shared.events.conversation import MessageQueued
from shared.events.ingest import Address, Content
from shared.events.privacy import NoticeQueued
from shared.jobs import Again, Outside
from shared.memory import Memory
from shared.personal import Sealer

LONGEST_WAIT: Final = 900.0
"""Seconds between two tries at most, unless the provider asks for more."""

_GROWTH: Final = {Cause.OUTAGE: 2.0, Cause.RECIPIENT: 4.0}
"""By which the wait grows from try to try; for a recipient it is Meta's own rule, 4^n seconds."""
_MOST_SETBACKS: Final = 10_000
_UNREACHED: Final = Outcome(
    "failed", error_code="provider_unreachable", error_title="The provider could not be reached in time."
)


class SendMessage(Job):
    type = "ingest.send-message"

    message_id: UUID
    attempt: int
    channel_id: UUID


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What sending works with while the process runs."""

    clients: Clients
    gates: Gates
    sealer: Sealer
    patience: timedelta
    """How long a message is tried that the provider does not take."""
    setbacks: Memory[tuple[UUID, UUID], int] = field(default_factory=lambda: Memory(_MOST_SETBACKS))
    """How often of late a person on a channel could not be sent anything."""


async def queue_sends(events: Sequence[MessageQueued], uow: UnitOfWork) -> None:
    """Have each message sent, a person's in the order in which they were queued; web chat needs no provider."""
    await _queue([_message(event) for event in events if event.channel_kind != web_chat.KIND], uow)


async def queue_notices(events: Sequence[NoticeQueued], uow: UnitOfWork) -> None:
    """Have each notice sent, in turn with what else a person is sent, but outside of his conversations."""
    await _queue([_notice(event) for event in events if event.channel_kind != web_chat.KIND], uow)


async def _queue(sends: Sequence[NewSend], uow: UnitOfWork) -> None:
    if not sends:
        return
    new = await store.add_sends(sends, uow.session)
    for send in {send.key: send for send in sends if send.key in new}.values():
        job = SendMessage(
            tenant_id=send.tenant_id, message_id=send.message_id, attempt=send.attempt, channel_id=send.channel_id
        )
        uow.schedule(job, key=f"send:{send.channel_id}:{send.contact_id}", due_at=uow.now)


async def read_send(job: SendMessage, uow: UnitOfWork) -> DueSend:
    """An attempt with all that it needs."""
    due = await store.due_send(job.tenant_id, job.message_id, job.attempt, uow.session)
    if due is None:
        raise Poison("there is no such send")
    return due


async def send_message(due: DueSend, dispatch: Dispatch) -> Outcome:
    """Give a message to its provider once, if he may be called now; raises `Again` while he takes nothing."""
    send = due.send
    if send.state != QUEUED:
        return Outcome(send.state)
    if due.arrived_before:
        return Outcome("delivered")
    gate = dispatch.gates.of(send.channel_id)
    wait = gate.enter()
    if wait:
        if gate.is_shut and _is_too_late(send, dispatch):
            return _UNREACHED
        raise Again(wait)
    try:
        answer = await _give(due, dispatch)
    except UnsendableError as never:
        return Outcome("failed", error_code=never.code, error_title=never.sentence)
    finally:
        gate.leave()
    return _judge(answer, send, gate, dispatch)


async def record_send(job: SendMessage, outcome: Outcome, uow: UnitOfWork) -> None:
    """Write down what came of an attempt, with all that was told of it meanwhile."""
    news = News(
        tenant_id=job.tenant_id,
        channel_id=job.channel_id,
        message_id=job.message_id,
        attempt=job.attempt,
        provider_message_id=outcome.provider_message_id,
        state=outcome.state,
        occurred_at=uow.now,
        error_code=outcome.error_code,
        error_title=outcome.error_title,
    )
    await settle_sends([news], uow)


async def lose_send(job: SendMessage, uow: UnitOfWork) -> None:
    """Write down that nobody knows what came of an attempt."""
    await record_send(job, UNKNOWN, uow)


SENDING: Final = Outside(read=read_send, call=send_message, record=record_send, lost=lose_send)


async def _give(due: DueSend, dispatch: Dispatch) -> Outcome | NotNow:
    send, channel = due.send, due.channel
    client = dispatch.clients.get(send.channel_kind)
    if client is None or channel is None:
        raise UnsendableError("no_such_channel", "There is no channel through which this could be sent.")
    order = Order(
        account=channel.account,
        secrets=open_credentials(channel, dispatch.sealer),
        recipient=[Address.model_validate(address) for address in send.recipient or ()],
        content=Content.model_validate(send.content),
        reply_to=send.reply_to,
        reference=reference(send.message_id, send.attempt),
    )
    return await client.send(order)


def _judge(answer: Outcome | NotNow, send: Send, gate: Gate, dispatch: Dispatch) -> Outcome:
    """What follows from an answer for the message and for its channel; raises `Again`."""
    match answer:
        case NotNow(cause=Cause.OUTAGE):
            gate.fail(answer.seconds)
        case NotNow(cause=Cause.ACCOUNT):
            gate.throttle(answer.seconds)
        case Outcome(state="unknown"):
            gate.fail()
        case _:
            gate.succeed()
    if isinstance(answer, Outcome):
        _remember(0, send, dispatch)
        return answer
    if _is_too_late(send, dispatch):
        return Outcome("failed", error_code=answer.error_code, error_title=answer.error_title)
    raise Again(gate.turn() if answer.cause is Cause.ACCOUNT else _wait(answer, send, dispatch))


def _wait(answer: NotNow, send: Send, dispatch: Dispatch) -> float:
    """Seconds until a message is tried again, growing from setback to setback, with jitter."""
    setbacks = dispatch.setbacks.get((send.channel_id, send.contact_id)) or 0
    _remember(setbacks + 1, send, dispatch)
    wait = min(LONGEST_WAIT, _GROWTH[answer.cause] ** min(setbacks, 10)) * random.uniform(1, 1.25)  # noqa: S311 - no secret
    return max(wait, answer.seconds or 0.0)


def _remember(setbacks: int, send: Send, dispatch: Dispatch) -> None:
    person = (send.channel_id, send.contact_id)
    if setbacks or dispatch.setbacks.get(person):
        dispatch.setbacks.keep(person, setbacks, seconds=dispatch.patience.total_seconds())


def _is_too_late(send: Send, dispatch: Dispatch) -> bool:
    return datetime.now(UTC) - send.queued_at > dispatch.patience


def _notice(event: NoticeQueued) -> NewSend:
    return NewSend(
        tenant_id=event.tenant_id,
        message_id=event.notice_id,
        attempt=1,
        channel_id=event.channel_id,
        channel_kind=event.channel_kind,
        conversation_id=None,
        # Who is known to privacy is known to it by the id that he has as a contact.
        contact_id=event.subject_id,
        recipient=[address.model_dump() for address in event.recipient],
        content={"type": "text", "text": event.text},
        text_digest=text_digest(event.text),
        reply_to=None,
        queued_at=event.queued_at,
    )


def _message(event: MessageQueued) -> NewSend:
    return NewSend(
        tenant_id=event.tenant_id,
        message_id=event.message_id,
        attempt=event.attempt,
        channel_id=event.channel_id,
        channel_kind=event.channel_kind,
        conversation_id=event.conversation_id,
        contact_id=event.contact_id,
        recipient=[address.model_dump() for address in event.recipient],
        content=event.content.model_dump(mode="json", exclude_defaults=True) | {"type": event.content.type},
        text_digest=None,
        reply_to=event.reply_to,
        queued_at=event.queued_at,
    )
