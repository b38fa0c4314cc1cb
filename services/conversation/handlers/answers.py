"""The tenant's side of the history: what agents and Balcão itself say takes its place and waits to be sent."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from services.conversation import store
from services.conversation.domain import (
    MessageStatus,
    Status,
    in_order_of_use,
    longest_text,
    may_be_sent_again,
)
from services.conversation.handlers.telling import message_added, of
from services.conversation.models import Conversation, Message
from services.conversation.store import ThreadKey
from shared.db import UnitOfWork
from shared.events import Event
from shared.events.conversation import MessageQueued
from shared.events.ingest import Address, Content
from shared.events.routing import AutoReplyDecided
from shared.http import Conflict, Invalid

_FIRST: Final = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be said, and the message that it quotes."""

    text: str = field(repr=False)
    reply_to: UUID | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """Who says it: an agent or key by its id, or Balcão itself."""

    kind: str
    id: str | None = None


_SYSTEM: Final = Author("system")


async def answer_conversation(conversation: Conversation, author_id: str, answer: Answer, uow: UnitOfWork) -> Message:
    """Let an agent's answer take its place in a conversation that was read for update, and queue it.

    It leaves the status as it is: who put the conversation off, or waits for the customer, does so still. Raises
    `Conflict` where it cannot be sent, and `Invalid` for a text that is too long or a quotation of nothing.
    """
    _check_open(conversation)
    longest = longest_text(conversation.channel_kind)
    if len(answer.text) > longest:
        detail = f"must have {longest} characters at most on this channel"
        raise Invalid(errors=[{"pointer": "/text", "detail": detail}])
    quoted = await _quoted(conversation, answer.reply_to, uow) if answer.reply_to is not None else None
    recipient = await _recipient(conversation, uow)
    message = _append(conversation, uow.new_id(), answer.text, Author("agent", author_id), uow, reply_to=quoted)
    _queue(message, conversation, recipient, uow)
    return message


async def send_again(conversation: Conversation, message: Message, uow: UnitOfWork) -> None:
    """Send again a message that was read for update; raises `Conflict` unless it failed or nothing is known of it."""
    _check_open(conversation)
    if message.attempt is None or not may_be_sent_again(message.status):
        raise Conflict("Only what failed, or of what nothing is known, is sent again.", slug="not-to-be-sent-again")
    recipient = await _recipient(conversation, uow)
    message.attempt += 1
    message.status, message.status_at = MessageStatus.QUEUED, uow.now
    message.error_code = message.error_title = None
    _queue(message, conversation, recipient, uow)


async def queue_auto_replies(events: Sequence[AutoReplyDecided], uow: UnitOfWork) -> None:
    """Say what routing decided, each reply once.

    Nothing is said any more in a conversation that was resolved meanwhile, nor to a contact without an address.
    """
    replies = {(event.tenant_id, event.reply_id): event for event in events}
    wanted = {(event.tenant_id, event.conversation_id) for event in events}
    conversations = await store.conversations_to_answer(wanted, uow.session)
    recipients = await store.recipients({_thread_key(one) for one in conversations.values()}, uow.session)
    here = await store.messages_here(replies, uow.session)
    for key, event in replies.items():
        conversation = conversations.get((event.tenant_id, event.conversation_id))
        if key in here or conversation is None or conversation.status == Status.RESOLVED:
            continue
        recipient = _in_order(recipients[_thread_key(conversation)], conversation)
        if recipient:
            message = _append(conversation, event.reply_id, event.text, _SYSTEM, uow, caused_by=event)
            _queue(message, conversation, recipient, uow, caused_by=event)


def _append(
    conversation: Conversation,
    message_id: UUID,
    text: str,
    author: Author,
    uow: UnitOfWork,
    *,
    reply_to: str | None = None,
    caused_by: Event | None = None,
) -> Message:
    """A message of ours in its place; the conversation is locked, so that no number is given twice."""
    conversation.last_seq += 1
    conversation.last_message_at = max(conversation.last_message_at or uow.now, uow.now)
    conversation.updated_at = max(conversation.updated_at, uow.now)
    message = Message(
        id=message_id,
        tenant_id=conversation.tenant_id,
        conversation_id=conversation.id,
        channel_id=conversation.channel_id,
        seq=conversation.last_seq,
        direction="outbound",
        content_type="text",
        text=text,
        content={},
        reply_to=reply_to,
        author_kind=author.kind,
        author_id=author.id,
        status=MessageStatus.QUEUED,
        status_at=uow.now,
        attempt=_FIRST,
        sent_at=uow.now,
        received_at=uow.now,
    )
    uow.session.add(message)
    added = message_added(message, conversation, author_kind=author.kind, author_id=author.id)
    uow.emit(added, caused_by=caused_by)
    return message


def _queue(
    message: Message,
    conversation: Conversation,
    recipient: list[Address],
    uow: UnitOfWork,
    *,
    caused_by: Event | None = None,
) -> None:
    queued = MessageQueued(
        **of(conversation),
        message_id=message.id,
        attempt=message.attempt or _FIRST,
        recipient=recipient,
        content=Content(type=message.content_type, text=message.text, **message.content),
        reply_to=message.reply_to,
        queued_at=uow.now,
    )
    uow.emit(queued, caused_by=caused_by)


def _check_open(conversation: Conversation) -> None:
    if conversation.status == Status.RESOLVED:
        raise Conflict("Open the conversation again before writing in it.", slug="conversation-resolved")


async def _quoted(conversation: Conversation, message_id: UUID, uow: UnitOfWork) -> str:
    """The provider's id of the message that is quoted; raises `Invalid` when there is none."""
    quoted = await store.message(conversation.tenant_id, conversation.id, message_id, uow.session)
    if quoted is None or quoted.provider_message_id is None:
        detail = "must be a message of this conversation that its provider knows"
        raise Invalid(errors=[{"pointer": "/reply_to", "detail": detail}])
    return quoted.provider_message_id


async def _recipient(conversation: Conversation, uow: UnitOfWork) -> list[Address]:
    """The contact's addresses on the channel, the one used last first; raises `Conflict` when there is none."""
    key = _thread_key(conversation)
    found = _in_order((await store.recipients([key], uow.session))[key], conversation)
    if not found:
        raise Conflict("The contact has no address on this channel.", slug="no-address")
    return found


def _in_order(addresses: list[Address], conversation: Conversation) -> list[Address]:
    return in_order_of_use(addresses, [Address.model_validate(one) for one in conversation.answer_to or []])


def _thread_key(conversation: Conversation) -> ThreadKey:
    return ThreadKey(conversation.tenant_id, conversation.contact_id, conversation.channel_id)
