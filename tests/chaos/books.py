"""What stands in the databases of a running set, read as their administrator, and what is still under way in them."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.keys import Keys
from deploy.local.plan import HOST
from deploy.local.postgres import Postgres
from deploy.local.running import RunningSet
from deploy.processes import PROCESSES, card_of
from shared.events import TOPICS
from tests.chaos.reconciliation import Load, Routed, Stored

LOOK_SECONDS: Final = 0.1
_BROKER_SECONDS: Final = 10
_PLACES: Final = {
    process: [
        TopicPartition(topic, number)
        for topic in sorted({event.topic() for event in card_of(process).hears})
        for number in range(TOPICS[topic].partitions)
    ]
    for process in PROCESSES
    if card_of(process).hears
}
"""By process, all that it hears of."""
_AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

_HISTORY: Final = """
SELECT m.id::text, m.conversation_id::text, a.value AS customer, m.direction, m.seq, m.sent_at, m.text,
       m.provider_message_id, m.status
FROM messages m JOIN conversations c ON c.id = m.conversation_id
JOIN contact_addresses a ON a.contact_id = c.contact_id AND a.kind = 'wa_phone'
WHERE a.value = ANY($1) AND m.same_as IS NULL
"""
_ARRIVED: Final = """
SELECT count(DISTINCT provider_message_id) FROM messages WHERE direction = 'inbound' AND provider_message_id = ANY($1)
"""
_WRITTEN: Final = "SELECT count(*) FROM messages WHERE direction = 'inbound'"
_HEARD: Final = "SELECT count(*) FROM facts WHERE kind = 'message received'"
_SHOWN: Final = "SELECT id::text, assignee_id::text FROM conversations WHERE id = ANY($1::uuid[])"
_DECIDED: Final = "SELECT conversation_id::text, agent_id::text FROM cases WHERE conversation_id = ANY($1::uuid[])"
_COUNTED: Final = """
SELECT conversation_id::text, count(*) FROM facts
WHERE kind = 'message received' AND conversation_id = ANY($1::uuid[]) GROUP BY 1
"""
_LOADS: Final = """
SELECT a.id::text AS agent_id, a.capacity, a.load, coalesce(sum(c.weight), 0)::int AS held
FROM agents a LEFT JOIN cases c ON c.tenant_id = a.tenant_id AND a.id IN (c.agent_id, c.offered_to) GROUP BY a.id
"""
_OUTBOX: Final = "SELECT count(*) FROM outbox"
# What a killed process was at is held by its lease, and the person's later jobs with it.
_OVERDUE: Final = """
SELECT count(*) FROM jobs AS due WHERE due_at <= now() AND (lease_until IS NULL OR lease_until < now())
AND NOT EXISTS (SELECT FROM jobs AS earlier WHERE earlier.key = due.key AND earlier.id < due.id)
"""
_UNDER_WAY: Final = """
SELECT count(*) FROM messages WHERE direction = 'outbound' AND status IN ('queued', 'sent') AND same_as IS NULL
"""
_IDLE: Final = """
SELECT count(*) FROM cases c WHERE status = 'open' AND agent_id IS NULL AND offer_id IS NULL AND EXISTS (
  SELECT FROM agents a
  WHERE a.tenant_id = c.tenant_id AND a.status = 'online' AND a.serves AND a.load + c.weight <= a.capacity
)"""
_NAMED: Final = "strpos(convert_from(data, 'UTF8'), to_json($1::text)::text) > 0"
_LETTERS: Final = """
SELECT event_id::text, type, reason, convert_from(data, 'UTF8') AS data FROM dead_letters ORDER BY id
"""
_STATIONS: Final = (
    ("ingest", "raw events", "SELECT count(*) FROM raw_events WHERE $1 = ANY (string_to_array(dedup_key, ':'))"),
    ("ingest", "the outbox", f"SELECT count(*) FROM outbox WHERE {_NAMED}"),
    ("conversation", "the dead letters", f"SELECT count(*) FROM dead_letters WHERE {_NAMED}"),
)
"""Where a message of a customer's leaves a trace on its way into the history."""


