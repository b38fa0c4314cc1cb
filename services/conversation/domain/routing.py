"""Routing's decisions as they are shown here: the last one holds, in whatever order they come."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Routed:
    """Where a conversation waits and who answers, from a moment on; each decision tells both."""

    tenant_id: UUID
    conversation_id: UUID
    queue_id: UUID | None
    assignee_id: UUID | None
    routed_at: datetime

    @property
    def place(self) -> tuple[datetime, bool, bool]:
        """What sorts decisions: those of one moment are to take back, to queue and to assign, in this order."""
        return self.routed_at, self.assignee_id is not None, self.queue_id is not None


def latest(decisions: Iterable[Routed]) -> list[Routed]:
    """Of each conversation the decision that was made last."""
    in_order = sorted(decisions, key=lambda one: one.place)
    return list({(one.tenant_id, one.conversation_id): one for one in in_order}.values())
