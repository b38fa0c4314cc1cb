"""Every query of routing, tenant first."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import domain
from services.routing.models import Case
from shared.db import Rowset
from shared.events.conversation import OfConversation

_WANTED = Rowset("wanted", tenant_id="uuid", conversation_id="uuid")
_KEPT = Rowset(
    "row",
    conversation_id="uuid",
    tenant_id="uuid",
    channel_kind="text",
    waiting_since="timestamptz",
    paused="bool",
    closed_at="timestamptz",
    told_at="timestamptz",
)
_CASES = text(f"""
SELECT {", ".join(f"c.{column}" for column in _KEPT.columns.split(", "))}
FROM {_WANTED} JOIN cases c USING (tenant_id, conversation_id)
ORDER BY c.conversation_id FOR UPDATE OF c
""")
_KEEP = text(f"""
INSERT INTO cases ({_KEPT.columns}) SELECT {_KEPT.columns} FROM {_KEPT} ORDER BY conversation_id
ON CONFLICT (conversation_id) DO UPDATE SET
  waiting_since = excluded.waiting_since, paused = excluded.paused, closed_at = excluded.closed_at,
  told_at = excluded.told_at
""")


async def cases(events: Iterable[OfConversation], session: AsyncSession) -> dict[UUID, domain.Case]:
    """The cases that these events are about, by conversation, locked."""
    found = (
        domain.Case(*row)
        for row in await session.execute(
            _CASES, _WANTED.of({event.conversation_id: event for event in events}.values())
        )
    )
    return {case.conversation_id: case for case in found}


async def keep_cases(cases: Iterable[domain.Case], session: AsyncSession) -> None:
    await session.execute(_KEEP, _KEPT.of(cases))


async def waiting(tenant_id: UUID, session: AsyncSession) -> tuple[int, datetime | None]:
    """How many conversations wait for an answer, and since when the first of them."""
    query = select(func.count(), func.min(Case.waiting_since)).where(
        Case.tenant_id == tenant_id, Case.waiting_since.is_not(None), ~Case.paused
    )
    count, since = (await session.execute(query)).one()
    return count, since
