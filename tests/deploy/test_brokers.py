"""A broker that forgets is told its topics anew each time it starts."""

import asyncio
from contextlib import closing
from pathlib import Path

from deploy.local.brokers import Embedded
from deploy.local.journal import Journal
from deploy.local.plan import free_ports
from deploy.local.supervisor import supervised


async def test_the_embedded_broker_is_told_its_topics_after_every_start(tmp_path: Path) -> None:
    told = asyncio.Queue[float]()

    async def create_topics() -> None:
        told.put_nowait(asyncio.get_running_loop().time())

    broker = Embedded(tmp_path, free_ports())
    with closing(Journal(tmp_path / "logs")) as journal:
        async with supervised(tmp_path, journal) as supervisor, asyncio.timeout(15):
            await supervisor.start(await broker.program(supervisor, create_topics), within=10)
            killed = await told.get()
            supervisor.kill("broker")
            again = await told.get()
    heartbeat = int(broker.settings["HEARTBEAT_MS"]) / 1000
    assert again - killed > 4 * heartbeat
