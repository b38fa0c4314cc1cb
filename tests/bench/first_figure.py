"""How many messages a second go from webhook to stored, at what cost, beside the bare chain on the same machine.

`python -m tests.bench.first_figure` starts the whole set, on Apache Kafka where there are Java and Maven, saturates it
with single-message webhooks of 200 senders, waits until everyone has done his part, and does the same to the chain of
`tests.bench.bare` on the same Postgres and broker, while the set stands still.
"""

import asyncio
import json
import pickle
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import psutil

from deploy.local.keys import Keys
from deploy.local.plan import HOST, free_ports
from deploy.local.postgres import Postgres
from deploy.local.running import Kind, RunningSet, running_set
from deploy.local.supervisor import Program
from deploy.processes import PROCESSES, REPOSITORY
from shared.bus.topics import create_topics
from shared.events import Topic
from tests.bench import bare
from tests.bench.load import Load, Posted
from tests.support.whatsapp import body_of, message_of, signed, text

SENDERS: Final = 200
SECONDS: Final = 15
WARM_SECONDS: Final = 8
"""The Java of Apache Kafka compiles itself meanwhile."""
CONNECTIONS: Final = 64
MOST_PER_SECOND: Final = 5_000
_SERVERS: Final = ("postgres", "broker")
_BARE_PORT: Final = 50
_DRAIN_SECONDS: Final = 180


@dataclass(frozen=True, slots=True)
class Chain:
    """Where messages go in, who works on them, and what counts them."""

    url: str
    channel: Mapping[str, str]
    processes: Mapping[str, int]
    stored: tuple[str, str]
    """The URL of a database, and the query that counts the messages in it."""
    heard: tuple[tuple[str, str], ...]
    """The same for those who only listen."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What a chain reached."""

    acknowledged: float
    """Webhooks a second."""
    stored: float
    """Messages a second, from the first webhook until all were stored."""
    cost: Mapping[str, float]
    """Microseconds of CPU a message, by process."""
    generator: float
    """The same of the load generator."""

    @property
    def python(self) -> float:
        """Microseconds of CPU a message in all Python processes of the chain."""
        return sum(cost for name, cost in self.cost.items() if name not in _SERVERS)


