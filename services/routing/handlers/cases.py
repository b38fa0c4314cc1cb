"""What routing does with what it hears of conversations: it lets them wait, and lets go of those that are settled."""

from collections.abc import Callable, Sequence
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


async def note_arrivals(events: Sequence[ConversationOpened | MessageAdded], uow: UnitOfWork) -> None:
    """A conversation that begins waits for an agent, and a customer who writes for an answer; he may be told something
    at once.
    """
    dispatch, heard = await _hear(events, _arrived, uow)
    inbound = [event for event in heard if isinstance(event, MessageAdded) and event.direction == "inbound"]
    await decide_replies(inbound, dispatch, uow)
    await dispatch.settle()


def _arrived(case: Case, event: ConversationOpened | MessageAdded) -> Case:
    if isinstance(event, ConversationOpened):
        return case
    return written(case, event.direction, event.author_kind, event.sent_at)


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


async def _hear(events: Sequence[E_], decide: Callable[[Case, E_], Case], uow: UnitOfWork) -> tuple[Dispatch, list[E_]]:
    """Each case as it is decided, and the events that counted: older ones than the latest of a case change nothing.

    A message that changes nothing leaves no mark of when it was told either, for most of them do not.
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
        if after is not known or not isinstance(event, MessageAdded):
            after = after._replace(told_at=at)
        cases[event.conversation_id] = dispatch.put(before, after, cause=event)
        heard.append(event)
    return dispatch, heard
