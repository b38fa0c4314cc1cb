"""What routing says of a case that changed, in the order in which it can be understood."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.routing.domain import RESOLVED, Case
from services.routing.store import EndedOffer, NewOffer, NewRefusal
from shared.events import Event
from shared.events.routing import (
    ConversationAssigned,
    ConversationOffered,
    ConversationQueued,
    ConversationUnassigned,
    OfferEnded,
)

OFFER: Final = timedelta(seconds=30)
"""How long an agent is asked."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a transaction made of a case."""

    before: Case
    after: Case
    at: datetime
    unaccepted: str
    """What became of the offer that it had, unless whom it was made to answers now."""

    @property
    def ended_offer(self) -> EndedOffer | None:
        """The offer that stands no more."""
        before, after = self.before, self.after
        if before.offer_id is None or before.offered_to is None or before.offer_id == after.offer_id:
            return None
        outcome = "accepted" if after.agent_id == before.offered_to else self.unaccepted
        return EndedOffer(before.offer_id, before.tenant_id, before.offered_to, outcome)

    @property
    def new_offer(self) -> NewOffer | None:
        """The offer that is made."""
        case = self.after
        if case.offer_id is None or case.offered_to is None or case.offer_id == self.before.offer_id:
            return None
        until = self.at + OFFER
        return NewOffer(case.offer_id, case.tenant_id, case.conversation_id, case.offered_to, self.at, until)

    @property
    def waits_anew(self) -> bool:
        """Whether it waits in a queue in which it did not wait before."""
        before, after = self.before, self.after
        waited = before.in_line and (before.queue_id, before.queued_at) == (after.queue_id, after.queued_at)
        return after.in_line and not waited

    @property
    def new_refusals(self) -> Iterator[NewRefusal]:
        """Who did not take it."""
        before, after = self.before, self.after
        kinds = ((after.refused_by - before.refused_by, False), (after.missed_by - before.missed_by, True))
        for agents, missed in kinds:
            for agent_id in agents:
                yield NewRefusal(after.tenant_id, after.conversation_id, agent_id, missed)


def told(change: Change) -> Iterator[Event]:
    """First what ended, then what begins."""
    after, at = change.after, change.at
    about = {name: getattr(after, name) for name in ("tenant_id", "conversation_id", "contact_id", "channel_id")}
    yield from _endings(change, about)
    if change.waits_anew and after.queue_id and after.queued_at:
        yield ConversationQueued(**about, queue_id=after.queue_id, queued_at=after.queued_at)
    if offer := change.new_offer:
        when = {"offered_at": offer.offered_at, "expires_at": offer.expires_at}
        yield ConversationOffered(**about, offer_id=offer.id, agent_id=offer.agent_id, **when)
    if after.agent_id and after.agent_id != change.before.agent_id:
        yield ConversationAssigned(**about, queue_id=after.queue_id, agent_id=after.agent_id, assigned_at=at)


def _endings(change: Change, about: dict[str, Any]) -> Iterator[Event]:
    at, owner, after = change.at, change.before.agent_id, change.after
    if offer := change.ended_offer:
        yield OfferEnded(**about, offer_id=offer.id, agent_id=offer.agent_id, outcome=offer.state, ended_at=at)
    if owner and owner != after.agent_id:
        reason = "reassigned" if after.agent_id else "resolved" if after.status == RESOLVED else "taken_back"
        yield ConversationUnassigned(**about, agent_id=owner, reason=reason, unassigned_at=at)
