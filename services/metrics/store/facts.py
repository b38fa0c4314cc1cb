"""Writing down what happened: in sets, each batch of facts with its marks in one statement."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.metrics.domain import Fact, FactKind
from shared.db import Rowset, Session, Statement

SOON: Final = timedelta(seconds=1)
"""A conversation is measured so long after something was heard of it: what comes meanwhile is measured with it."""
PAUSE: Final = timedelta(milliseconds=250)
"""And so long for each of its facts, so that a long one that is never silent costs no more than a short one."""

_FACTS = Rowset(
    "row",
    event_id="uuid",
    tenant_id="uuid",
    kind="text",
    conversation_id="uuid",
    channel_id="uuid",
    channel_kind="text",
    happened_at="timestamptz",
    queue_id="uuid",
    agent_id="uuid",
    labels="jsonb",
    status="text",
)
LATER: Final = "(CAST(:now AS timestamptz) + greatest(:soon, {facts} * CAST(:pause AS interval)))"
"""When a conversation is measured of which something was heard just now."""

# What was put off for an hour is due as soon as anything else is heard of it, which may have mended it.
_MARK = f"""
INSERT INTO measured_conversations AS c (tenant_id, conversation_id, marks, facts, due_at)
SELECT tenant_id, conversation_id, 1, 0, CAST(:now AS timestamptz) + :soon FROM concerned
ON CONFLICT (tenant_id, conversation_id) DO UPDATE SET marks = c.marks + 1,
  due_at = least(c.due_at, {LATER.format(facts="c.facts")})
"""
_LOG = Statement(f"""
WITH given AS MATERIALIZED (SELECT * FROM {_FACTS}),
logged AS (
  INSERT INTO facts ({_FACTS.columns}) SELECT {_FACTS.columns} FROM given
  ORDER BY event_id ON CONFLICT (event_id) DO NOTHING
),
concerned AS (SELECT DISTINCT tenant_id, conversation_id FROM given ORDER BY tenant_id, conversation_id)
{_MARK}
""")

# Of all kinds, so that the index by kind and time leads to those of a time.
_MARK_CONCERNED = Statement(f"""
WITH concerned AS MATERIALIZED (
  SELECT DISTINCT tenant_id, conversation_id FROM facts
  WHERE tenant_id = :tenant AND kind = ANY(CAST(:kinds AS text[]))
    AND happened_at >= coalesce(CAST(:since AS timestamptz), '-infinity')
    AND conversation_id > coalesce(CAST(:after AS uuid), '00000000-0000-0000-0000-000000000000')
  ORDER BY conversation_id LIMIT :most
), marked AS ({_MARK} RETURNING conversation_id)
SELECT conversation_id FROM marked ORDER BY conversation_id DESC OFFSET :most - 1
""")


async def log_facts(facts: Sequence[Fact], now: datetime, session: Session) -> None:
    """Write them down, each once, and have their conversations measured soon."""
    await session.leave(_LOG, _FACTS.of(facts) | times(now))


async def mark_concerned(
    tenant_id: UUID, since: datetime | None, after: UUID | None, now: datetime, session: AsyncSession, *, most: int
) -> UUID | None:
    """Have conversations measured of which there are facts since then, `most` of them, by their ids from `after` on.

    The last one is returned when there may be more.
    """
    values = {"tenant": tenant_id, "kinds": list(FactKind), "since": since, "after": after, "most": most}
    last: UUID | None = await session.scalar(_MARK_CONCERNED, values | times(now))
    return last


def times(now: datetime) -> dict[str, datetime | timedelta]:
    """The values of `LATER`."""
    return {"now": now, "soon": SOON, "pause": PAUSE}
