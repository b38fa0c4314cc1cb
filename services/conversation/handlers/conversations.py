"""What the tenant does with a conversation: resolve it, open it again, put it off, label it, note something."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.conversation import store
from services.conversation.domain import ForbiddenChangeError, Status, change_status
from services.conversation.handlers.telling import of
from services.conversation.models import Conversation, Note
from shared.db import Job, UnitOfWork, is_unique_violation
from shared.events.conversation import ConversationChanged, ConversationReopened, ConversationResolved
from shared.http import Conflict


class WakeConversation(Job):
    """A snooze is over."""

    type = "conversation.wake"

    conversation_id: UUID
    snoozed_until: datetime
    """The snooze that is meant: one set later has a job of its own."""


@dataclass(frozen=True, slots=True)
class ChangeConversation:
    """What is to be changed; no status leaves it as it is."""

    status: Status | None = None
    snoozed_until: datetime | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Of priority, labels, subject and attributes those that are to be changed."""


async def change_conversation(conversation: Conversation, command: ChangeConversation, uow: UnitOfWork) -> None:
    """Change a conversation that was read for update; raises `Conflict` when its state does not allow it."""
    before, changes = conversation.status, dict(command.fields)
    if command.status is not None:
        changes |= _status(conversation, command.status, command.snoozed_until, uow)
    elif command.snoozed_until is not None:
        raise Conflict("A snoozed_until goes with the status snoozed.", slug="forbidden-change")
    if not uow.change(conversation, changes):
        return
    try:
        await uow.session.flush()
    except Exception as error:
        if is_unique_violation(error):
            raise Conflict("The contact has another open conversation on this channel.", slug="superseded") from None
        raise
    _tell(conversation, before, uow)


async def wake_conversation(job: WakeConversation, uow: UnitOfWork) -> None:
    """Open a snoozed conversation, unless somebody did or snoozed it anew."""
    conversation = await store.conversation(job.tenant_id, job.conversation_id, uow.session, for_update=True)
    if conversation is None or conversation.status != Status.SNOOZED:
        return
    if conversation.snoozed_until == job.snoozed_until:
        await change_conversation(conversation, ChangeConversation(status=Status.OPEN), uow)


async def add_note(conversation: Conversation, author_id: str, text: str, uow: UnitOfWork) -> Note:
    note = Note(
        id=uow.new_id(),
        tenant_id=conversation.tenant_id,
        conversation_id=conversation.id,
        author_id=author_id,
        text=text,
        created_at=uow.now,
    )
    uow.session.add(note)
    return note


def _status(
    conversation: Conversation, wanted: Status, snoozed_until: datetime | None, uow: UnitOfWork
) -> dict[str, Any]:
    try:
        change = change_status(
            conversation.status,
            wanted,
            resolved_at=conversation.resolved_at,
            snoozed_until=snoozed_until,
            now=uow.now,
        )
    except ForbiddenChangeError as forbidden:
        raise Conflict(str(forbidden), slug="forbidden-change") from forbidden
    if change.snoozed_until is not None:
        job = WakeConversation(
            tenant_id=conversation.tenant_id,
            conversation_id=conversation.id,
            snoozed_until=change.snoozed_until,
        )
        key = f"wake:{conversation.id}:{change.snoozed_until.isoformat()}"
        uow.schedule(job, key=key, due_at=change.snoozed_until)
    changes = {name: getattr(change, name) for name in ("status", "snoozed_until", "resolved_at")}
    # Reopened before routing has told of it, it must not show who answered or where it waited before.
    return changes | {"queue_id": None, "assignee_id": None} if change.status == Status.RESOLVED else changes


def _tell(conversation: Conversation, before: str, uow: UnitOfWork) -> None:
    told = of(conversation) | {"labels": conversation.labels}
    if conversation.status == Status.RESOLVED and before != Status.RESOLVED:
        uow.emit(ConversationResolved(**told, resolved_at=uow.now))
    elif conversation.status != Status.RESOLVED and before == Status.RESOLVED:
        uow.emit(ConversationReopened(**told, reopened_at=uow.now))
    else:
        told |= {"status": conversation.status, "priority": conversation.priority}
        uow.emit(ConversationChanged(**told, changed_at=uow.now))
