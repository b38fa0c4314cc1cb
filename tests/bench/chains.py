"""The two chains that are measured: Balcão's and the bare one, on the same Postgres and broker."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from deploy.local.plan import HOST
from deploy.local.running import RunningSet
from deploy.local.supervisor import Program
from deploy.processes import PROCESSES, REPOSITORY
from shared.bus.topics import create_topics
from shared.events import Topic
from shared.ids import earliest_id
from tests.bench import bare
from tests.bench.machine import cpu_seconds
from tests.support.whatsapp import Text, body_of, message_of, signed

SERVERS: Final = ("postgres", "broker")

_BARE_PORT: Final = 50
_PASSAGE_PORT: Final = 51
_START_SECONDS: Final = 30
_LOOK_SECONDS: Final = 0.2
"""Counting takes of the CPU that is measured."""
_QUIET_SECONDS: Final = 1.0
_OF_LATE: Final = timedelta(minutes=2)
"""Longer than anything is under way, and short enough to be counted where a million were heard."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where each message of an open conversation leaves one row, under an id that tells when it was made."""

    database: str
    table: str
    id: str


@dataclass(frozen=True, slots=True)
class Chain:
    """Where messages go in, who works on them, and where they end."""

    url: str
    channel: Mapping[str, str]
    python: Mapping[str, int]
    """Its own processes."""
    servers: Mapping[str, int]
    admin_url: str
    stored: Place
    heard: tuple[Place, ...]
    """Where those who only listen are done with a message."""
    hearing: str | None = None
    """What tells, by the provider's id, when one of them heard of each message from an id on; if anything does."""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80

    @property
    def processes(self) -> dict[str, int]:
        """The servers too."""
        return {**self.python, **self.servers}

    def cost(self, before: Mapping[str, float], messages: int) -> dict[str, float]:
        """Microseconds of CPU a message since `cpu_seconds` told what was before, by process."""
        return {name: (spent - before[name]) / messages * 1e6 for name, spent in cpu_seconds(self.processes).items()}

    def request(self, one: Text) -> bytes:
        """The webhook of one message, as it goes over the wire."""
        body = body_of(self.channel["phone_number_id"], [message_of(one)], [one.sender])
        headers = {"Host": HOST, "Content-Length": str(len(body)), **signed(body, self.channel["app_secret"])}
        lines = [f"POST {urlsplit(self.url).path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def stored_since(self, since: UUID) -> int:
        """How many messages were stored under this id or a later one."""
        async with connected(self.admin_url, self.stored.database) as connection:
            return await _count(self.stored, since, connection)

    async def made_since(self, since: UUID) -> dict[str, float]:
        """When the history made each message of this id or a later one, as its id tells; by the provider's id."""
        query = f"SELECT provider_message_id, id FROM {self.stored.table} WHERE id >= $1"
        async with connected(self.admin_url, self.stored.database) as connection:
            return {name: (id_.int >> 80) / 1000 for name, id_ in await connection.fetch(query, since)}

    async def heard_since(self, since: UUID) -> dict[str, float]:
        """When a listener heard of each message of this id or a later one, where that is told; by the provider's id."""
        if self.hearing is None:
            return {}
        async with connected(self.admin_url, self.stored.database) as connection:
            return dict(await connection.fetch(self.hearing, since))

    async def done(self, count: int, since: UUID, *, within: float) -> float:
        """The moment when everyone is done with so many messages since then; raises `TimeoutError`."""
        async with asyncio.timeout(within):
            for place in (self.stored, *self.heard):
                async with connected(self.admin_url, place.database) as connection:
                    while True:
                        if await _count(place, since, connection) >= count:
                            break
                        await asyncio.sleep(_LOOK_SECONDS)
        return time.monotonic()


def python_of(cost: Mapping[str, float]) -> float:
    """What of a cost is not the servers'."""
    return sum(spent for name, spent in cost.items() if name not in SERVERS)


def balcao(running: RunningSet, admin_url: str) -> Chain:
    """Balcão's own: a message ends when the two who hear of every one have claimed it."""
    channel, pids = running.demo["channels"]["whatsapp"], running.pids()
    return Chain(
        url=channel["webhook_url"],
        channel={**channel["secrets"], "phone_number_id": channel["phone_number_id"]},
        python={name: pids[name] for name in PROCESSES},
        servers={name: pids[name] for name in SERVERS},
        admin_url=admin_url,
        stored=Place("balcao_conversation", "messages", "id"),
        heard=(Place("balcao_routing", "inbox", "event_id"), Place("balcao_metrics", "inbox", "event_id")),
    )


async def bare_chain(running: RunningSet, admin_url: str) -> Chain:
    """The bare one, started now in a database and topics of its own."""
    channel, port = balcao(running, admin_url).channel, running.ports.base + _BARE_PORT
    for database, statement in (("postgres", "CREATE DATABASE bare"), ("bare", bare.SCHEMA)):
        async with connected(admin_url, database) as connection:
            await connection.execute(statement)
    broker = f"{HOST}:{running.ports['broker']}"
    await create_topics(broker, [Topic(name, partitions=bare.PARTITIONS) for name in bare.TOPICS])
    environment = {
        "BARE_DATABASE": _url(admin_url, "bare"),
        "BARE_BROKER": broker,
        "BARE_FETCH_MS": "500",
        "BARE_PORT": str(port),
        "BARE_SECRET": channel["app_secret"],
    }
    names = {link: f"bare {link}" for link in bare.LINKS}
    command = [sys.executable, "-m", "tests.bench.bare"]
    programs = [Program(name, [*command, link], REPOSITORY, environment=environment) for link, name in names.items()]
    await running.supervisor.start(*programs, within=_START_SECONDS)
    await _accepts(port)
    pids = running.pids()
    return Chain(
        url=f"http://{HOST}:{port}/webhooks/whatsapp/bare",
        channel=channel,
        python={link: pids[name] for link, name in names.items()},
        servers={name: pids[name] for name in SERVERS},
        admin_url=admin_url,
        stored=Place("bare", "messages", "id"),
        heard=(Place("bare", "facts", "event_id"), Place("bare", "routing_inbox", "event_id")),
        hearing=(
            "SELECT provider_message_id, extract(epoch FROM heard_at)::float FROM messages"
            " JOIN facts ON message_id = id WHERE id >= $1"
        ),
    )


@dataclass(frozen=True, slots=True)
class Passage:
    """A way to a service's reads."""

    port: int
    process: int


@asynccontextmanager
async def bare_passage(running: RunningSet, to: str) -> AsyncIterator[Passage]:
    """The bare one to one of Balcão's own services, while it is measured."""
    port = running.ports.base + _PASSAGE_PORT
    environment = {"BARE_PORT": str(port), "BARE_PASSES_ON_TO": running.ports.url(to)}
    name, command = f"bare {bare.PASSAGE}", [sys.executable, "-m", "tests.bench.bare", bare.PASSAGE]
    await running.supervisor.start(Program(name, command, REPOSITORY, environment=environment), within=_START_SECONDS)
    await _accepts(port)
    try:
        yield Passage(port, running.pids()[name])
    finally:
        await running.stop(name)


async def quiet(admin_url: str, *, within: float) -> None:
    """Return once Balcão has nothing left to do now: to publish, to hear or to measure; raises `TimeoutError`."""
    async with asyncio.timeout(within):
        before = (1, 0)
        while (now := await _left_and_heard(admin_url)) != before or now[0]:
            before = now
            await asyncio.sleep(_QUIET_SECONDS)


@asynccontextmanager
async def connected(admin_url: str, database: str) -> AsyncIterator[Any]:
    """Postgres' superuser in one of its databases."""
    connection = await asyncpg.connect(_url(admin_url, database))
    try:
        yield connection
    finally:
        await connection.close()


async def _left_and_heard(admin_url: str) -> tuple[int, int]:
    """How much is to be published or measured, and how much of what was told of late was heard."""
    left, heard, since = 0, 0, earliest_id(datetime.now(UTC) - _OF_LATE)
    for process in PROCESSES:
        async with connected(admin_url, f"balcao_{process}") as connection:
            left += await connection.fetchval("SELECT count(*) FROM outbox")
            heard += await connection.fetchval("SELECT count(*) FROM inbox WHERE event_id >= $1", since)
            if process == "metrics":
                due = "SELECT count(*) FROM measured_conversations WHERE due_at <= now()"
                left += await connection.fetchval(due)
    return left, heard


async def _count(place: Place, since: UUID, connection: Any) -> int:
    counted: int = await connection.fetchval(f"SELECT count(*) FROM {place.table} WHERE {place.id} >= $1", since)
    return counted


def _url(admin_url: str, database: str) -> str:
    return f"{admin_url.rpartition('/')[0]}/{database}"


async def _accepts(port: int) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
