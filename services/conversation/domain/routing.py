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


def latest(decisions: Iterable[Routed]) -> list[Routed]:
    """Of each conversation the decision that was made last; of those of one moment, the one that was told last.

    A transaction's decisions bear one time, and come in the order in which they were made.
    """
    in_order = sorted(decisions, key=lambda one: one.routed_at)
    return list({(one.tenant_id, one.conversation_id): one for one in in_order}.values())
