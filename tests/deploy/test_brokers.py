"""A broker that forgets is told its topics anew each time it starts, and says that it did."""

import asyncio
from contextlib import closing
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from deploy.local.brokers import Embedded
from deploy.local.journal import Journal
from deploy.local.plan import free_ports
from deploy.local.supervisor import supervised
from shared.bus.kafka import incarnation


async def test_the_embedded_broker_marks_each_of_its_lives_before_it_has_topics(tmp_path: Path) -> None:
    told = asyncio.Queue[frozenset[str]]()
    broker = Embedded(tmp_path, free_ports())

    async def create_topics() -> None:
        async with AIOKafkaConsumer(bootstrap_servers=broker.servers) as consumer:
            told.put_nowait(await incarnation(consumer))

    with closing(Journal(tmp_path / "logs")) as journal:
        async with supervised(tmp_path, journal) as supervisor, asyncio.timeout(15):
            await supervisor.start(await broker.program(supervisor, create_topics), within=10)
            first = await told.get()
            supervisor.kill("broker")
            second = await told.get()
    assert len(first) == len(second) == 1
    assert first != second
