"""The queries behind the figures, tenant first."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, TextClause
from sqlalchemy.ext.asyncio import AsyncSession

from services.metrics.domain import FactKind, Figure, Grouping, Metric, Question, Source
from shared.db import Statement

_ZONE: Final = "(SELECT time_zone FROM tenants WHERE tenant_id = :tenant ORDER BY version DESC LIMIT 1)"
_Queries = dict[Grouping | None, TextClause]

_KNOWN = Statement("SELECT EXISTS (SELECT FROM tenants WHERE tenant_id = :tenant)")


def _day(moment: str) -> str:
    return f"(({moment} AT TIME ZONE {_ZONE})::date)::text"


def _within(moment: str) -> str:
    return (
        f"{moment} >= coalesce(CAST(:since AS timestamptz), '-infinity')"
        f" AND {moment} < coalesce(CAST(:until AS timestamptz), 'infinity')"
    )


_GROUPS: Final = {
    None: "NULL::text",
    Grouping.CHANNEL: "channel_id::text",
    Grouping.QUEUE: "queue_id::text",
    Grouping.AGENT: "agent_id::text",
    Grouping.LABEL: "label",
}
_OF_FACTS: Final = {
    **{grouping: _GROUPS[grouping] for grouping in (None, Grouping.CHANNEL, Grouping.AGENT)},
    Grouping.DAY: _day("happened_at"),
    Grouping.AUTHOR: f"CASE kind WHEN '{FactKind.AUTOMATIC_MESSAGE_SENT}' THEN 'automatic' ELSE 'human' END",
}
_OF_MEASURES: Final = _GROUPS | {Grouping.DAY: _day("ended_at")}

_COUNT: Final = 'count(*) AS "count", NULL::float8 AS mean, NULL::float8[] AS percentiles'
# What has no label is in a group of its own.
_LABELS: Final = "LEFT JOIN LATERAL jsonb_array_elements_text(labels) AS label ON true"


def _labels(grouping: Grouping | None) -> str:
    return _LABELS if grouping is Grouping.LABEL else ""


_FACTS: Final[_Queries] = {
    grouping: Statement(f"""
SELECT {group} AS "group", {_COUNT} FROM facts
WHERE tenant_id = :tenant AND kind = ANY(CAST(:kinds AS text[])) AND {_within("happened_at")}
GROUP BY 1 ORDER BY 1
""")
    for grouping, group in _OF_FACTS.items()
}
_EVENTS: Final[_Queries] = {
    grouping: Statement(f"""
SELECT {group} AS "group", {_COUNT} FROM measures {_labels(grouping)}
WHERE tenant_id = :tenant AND metric = :metric AND {_within("ended_at")}
GROUP BY 1 ORDER BY 1
""")
    for grouping, group in _OF_MEASURES.items()
}
_DURATIONS: Final[_Queries] = {
    grouping: Statement(f"""
SELECT {group} AS "group", count(*) AS "count", avg(seconds) AS mean,
  percentile_cont(ARRAY[0.5, 0.9, 0.95]) WITHIN GROUP (ORDER BY seconds) AS percentiles
FROM measures {_labels(grouping)} CROSS JOIN LATERAL (
  SELECT CASE WHEN :business_hours THEN business_seconds
    ELSE extract(epoch FROM ended_at - began_at)::float8 END AS seconds
) AS lasted
WHERE tenant_id = :tenant AND metric = :metric AND {_within("ended_at")}
GROUP BY 1 ORDER BY 1
""")
    for grouping, group in _OF_MEASURES.items()
}
_STOCKS: Final[_Queries] = {
    grouping: Statement(f"""
SELECT {group} AS "group", {_COUNT} FROM measures {_labels(grouping)}
WHERE tenant_id = :tenant AND metric = :metric AND began_at < :until AND (ended_at IS NULL OR ended_at >= :until)
GROUP BY 1 ORDER BY 1
""")
    for grouping, group in _GROUPS.items()
}
# What was there at the beginning of the first day, and what each day added and took away, summed up day by day.
_STOCK_BY_DAY = Statement(f"""
WITH zone AS MATERIALIZED (SELECT {_ZONE} AS name),
days AS (
  SELECT day FROM zone, generate_series(
    date_trunc('day', CAST(:since AS timestamptz) AT TIME ZONE name),
    CAST(:until AS timestamptz) AT TIME ZONE name - interval '1 microsecond',
    '1 day'
  ) AS day
),
changes AS (
  SELECT greatest(began_at, CAST(:since AS timestamptz)) AS at, 1 AS change FROM measures
  WHERE tenant_id = :tenant AND metric = :metric AND began_at < :until AND (ended_at IS NULL OR ended_at >= :since)
  UNION ALL
  SELECT ended_at, -1 FROM measures
  WHERE tenant_id = :tenant AND metric = :metric AND ended_at >= :since AND ended_at < :until
),
by_day AS (SELECT date_trunc('day', at AT TIME ZONE name) AS day, sum(change) AS change FROM zone, changes GROUP BY 1)
SELECT day::date::text AS "group", (sum(coalesce(change, 0)) OVER (ORDER BY day))::bigint AS "count",
  NULL::float8 AS mean, NULL::float8[] AS percentiles
FROM days LEFT JOIN by_day USING (day) ORDER BY day
""")

_QUERIES: Final[Mapping[Source, _Queries]] = {
    Source.FACTS: _FACTS,
    Source.MEASURES: _EVENTS,
    Source.DURATIONS: _DURATIONS,
    Source.STOCK: _STOCKS,
    Source.STOCK_BY_DAY: {Grouping.DAY: _STOCK_BY_DAY},
}


async def is_known(tenant_id: UUID, session: AsyncSession) -> bool:
    """Whether the tenant's time zone is known."""
    return bool(await session.scalar(_KNOWN, {"tenant": tenant_id}))


async def read_figure(
    tenant_id: UUID,
    metric: Metric,
    figure: Figure,
    question: Question,
    since: datetime | None,
    until: datetime | None,
    session: AsyncSession,
) -> Sequence[Row[Any]]:
    """In groups, how often or how many, and of a duration mean and percentiles; days are the tenant's.

    A stock is that of the end of the span, or of the end of each of its days.
    """
    values = {
        "tenant": tenant_id,
        "kinds": list(figure.facts),
        "metric": metric.value,
        "since": since,
        "until": until,
        "business_hours": question.business_hours,
    }
    return (await session.execute(_QUERIES[figure.read[question.group_by]][question.group_by], values)).all()
