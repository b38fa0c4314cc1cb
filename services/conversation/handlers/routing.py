"""What routing decides is shown here: where a conversation waits, and who answers."""

from collections.abc import Sequence

from services.conversation import store
from services.conversation.domain import Routed, latest
from shared.db import UnitOfWork
from shared.events.routing import ConversationAssigned, ConversationQueued, ConversationUnassigned

_Event = ConversationQueued | ConversationAssigned | ConversationUnassigned


async def show_decisions(events: Sequence[_Event], uow: UnitOfWork) -> None:
    """Show routing's last decision of each conversation, by the time at which routing said it.

    The decision is routing's: it touches neither the version, so that it stands in nobody's way who changes the
    conversation, nor what anybody set. It does touch `updated_at`: whoever asks what changed learns of it.
    """
    await store.show_routed(latest(_routed(event) for event in events), uow.session)


def _routed(event: _Event) -> Routed:
    queue_id = None if isinstance(event, ConversationUnassigned) else event.queue_id
    assignee_id = event.agent_id if isinstance(event, ConversationAssigned) else None
    return Routed(event.tenant_id, event.conversation_id, queue_id, assignee_id, event.envelope.occurred_at)
