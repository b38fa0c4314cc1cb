"""The queries behind measuring: which conversations are due, their facts, and what is measured of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.metrics.domain import Fact, FactKind, Measure, Metric
from services.metrics.store.facts import LATER, times
from shared.db import Rowset, Statement


class Which(NamedTuple):
    """A conversation."""

    tenant_id: UUID
    conversation_id: UUID


@dataclass(frozen=True, slots=True)
class Held:
    """A conversation that nobody else measures until the end of the transaction."""

    tenant_id: UUID
    conversation_id: UUID
    marks: int
    facts: int
    """How many there were when it was measured last."""
    due_at: datetime | None
    """None while everything is measured."""

    @property
    def which(self) -> Which:
        return Which(self.tenant_id, self.conversation_id)


_DUE = Statement("""
SELECT tenant_id, conversation_id FROM measured_conversations WHERE due_at <= :now ORDER BY due_at LIMIT :most
""")
_WANTED = Rowset("wanted", tenant_id="uuid", conversation_id="uuid")
# One after the other, and no more than are wanted.
_LOCK: Final = "hashtextextended('measure|' || conversation_id, 0)"
_TRY = Statement(f"""
SELECT tenant_id, conversation_id FROM {_WANTED} WHERE pg_try_advisory_xact_lock({_LOCK}) LIMIT :most
""")
_WAIT = Statement(f"SELECT count(pg_advisory_xact_lock({_LOCK})) FROM {_WANTED}")
_HELD = Statement(f"""
SELECT tenant_id, conversation_id, marks, facts, due_at
FROM {_WANTED} JOIN measured_conversations USING (tenant_id, conversation_id)
""")

_FACTS = Statement(f"""
SELECT event_id, tenant_id, kind, conversation_id, channel_id, happened_at, channel_kind, queue_id, agent_id, labels,
  status