async def main() -> None:
    kafka: Kind = "apache" if shutil.which("java") and shutil.which("mvn") else "embedded"
    with tempfile.TemporaryDirectory(prefix="balcao-bench-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        async with running_set(root, free_ports().base, kafka=kafka) as running:
            admin_url = Postgres(root, running.ports["postgres"], Keys.of(root).derived("postgres")).admin_url
            whole = await measured(_balcao(running, admin_url))
            with _standing_still(running):
                limit = await measured(await _bare(running, admin_url, kafka))
    print("\n".join(_table(kafka, whole, limit)))  # noqa: T201 - what this program is for


async def measured(chain: Chain) -> Figure:
    """Warm the chain up, saturate it, and wait until all have done their part."""
    warm = await _posted(chain, first=0, seconds=WARM_SECONDS)
    await _counted(warm.acknowledged, chain.stored, *chain.heard)
    before = _cpu_seconds(chain)
    load = await _posted(chain, first=MOST_PER_SECOND * WARM_SECONDS // SENDERS, seconds=SECONDS)
    everything = warm.acknowledged + load.acknowledged
    stored_at = await _counted(everything, chain.stored)
    await _counted(everything, *chain.heard)
    cost = {name: (spent - before[name]) / load.acknowledged * 1e6 for name, spent in _cpu_seconds(chain).items()}
    return Figure(
        acknowledged=load.acknowledged / (load.ended_at - load.began_at),
        stored=load.acknowledged / (stored_at - load.began_at),
        cost=cost,
        generator=load.cpu_seconds / load.acknowledged * 1e6,
    )


async def _posted(chain: Chain, *, first: int, seconds: int) -> Posted:
    """Post the texts of every sender from this number on, as many as can be in the time."""
    url = urlsplit(chain.url)
    numbers = range(first, first + MOST_PER_SECOND * seconds // SENDERS)
    requests = [_request(chain, str(5511900000000 + sender), n) for n in numbers for sender in range(SENDERS)]
    load = Load(HOST, url.port or 80, requests, CONNECTIONS, seconds)
    generator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.load"),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(seconds + _DRAIN_SECONDS):
        answer, _ = await generator.communicate(pickle.dumps(load))
    return Posted(**json.loads(answer))


def _request(chain: Chain, sender: str, number: int) -> bytes:
    body = body_of(chain.channel["phone_number_id"], [message_of(text(sender, number))], [sender])
    headers = {"Host": HOST, "Content-Length": str(len(body)), **signed(body, chain.channel["app_secret"])}
    lines = [f"POST {urlsplit(chain.url).path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _counted(count: int, *places: tuple[str, str]) -> float:
    """The moment when so many messages are counted in all these places; raises `TimeoutError`."""
    async with asyncio.timeout(_DRAIN_SECONDS):
        for url, query in places:
            connection = await asyncpg.connect(url)
            try:
                while True:
                    if await connection.fetchval(query) >= count:
                        break
                    await asyncio.sleep(0.1)
            finally:
                await connection.close()
    return time.monotonic()


def _cpu_seconds(chain: Chain) -> dict[str, float]:
    """What each process has spent so far, with its children."""
    return {name: _spent(psutil.Process(pid)) for name, pid in chain.processes.items()}


def _spent(process: psutil.Process) -> float:
    try:
        times, children = process.cpu_times(), process.children()
    except psutil.NoSuchProcess:
        # Some of Postgres' children come and go; then their parent has it in his account.
        return 0.0
    own = times.user + times.system + times.children_user + times.children_system
    return own + sum(_spent(child) for child in children)


def _balcao(running: RunningSet, admin_url: str) -> Chain:
    channel = running.demo["channels"]["whatsapp"]
    return Chain(
        url=channel["webhook_url"],
        channel={**channel["secrets"], "phone_number_id": channel["phone_number_id"]},
        processes=running.pids(),
        stored=(_database(admin_url, "balcao_conversation"), "SELECT count(*) FROM messages"),
        heard=(
            (_database(admin_url, "balcao_metrics"), "SELECT count(*) FROM facts WHERE kind = 'message received'"),
            (_database(admin_url, "balcao_routing"), "SELECT count(*) FROM inbox"),
        ),
    )


async def _bare(running: RunningSet, admin_url: str, kafka: Kind) -> Chain:
    balcao, port, url = _balcao(running, admin_url), running.ports.base + _BARE_PORT, _database(admin_url, "bare")
    for database_url, statement in ((admin_url, "CREATE DATABASE bare"), (url, bare.SCHEMA)):
        connection = await asyncpg.connect(database_url)
        await connection.execute(statement)
        await connection.close()
    broker = f"{HOST}:{running.ports['broker']}"
    await create_topics(broker, [Topic(name, partitions=bare.PARTITIONS) for name in bare.TOPICS])
    environment = {
        "BARE_DATABASE": url,
        "BARE_BROKER": broker,
        "BARE_FETCH_MS": "20" if kafka == "embedded" else "500",
        "BARE_PORT": str(port),
        "BARE_SECRET": balcao.channel["app_secret"],
    }
    names = {link: f"bare {link}" for link in bare.LINKS}
    command = [sys.executable, "-m", "tests.bench.bare"]
    programs = [Program(name, [*command, link], REPOSITORY, environment=environment) for link, name in names.items()]
    await running.supervisor.start(*programs, within=30)
    await _accepts(port)
    return Chain(
        url=f"http://{HOST}:{port}/webhooks/whatsapp/bare",
        channel=balcao.channel,
        processes={name: running.pids()[name] for name in (*names.values(), *_SERVERS)},
        stored=(url, "SELECT count(*) FROM messages"),
        heard=((url, "SELECT count(*) FROM facts"), (url, "SELECT count(*) FROM routing_inbox")),
    )


def _database(admin_url: str, name: str) -> str:
    return f"{admin_url.rpartition('/')[0]}/{name}"


async def _accepts(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


@contextmanager
def _standing_still(running: RunningSet) -> Iterator[None]:
    processes = [psutil.Process(running.pids()[name]) for name in PROCESSES]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def _table(kafka: Kind, whole: Figure, limit: Figure) -> Iterator[str]:
    yield f"{'on ' + kafka:<34}{'Balcão':>10}{'bare':>10}{'ratio':>8}"
    for what, reached, possible in (
        ("messages stored /s", whole.stored, limit.stored),
        ("webhooks acknowledged /s", whole.acknowledged, limit.acknowledged),
        ("Python CPU a message, µs", whole.python, limit.python),
        *((f"  {name}", whole.cost[name], limit.cost[name]) for name in _SERVERS),
        ("  load generator", whole.generator, limit.generator),
    ):
        yield f"{what:<34}{reached:>10.0f}{possible:>10.0f}{reached / possible:>8.2f}"
    for name, cost in [*whole.cost.items(), *limit.cost.items()]:
        if name not in _SERVERS:
            yield f"  {name:<32}{cost:>10.0f}"


if __name__ == "__main__":
    asyncio.run(main())
