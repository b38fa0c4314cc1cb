"""Apache Kafka by itself, without the rest: in the background, or for as long as a command runs."""

import asyncio
import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

import psutil

from deploy.local.brokers import BROKER_SECONDS, Apache
from deploy.local.files import write_private
from deploy.local.journal import Journal
from deploy.local.plan import Ports, free_ports
from deploy.local.supervisor import Program, StartError, leftovers, stop_leftovers, supervised, wait_for_end
from shared.bus.topics import create_topics
from shared.events import TOPICS

_STOP_SECONDS: Final = 10


async def start(root: Path, ports: Ports, terminal: TextIO) -> str:
    """Start it unless it runs already; returns its address once it answers, raises `StartError` if it does not."""
    broker = Apache(root, ports)
    folder = broker.folder
    if "broker" in leftovers(folder):
        await create_topics(broker.servers, TOPICS.values())
        return broker.servers
    with contextlib.closing(Journal(folder / "logs", terminal)) as journal:
        async with supervised(folder, journal) as supervisor:
            ports.ensure_free("broker", "controller")
            program = await broker.program(supervisor)
    log = folder / "logs" / "broker.log"
    _launch(program, log, folder / "pids.json")
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            await program.up()
    except TimeoutError:
        raise StartError(f"Apache Kafka does not answer; it writes to {log}") from None
    return broker.servers


def stop(root: Path) -> None:
    """Stop it if it runs; blocks until it is gone."""
    folder = root.resolve() / "kafka"
    for process in leftovers(folder).values():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
            wait_for_end(process, _STOP_SECONDS)
    stop_leftovers(folder)


async def run_beside_apache(command: Sequence[str], terminal: TextIO) -> int:
    """Run a command beside a new and empty Apache Kafka and return its exit code.

    It finds the broker by `BALCAO_TEST_BROKER=apache` and `BALCAO_TEST_BROKER_SERVERS`.
    """
    with tempfile.TemporaryDirectory(prefix="balcao-kafka-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        broker = Apache(root, free_ports())
        with contextlib.closing(Journal(root / "logs", terminal)) as journal:
            async with supervised(root, journal) as supervisor:
                await supervisor.start(await broker.program(supervisor), within=BROKER_SECONDS)
                found = {"BALCAO_TEST_BROKER": "apache", "BALCAO_TEST_BROKER_SERVERS": broker.servers}
                process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **found})
                # Ctrl-C in a terminal reaches the command as well: it ends by itself.
                return await process.wait()


def _launch(program: Program, log: Path, pids: Path) -> None:
    with log.open("ab") as output:
        process = subprocess.Popen(
            program.command,
            cwd=program.directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    write_private(pids, json.dumps({"broker": process.pid}))