FROM {_WANTED} JOIN facts USING (tenant_id, conversation_id)
""")
_MEASURES = Rowset(
    "row",
    fact_id="uuid",
    metric="text",
    tenant_id="uuid",
    conversation_id="uuid",
    cycle="int",
    began_at="timestamptz",
    ended_at="timestamptz",
    business_seconds="float8",
    channel_id="uuid",
    queue_id="uuid",
    agent_id="uuid",
    labels="jsonb",
)
_MEASURED = Statement(f"SELECT {_MEASURES.columns} FROM {_WANTED} JOIN measures USING (tenant_id, conversation_id)")
_OBSOLETE = Rowset("obsolete", tenant_id="uuid", fact_id="uuid", metric="text")
_REMOVE = Statement(f"""
DELETE FROM measures AS m USING {_OBSOLETE}
WHERE m.tenant_id = obsolete.tenant_id AND m.fact_id = obsolete.fact_id AND m.metric = obsolete.metric
""")
_ADD = Statement(f"INSERT INTO measures ({_MEASURES.columns}) SELECT {_MEASURES.columns} FROM {_MEASURES}")
# Whoever marks it just now is not waited for: it stays due then. What was marked before that is due after the pause
# that a conversation of its length is given.
_DONE = Rowset("done", tenant_id="uuid", conversation_id="uuid", marks="int", facts="int")
_SETTLE = Statement(f"""
WITH settled AS MATERIALIZED (
  SELECT c.tenant_id, c.conversation_id, done.facts, c.marks = done.marks AS is_quiet
  FROM {_DONE} JOIN measured_conversations c USING (tenant_id, conversation_id)
  ORDER BY c.tenant_id, c.conversation_id FOR UPDATE OF c SKIP LOCKED
), kept AS (
  UPDATE measured_conversations AS c SET facts = settled.facts,
    due_at = CASE WHEN NOT is_quiet THEN {LATER.format(facts="settled.facts")} END
  FROM settled WHERE c.tenant_id = settled.tenant_id AND c.conversation_id = settled.conversation_id
)
SELECT tenant_id, conversation_id FROM settled WHERE is_quiet
""")
_PUT_OFF = Statement("""
UPDATE measured_conversations SET due_at = :until WHERE tenant_id = :tenant_id AND conversation_id = :conversation_id
""")

_MARKING = Statement("SELECT EXISTS (SELECT FROM jobs WHERE key = :key)")

# From tenant to tenant through the index.
_TENANTS = Statement("""
WITH RECURSIVE t AS (
  (SELECT tenant_id FROM measured_conversations ORDER BY tenant_id LIMIT 1)
  UNION ALL
  SELECT (SELECT tenant_id FROM measured_conversations WHERE tenant_id > t.tenant_id ORDER BY tenant_id LIMIT 1)
  FROM t WHERE t.tenant_id IS NOT NULL
)
SELECT tenant_id FROM t WHERE tenant_id IS NOT NULL
""")
_NEXT = Statement("""
WITH next AS MATERIALIZED (
  SELECT tenant_id, conversation_id, facts FROM measured_conversations
  WHERE tenant_id = :tenant AND conversation_id > coalesce(CAST(:after AS uuid), '00000000-0000-0000-0000-000000000000')
  ORDER BY conversation_id LIMIT :most
), numbered AS (
  SELECT next.*, row_number() OVER by_id AS place, sum(facts) OVER by_id AS facts_so_far
  FROM next WINDOW by_id AS (ORDER BY conversation_id)
)
SELECT tenant_id, conversation_id FROM numbered WHERE place = 1 OR facts_so_far <= :facts ORDER BY conversation_id
""")


async def due(now: datetime, session: AsyncSession, *, most: int) -> list[Which]:
    """Conversations of all tenants that are to be measured, those that wait longest first."""
    return _which(await session.execute(_DUE, {"now": now, "most": most}))


async def measured_tenants(session: AsyncSession) -> list[UUID]:
    """All tenants of whose conversations there are facts."""
    return list((await session.execute(_TENANTS)).scalars())


async def next_conversations(
    tenant_id: UUID, after: UUID | None, session: AsyncSession, *, most: int, facts: int
) -> list[Which]:
    """Conversations of a tenant by their ids, from `after` on: so many, or the first ones with so many facts."""
    values = {"tenant": tenant_id, "after": after, "most": most, "facts": facts}
    return _which(await session.execute(_NEXT, values))


async def try_to_hold(conversations: Iterable[Which], session: AsyncSession, *, most: int) -> list[Held]:
    """Those that nobody else measures just now, in the order in which they are given, `most` of them."""
    wanted = _WANTED.of(conversations)
    return await _held(_which(await session.execute(_TRY, wanted | {"most": most})), session)


async def hold(conversations: Iterable[Which], session: AsyncSession) -> list[Held]:
    """All of them, once nobody else measures them."""
    wanted = sorted(conversations)
    await session.execute(_WAIT, _WANTED.of(wanted))
    return await _held(wanted, session)


async def _held(conversations: Sequence[Which], session: AsyncSession) -> list[Held]:
    # Asked after the locks were had: what was measured before is known then.
    found = {Which(*row[:2]): Held(*row) for row in await session.execute(_HELD, _WANTED.of(conversations))}
    return [found[which] for which in conversations if which in found]


async def facts_of(conversations: Iterable[Which], session: AsyncSession) -> dict[Which, list[Fact]]:
    """All facts of these conversations."""
    facts: dict[Which, list[Fact]] = defaultdict(list)
    for event_id, tenant_id, kind, conversation_id, *told in await session.execute(_FACTS, _WANTED.of(conversations)):
        fact = Fact._make((event_id, tenant_id, FactKind(kind), conversation_id, *told))
        facts[Which(tenant_id, conversation_id)].append(fact)
    return facts


async def measures_of(conversations: Iterable[Which], session: AsyncSession) -> dict[Which, set[Measure]]:
    """What is measured of these conversations as yet."""
    measures: dict[Which, set[Measure]] = defaultdict(set)
    for fact_id, metric, *told, labels in await session.execute(_MEASURED, _WANTED.of(conversations)):
        measure = Measure._make((fact_id, Metric(metric), *told, tuple(labels)))
        measures[Which(measure.tenant_id, measure.conversation_id)].add(measure)
    return measures


async def remove(measures: Iterable[Measure], session: AsyncSession) -> None:
    await session.execute(_REMOVE, _OBSOLETE.of(measures))


async def add(measures: Iterable[Measure], session: AsyncSession) -> None:
    await session.execute(_ADD, _MEASURES.of(measures))


async def settle(
    conversations: Iterable[Held], facts: Mapping[Which, Sequence[Fact]], now: datetime, session: AsyncSession
) -> set[Which]:
    """They are measured, with all of these facts; those are returned of which nothing more was heard meanwhile.

    The others are due again after the pause of those of which something was heard at `now`.
    """
    done = [_Done(*each.which, each.marks, len(facts.get(each.which, ()))) for each in conversations]
    return set(_which(await session.execute(_SETTLE, _DONE.of(done) | times(now))))


async def is_to_be_marked(tenant_id: UUID, session: AsyncSession) -> bool:
    """Whether conversations of the tenant are still to be marked for what was told late."""
    return bool(await session.scalar(_MARKING, {"key": marking_key(tenant_id)}))


def marking_key(tenant_id: UUID) -> str:
    """The key of the jobs that mark a tenant's conversations."""
    return f"measure-again:{tenant_id}"


async def put_off(which: Which, until: datetime, session: AsyncSession) -> None:
    await session.execute(_PUT_OFF, which._asdict() | {"until": until})


class _Done(NamedTuple):
    tenant_id: UUID
    conversation_id: UUID
    marks: int
    facts: int


def _which(rows: Iterable[Any]) -> list[Which]:
    return [Which(*row) for row in rows]
