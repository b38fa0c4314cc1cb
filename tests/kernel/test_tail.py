"""Reading without a group: every partition, each record once and in order, over all that a broker may do meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest

from deploy.local.brokers import BROKER_SECONDS, Embedded
from deploy.local.journal import Journal
from deploy.local.plan import free_ports
from deploy.local.supervisor import supervised
from shared.bus import Beginning, Place, Placed, Publisher, Tail, tail
from shared.bus.kafka import subscription
from shared.bus.topics import create_topics
from shared.events import TOPICS, Record, Topic
from shared.ids import new_id
from shared.settings import ServiceSettings
from tests.support.machine import BrokerAddress, Machine
from tests.support.silence import silence
from tests.support.waiting import until

TOPIC = "conversation.events"


def record(key: object, topic: str = TOPIC) -> Record:
    return Record(topic, str(key), {"ce_id": str(key)}, b"{}", None)


class Reader:
    """What was read, by place, and how often reading began."""

    def __init__(self) -> None:
        self.read: dict[Place, list[Placed]] = defaultdict(list)
        self.beginnings: list[Beginning] = []

    def take(self, piece: Any) -> None:
        if isinstance(piece, Beginning):
            self.beginnings.append(piece)
            self.read.clear()
        for placed in () if isinstance(piece, Beginning) else piece:
            self.read[placed.place].append(placed)

    @property
    def ids(self) -> list[str]:
        return [placed.headers["ce_id"].decode() for run in self.read.values() for placed in run]

    def by_name(self, names: Iterable[str]) -> dict[str, Placed]:
        found = {placed.headers["ce_id"].decode(): placed for run in self.read.values() for placed in run}
        return {name: found[name] for name in names}

    async def until_read(self, *keys: object, times: int = 1) -> None:
        async def look() -> bool:
            return all(self.ids.count(str(key)) >= times for key in keys)

        await until(look)


@asynccontextmanager
async def reading(settings: ServiceSettings, **changes: Any) -> AsyncIterator[Reader]:
    asked: dict[str, Any] = {"topics": [TOPIC], "client": "test", "seconds": 600, "most": 1000, "before": 0} | changes
    reader = Reader()

    async def run() -> None:
        async for piece in Tail(settings=settings, **asked).read():
            reader.take(piece)

    running = asyncio.create_task(run())
    try:
        yield reader
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def publishing(settings: ServiceSettings) -> AsyncIterator[Publisher]:
    publisher = Publisher(settings.broker_servers, idempotent=settings.broker_idempotent)
    try:
        yield publisher
    finally:
        await publisher.close()


@pytest.mark.kafka
async def test_every_reader_reads_everything_of_every_partition_in_order(
    machine: Machine, broker_address: BrokerAddress
) -> None:
    settings = machine.settings(ServiceSettings, "gateway", broker_address)
    names = [str(new_id()) for _ in range(40)]
    async with publishing(settings) as publisher, reading(settings) as first, reading(settings) as second:
        await publisher.publish([record(name) for name in names])
        for reader in (first, second):
            await reader.until_read(*names)
            assert sorted(id_ for id_ in reader.ids if id_ in names) == sorted(names)
            assert len({place for place, run in reader.read.items() if run}) > 1
            for run in reader.read.values():
                assert [placed.offset for placed in run] == list(range(run[0].offset, run[-1].offset + 1))
    # Others say something on this broker meanwhile, which only one of the two may have come to.
    stands = [{name: (at.place, at.offset) for name, at in reader.by_name(names).items()} for reader in (first, second)]
    assert stands[0] == stands[1]


@pytest.mark.kafka
async def test_who_begins_later_reads_what_was_said_before(machine: Machine, broker_address: BrokerAddress) -> None:
    settings = machine.settings(ServiceSettings, "gateway", broker_address)
    earlier, later = new_id(), new_id()
    async with publishing(settings) as publisher:
        await publisher.publish([record(earlier)])
        async with reading(settings) as reader:
            await reader.until_read(earlier)
            await publisher.publish([record(later)])
            await reader.until_read(later)
    (beginning,) = reader.beginnings
    assert all(beginning.starts[place] == run[0].offset for place, run in reader.read.items())


async def test_a_broker_that_forgot_is_read_anew_from_its_beginning(machine: Machine, tmp_path: Path) -> None:
    ports = free_ports()

    @asynccontextmanager
    async def running() -> AsyncIterator[ServiceSettings]:
        embedded = Embedded(tmp_path, ports)
        with closing(Journal(tmp_path / "logs")) as journal:
            async with supervised(tmp_path, journal) as supervisor:
                await supervisor.start(await embedded.program(supervisor), within=BROKER_SECONDS)
                told = {name.lower(): value for name, value in embedded.settings.items()}
                yield machine.settings(ServiceSettings, "gateway", BrokerAddress(embedded.servers, told))

    async with running() as settings, publishing(settings) as publisher:
        await publisher.publish([record("a"), record("b")])
        tailing = reading(settings)
        reader = await tailing.__aenter__()
        await reader.until_read("a", "b")
    async with running(), publishing(settings) as publisher:
        # More than the log had before: a reader that trusted its old offsets would begin in the middle.
        await publisher.publish([record("b"), *(record("b") for _ in range(9)), record("c")])
        await reader.until_read("b", "c")
        assert len(reader.beginnings) == 2
        assert reader.ids.count("b") == 10
        assert "a" not in reader.ids
    first, second = reader.beginnings
    assert first.life != second.life
    await tailing.__aexit__(None, None, None)


@pytest.mark.kafka
async def test_places_that_come_later_are_read_from_their_beginning_and_the_others_read_on(
    machine: Machine, broker_address: BrokerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "LOOK_SECONDS", 0.1)
    late = Topic(f"late-{new_id()}.events", partitions=2)
    monkeypatch.setitem(cast("dict[str, Topic]", TOPICS), late.name, late)
    settings = machine.settings(ServiceSettings, "gateway", broker_address)
    early, *later = (str(new_id()) for _ in range(8))
    async with publishing(settings) as publisher, reading(settings, topics=[TOPIC, late.name]) as reader:
        await publisher.publish([record(early)])
        await reader.until_read(early)
        await create_topics(broker_address.servers, [late])
        await publisher.publish([record(name, topic) for name in later for topic in (late.name, TOPIC)])
        await reader.until_read(*later)
        await reader.until_read(*later, times=2)
    assert reader.ids.count(early) == 1
    assert len(reader.beginnings) == 1


@pytest.mark.kafka
async def test_a_reader_who_is_delivered_nothing_though_there_is_more_asks_anew(
    machine: Machine, broker_address: BrokerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "LOOK_SECONDS", 0.5)
    clients: list[AIOKafkaClient] = []

    def subscribed(*args: Any, **kwargs: Any) -> AIOKafkaConsumer:
        kafka = subscription(*args, **kwargs)
        clients.append(kafka._client)
        return kafka

    monkeypatch.setattr(tail, "subscription", subscribed)
    settings = machine.settings(ServiceSettings, "gateway", broker_address)
    async with publishing(settings) as publisher, reading(settings) as reader:

        async def is_read(name: UUID) -> None:
            await publisher.publish([record(name)])
            await reader.until_read(name)

        await is_read(new_id())
        silence(clients[-1], FetchRequest)
        # One request is on its way already.
        await is_read(new_id())
        await is_read(new_id())
    assert len(clients) > 1
