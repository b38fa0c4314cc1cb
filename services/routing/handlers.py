"""What routing does with what it hears: it keeps count of who waits for an answer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from services.routing import store
from services.routing.domain import Case, reopened, resolved, set_to, written
from shared.db import UnitOfWork
from shared.events.conversation import (
    ConversationChanged,
    ConversationReopened,
    ConversationResolved,
    MessageAdded,
    OfConversation,
)

E_ = TypeVar("E_", bound=OfConversation)


async def note_message(events: Sequence[MessageAdded], uow: UnitOfWork) -> None:
    await _hear(events, lambda case, event: written(case, event.direction, event.sent_at), uow)


async def note_status(events: Sequence[ConversationChanged], uow: UnitOfWork) -> None:
    await _hear(events, lambda case, event: set_to(case, event.status), uow)


async def reopen_case(events: Sequence[ConversationReopened], uow: UnitOfWork) -> None:
    await _hear(events, lambda case, event: reopened(case, event.reopened_at), uow)


async def close_case(events: Sequence[ConversationResolved], uow: UnitOfWork) -> None:
    await _hear(events, lambda case, event: resolved(case, event.resolved_at), uow)


async def _hear(events: Sequence[E_], decide: Callable[[Case, E_], Case], uow: UnitOfWork) -> None:
    """Each case as it is decided; what happened before the latest thing heard of it changes nothing."""
    cases = await store.cases(events, uow.session)
    for event in events:
        told_at = event.envelope.occurred_at
        case = cases.get(event.conversation_id) or Case(
            event.conversation_id,
            event.tenant_id,
            event.channel_kind,
            waiting_since=None,
            paused=False,
            closed_at=None,
            told_at=told_at,
        )
        if told_at >= case.told_at:
            cases[event.conversation_id] = replace(decide(case, event), told_at=told_at)
    if cases:
        await store.keep_cases(cases.values(), uow.session)