class Books:
    """The databases of one set."""

    def __init__(self, running: RunningSet, root: Path, *, commits: bool) -> None:
        self._running = running
        self._servers = f"{HOST}:{running.ports['broker']}"
        self._commits = commits
        """Whether those who listen tell the broker how far they are."""
        self._admin_url = Postgres(root, running.ports["postgres"], Keys.of(root).derived("postgres")).admin_url

    async def arrived(self, ids: Collection[str]) -> int:
        """How many of these messages stand in the history."""
        return await self._count("conversation", _ARRIVED, list(ids))

    async def history(self, customers: Collection[str]) -> list[Stored]:
        """All messages of these customers' conversations."""
        return [Stored(**row) for row in await self._ask("conversation", _HISTORY, list(customers))]

    async def counted(self, conversations: Collection[str]) -> dict[str, int]:
        """By conversation, how many messages of customers metrics has."""
        return {row[0]: row[1] for row in await self._ask("metrics", _COUNTED, list(conversations))}

    async def routed(self, conversations: Collection[str]) -> list[Routed]:
        """What routing decided of these conversations, beside what is shown of it."""
        decided = {row[0]: row[1] for row in await self._ask("routing", _DECIDED, list(conversations))}
        shown = await self._ask("conversation", _SHOWN, list(conversations))
        return [Routed(id_, id_ in decided, decided.get(id_), agent) for id_, agent in shown]

    async def dead_letters(self, process: str) -> Sequence[Mapping[str, Any]]:
        """Those of a process, with what can be shown of the event that died."""
        return [dict(row) for row in await self._ask(process, _LETTERS)]

    async def whereabouts(self, id_: str) -> list[str]:
        """Where there is a trace of a customer's message that is not in the history."""
        return [name for process, name, query in _STATIONS if await self._count(process, query, id_)]

    async def left(self, acknowledged: Collection[str]) -> dict[str, int]:
        """By what it is, how much is still to be done; nothing once everything is caught up.

        Raises `OSError` or what asyncpg and httpx raise while something is away.
        """
        written = await self._count("conversation", _WRITTEN)
        found = {
            "not in the history": len(acknowledged) - await self.arrived(acknowledged),
            "not counted": written - await self._count("metrics", _HEARD),
            "waiting beside agents with room": await self._count("routing", _IDLE),
            "answers under way": await self._count("conversation", _UNDER_WAY),
        }
        for process in PROCESSES:
            found[f"outbox of {process}"] = await self._count(process, _OUTBOX)
            found[f"overdue jobs of {process}"] = await self._count(process, _OVERDUE)
            found[f"lag that {process} tells of"] = await self.gauge(process, "balcao_consumer_lag")
        if self._commits:
            found |= {f"lag of {process}": lag for process, lag in (await self._lags()).items()}
        return {what: count for what, count in found.items() if count}

    async def _lags(self) -> dict[str, int]:
        """By process, how much of what it hears is not committed: as the broker has it, not as the process believes."""
        found: dict[str, int] = {}
        async with asyncio.timeout(_BROKER_SECONDS), AsyncExitStack() as stack:
            reader = AIOKafkaConsumer(bootstrap_servers=self._servers)
            stack.push_async_callback(reader.stop)
            await reader.start()
            admin = AIOKafkaAdminClient(bootstrap_servers=self._servers)
            stack.push_async_callback(admin.close)
            await admin.start()
            for process, places in _PLACES.items():
                ends = await reader.end_offsets(places)
                committed = await admin.list_consumer_group_offsets(f"balcao.{process}", partitions=places)
                found[process] = sum(end - max(0, committed[place].offset) for place, end in ends.items())
        return found

    async def gauge(self, process: str, name: str) -> int:
        """What a process measures, all labels added up; raises `httpx.HTTPError` while it is away."""
        async with httpx.AsyncClient(base_url=self._running.ports.url(process), timeout=5) as client:
            told = (await client.get("/telemetry")).raise_for_status().text
        samples = (sample for family in text_string_to_metric_families(told) for sample in family.samples)
        return int(sum(sample.value for sample in samples if sample.name == name))

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[list[Load]]:
        """The agents' loads, looked at over and over while the block lasts."""
        found: list[Load] = []
        task = asyncio.create_task(self._watch(found))
        try:
            yield found
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self, found: list[Load]) -> None:
        while True:
            # While the database is away, nothing is decided either.
            with suppress(*_AWAY):
                async with self._open("routing") as connection:
                    while True:
                        found += [Load(**row) for row in await connection.fetch(_LOADS)]
                        await asyncio.sleep(LOOK_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    async def _count(self, process: str, query: str, *values: Any) -> int:
        [row] = await self._ask(process, query, *values)
        return int(row[0])

    async def _ask(self, process: str, query: str, *values: Any) -> list[asyncpg.Record]:
        async with self._open(process) as connection:
            return list(await connection.fetch(query, *values))

    @asynccontextmanager
    async def _open(self, process: str) -> AsyncIterator[asyncpg.Connection]:
        url = f"{self._admin_url.rpartition('/')[0]}/balcao_{process}"
        connection = await asyncpg.connect(url, timeout=5, command_timeout=10)
        try:
            yield connection
        finally:
            with suppress(*_AWAY):
                await connection.close(timeout=5)
