"""Who waits: what each event means for a customer's waiting."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation as routing sees it, at the moment of the latest thing heard of it."""

    conversation_id: UUID
    tenant_id: UUID
    channel_kind: str
    waiting_since: datetime | None
    closed_at: datetime | None
    told_at: datetime


def fold(case: Case | None, heard: Case) -> Case:
    """The case after one more thing was heard; what happened before the latest one changes nothing.

    Who waits already goes on waiting since then.
    """
    if case is None:
        return heard
    if heard.told_at < case.told_at:
        return case
    waits = heard.waiting_since is not None and case.waiting_since is not None
    since = case.waiting_since if waits else heard.waiting_since
    return Case(heard.conversation_id, heard.tenant_id, heard.channel_kind, since, heard.closed_at, heard.told_at)
