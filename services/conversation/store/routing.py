"""The projection of who waits where and who answers: in sets, tenant first."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from services.conversation.domain import Routed
from shared.db import Rowset, Statement

_ROUTED = Rowset(
    "row",
    tenant_id="uuid",
    conversation_id="uuid",
    queue_id="uuid",
    assignee_id="uuid",
    routed_at="timestamptz",
)
# What is told later holds, if it is not older. The rows are locked as arriving messages lock them.
_SHOW = Statement(f"""
WITH held AS MATERIALIZED (
  SELECT c.id, row.queue_id, row.assignee_id, row.routed_at
  FROM {_ROUTED} JOIN conversations c ON c.tenant_id = row.tenant_id AND c.id = row.conversation_id
  WHERE c.routed_at IS NULL OR c.routed_at <= row.routed_at
  ORDER BY c.tenant_id, c.contact_id, c.channel_id, c.id FOR UPDATE OF c
)
UPDATE conversations AS c SET queue_id = held.queue_id, assignee_id = held.assignee_id, routed_at = held.routed_at,
  updated_at = clock_timestamp()
FROM held WHERE c.id = held.id
""")


async def show_routed(decisions: Iterable[Routed], session: AsyncSession) -> None:
    """Show these decisions, one for each conversation, unless a later one is shown."""
    await session.execute(_SHOW, _ROUTED.of(decisions))
