"""What routing does with what it hears: it keeps count of who waits for an answer."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from services.routing import store
from services.routing.domain import Case, fold
from shared.db import UnitOfWork
from shared.events import Envelope
from shared.events.conversation import (
    ConversationChanged,
    ConversationReopened,
    ConversationResolved,
    MessageAdded,
)


class OfConversation(Protocol):
    """What every event of a conversation tells."""

    @property
    def tenant_id(self) -> UUID: ...
    @property
    def conversation_id(self) -> UUID: ...
    @property
    def channel_kind(self) -> str: ...
    @property
    def envelope(self) -> Envelope: ...


E_ = TypeVar("E_", bound=OfConversation)


async def note_message(events: Sequence[MessageAdded], uow: UnitOfWork) -> None:
    """A customer who writes waits; an answer ends the waiting."""
    await _hear(events, uow, waiting_since=lambda event: event.sent_at if event.direction == "inbound" else None)


async def reopen_case(events: Sequence[ConversationReopened], uow: UnitOfWork) -> None:
    """A conversation that goes on waits again until it is answered."""
    await _hear(events, uow, waiting_since=lambda event: event.reopened_at)


async def close_case(events: Sequence[ConversationResolved], uow: UnitOfWork) -> None:
    """Nobody waits in a resolved conversation."""
    await _hear(events, uow, waiting_since=lambda _: None, closed_at=lambda event: event.resolved_at)


async def pause_case(events: Sequence[ConversationChanged], uow: UnitOfWork) -> None:
    """Nobody waits in a conversation that was put off or that awaits the customer."""
    put_off = [event for event in events if event.status in {"pending", "snoozed"}]
    if put_off:
        await _hear(put_off, uow, waiting_since=lambda _: None)


async def _hear(
    events: Sequence[E_],
    uow: UnitOfWork,
    *,
    waiting_since: Callable[[E_], datetime | None],
    closed_at: Callable[[E_], datetime | None] = lambda _: None,
) -> None:
    cases = await store.cases({(event.tenant_id, event.conversation_id) for event in events}, uow.session)
    for event in events:
        heard = Case(
            event.conversation_id,
            event.tenant_id,
            event.channel_kind,
            waiting_since(event),
            closed_at(event),
            event.envelope.occurred_at,
        )
        cases[event.conversation_id] = fold(cases.get(event.conversation_id), heard)
    await store.keep_cases(list(cases.values()), uow.session)
