"""A broker that forgets has its topics again each time it starts, and says that it began anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.local.brokers import Embedded
from deploy.local.journal import Journal
from deploy.local.plan import free_ports
from deploy.local.supervisor import supervised
from shared.bus.kafka import incarnation
from shared.events import TOPICS


async def test_the_embedded_broker_marks_each_of_its_lives_and_has_its_topics_before_anybody_may_publish(
    tmp_path: Path,
) -> None:
    lives = asyncio.Queue[frozenset[str]]()

    @asynccontextmanager
    async def nobody_publishes() -> AsyncIterator[None]:
        yield
        async with AIOKafkaConsumer(bootstrap_servers=broker.servers) as consumer:
            assert await consumer.topics() >= TOPICS.keys()
            lives.put_nowait(await incarnation(consumer))

    broker = Embedded(tmp_path, free_ports(), nobody_publishes)
    with closing(Journal(tmp_path / "logs")) as journal:
        async with supervised(tmp_path, journal) as supervisor, asyncio.timeout(15):
            await supervisor.start(await broker.program(supervisor), within=10)
            first = await lives.get()
            supervisor.kill("broker")
            second = await lives.get()
    assert len(first) == len(second) == 1
    assert first != second


async def test_a_topic_has_as_many_partitions_as_the_embedded_broker_gives_one_by_itself(tmp_path: Path) -> None:
    # A producer who remembers more would write where nobody hears: the broker stores it without a word.
    broker = Embedded(tmp_path, free_ports())
    with closing(Journal(tmp_path / "logs")) as journal:
        async with supervised(tmp_path, journal) as supervisor, asyncio.timeout(15):
            await supervisor.start(await broker.program(supervisor), within=10)
            async with AIOKafkaProducer(bootstrap_servers=broker.servers) as producer:
                counts = {len(await producer.partitions_for(topic)) for topic in [*TOPICS, "made.by.asking"]}
    assert len(counts) == 1
