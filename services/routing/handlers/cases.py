"""What routing does with what it hears of conversations: it lets them wait, and lets go of those that are settled."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from services.routing import store
from services.routing.domain import Case, changed, first_heard, reopened, resolved, written
from services.routing.handlers.dispatch import Dispatch
from services.routing.handlers.replies import decide_replies
from shared.db import UnitOfWork
from shared.events.conversation import (
    ConversationChanged,
    ConversationOpened,
    ConversationReopened,
    ConversationResolved,
    MessageAdded,
    OfConversation,
)

E_ = TypeVar("E_", bound=OfConversation)


async def open_cases(events: Sequence[ConversationOpened], uow: UnitOfWork) -> None:
    """A conversation that begins waits for an agent."""
    dispatch, _ = await _hear(events, lambda case, _: case, uow)
    await dispatch.settle()


async def note_messages(events: Sequence[MessageAdded], uow: UnitOfWork) -> None:
    """A customer who writes waits for an answer; he may be told something at once."""
    dispatch, heard = await _hear(
        events,
        lambda case, event: written(case, event.direction, event.author_kind, event.sent_at),
        uow,
        marks_all=False,
    )
    await decide_replies([event for event in heard if event.direction == "inbound"], dispatch, uow)
    await dispatch.settle()


async def note_statuses(events: Sequence[ConversationChanged], uow: UnitOfWork) -> None:
    """What is put off, or waits for the customer, waits for no agent; who answers it keeps it."""
    dispatch, _ = await _hear(events, lambda case, event: changed(case, event.status, event.changed_at), uow)
    await dispatch.settle()


async def reopen_cases(events: Sequence[ConversationReopened], uow: UnitOfWork) -> None:
    """It waits again, and whoever answered before goes first."""
    dispatch, _ = await _hear(events, lambda case, event: reopened(case, event.reopened_at), uow)
    await dispatch.settle()


async def close_cases(events: Sequence[ConversationResolved], uow: UnitOfWork) -> None:
    """Whoever answered has room for others."""
    dispatch, _ = await _hear(events, lambda case, event: resolved(case, event.resolved_at), uow)
    await dispatch.settle()


async def _hear(
    events: Sequence[E_], decide: Callable[[Case, E_], Case], uow: UnitOfWork, *, marks_all: bool = True
) -> tuple[Dispatch, list[E_]]:
    """Each case as it is decided, and the events that counted: older ones than the latest of a case change nothing.

    Unless it `marks_all`, an event that changes nothing leaves no mark of when it was told either.
    """
    dispatch = await Dispatch.begin({event.tenant_id for event in events}, uow)
    cases = await store.cases(events, uow.session)
    heard: list[E_] = []
    for event in events:
        at = event.envelope.occurred_at
        known = cases.get(event.conversation_id)
        before = known or first_heard(event, at)
        if at < before.told_at:
            continue
        after = decide(before, event)
        if marks_all or after is not known:
            after = replace(after, told_at=at)
        cases[event.conversation_id] = dispatch.put(before, after, cause=event)
        heard.append(event)
    return dispatch, heard
