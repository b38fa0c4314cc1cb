"""The whole set on one machine: Postgres, a broker, the six processes, a simulated provider and a demo tenant."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import httpx

from deploy.local import background
from deploy.local.brokers import BROKER_SECONDS, Apache, Broker, Embedded
from deploy.local.demo import demo_tenant
from deploy.local.journal import Journal
from deploy.local.keys import Keys
from deploy.local.plan import HOST, Ports, database_of, environment_of, replica
from deploy.local.postgres import Postgres
from deploy.local.simulator import Simulator
from deploy.local.supervisor import Ending, Program, Supervisor, supervised
from deploy.migrate import variable_of
from deploy.processes import PROCESSES, REPOSITORY
from deploy.provision import provision
from deploy.serve import STOP_SECONDS
from shared.bus.relay import telling_again

Kind = Literal["embedded", "apache"]

_MIGRATION_SECONDS: Final = 60
_READY_SECONDS: Final = 90
_PATIENCE_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class RunningSet:
    """A set that serves."""

    ports: Ports
    demo: dict[str, Any]
    """What `demo.json` holds."""
    supervisor: Supervisor
    program: Callable[[str, Mapping[str, str]], Program]
    """How one of a process is run, with these settings before those of the plan."""

    @property
    def gateway_url(self) -> str:
        return self.ports.url("gateway")

    @property
    def ingest_url(self) -> str:
        return self.ports.url("ingest")

    @property
    def simulator_url(self) -> str:
        return self.ports.url("simulator")

    def pids(self) -> dict[str, int]:
        """The live processes by name: the six, what was started beside them, "simulator", "postgres" and "broker"."""
        return self.supervisor.pids()

    def kill(self, name: str) -> None:
        """`kill -9` one of them; it is started again. Raises `KeyError` while it is not alive."""
        self.supervisor.kill(name)

    async def start(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        """Start one more of a process ("routing-2"), or one that was stopped, and return once it is ready.

        Raises `StartError`.
        """
        self.ports.ensure_free(name)
        await self.supervisor.start(self.program(name, environment or {}), within=_READY_SECONDS)

    async def stop(self, name: str) -> Ending:
        """SIGTERM one of them, which is not started again; raises `KeyError` while it is not alive."""
        return await self.supervisor.end(name)


@contextlib.asynccontextmanager
async def running_set(
    root: Path,
    port_base: int = 8000,
    *,
    kafka: Kind = "embedded",
    environment: Mapping[str, str] | None = None,
    terminal: TextIO | None = None,
) -> AsyncIterator[RunningSet]:
    """Start everything with its data under `root`, yield when all is ready, and stop everything at the end.

    `environment` goes before what the plan tells the processes. To be entered on the main thread. Raises
    `StartError`.
    """
    ports = Ports(port_base)
    with contextlib.closing(Journal(root / "logs", terminal)) as journal:
        async with supervised(root, journal) as supervisor:
            if kafka == "apache":
                # Both would work on the same data.
                await asyncio.to_thread(background.stop, root)
            ports.ensure_free()
            keys = Keys.of(root)
            await _start_postgres(supervisor, root, ports, keys)
            telling = partial(_telling_again, ports, keys)
            broker: Broker = Embedded(root, ports, telling) if kafka == "embedded" else Apache(root, ports)
            await supervisor.start(await broker.program(supervisor), within=BROKER_SECONDS)

            def program(name: str, changes: Mapping[str, str]) -> Program:
                plan = environment_of(replica(name)[0], ports, keys, broker.settings)
                return _process(name, ports, {**plan, **(environment or {}), **changes}, journal)

            simulator = Simulator(ports)
            programs = [program(process, {}) for process in PROCESSES]
            await supervisor.start(simulator.program(), *programs, within=_READY_SECONDS)
            demo = await demo_tenant(root / "demo.json", ports.url("gateway"), keys)
            await simulator.connect(demo["channels"]["whatsapp"], keys)
            yield RunningSet(ports, demo, supervisor, program)


async def _start_postgres(supervisor: Supervisor, root: Path, ports: Ports, keys: Keys) -> None:
    postgres = Postgres(root, ports["postgres"], keys.derived("postgres"))
    await postgres.start(supervisor)
    databases = {process: database_of(process, keys) for process in PROCESSES}
    await provision(postgres.admin_url, list(databases.values()))
    owners = {
        variable_of(process): database.owner_url(HOST, ports["postgres"]) for process, database in databases.items()
    }
    migration = Program("migrate", [sys.executable, "-m", "deploy.migrate"], REPOSITORY, environment=owners)
    await supervisor.run(migration, within=_MIGRATION_SECONDS)


@contextlib.asynccontextmanager
async def _telling_again(ports: Ports, keys: Keys) -> AsyncIterator[None]:
    """Let every speaker tell a broker that forgets again, once its topics are there."""
    async with contextlib.AsyncExitStack() as stack:
        for process in PROCESSES:
            database = database_of(process, keys).url(HOST, ports["postgres"])
            await stack.enter_async_context(telling_again(database))
        yield


def _process(name: str, ports: Ports, environment: Mapping[str, str], journal: Journal) -> Program:
    process, _ = replica(name)
    return Program(
        name=name,
        command=[sys.executable, "-m", "deploy.serve", process, "--host", HOST, "--port", str(ports[name])],
        directory=REPOSITORY,
        up=partial(_ready, name, ports.url(name), journal),
        # What a process prints is seen when it prints it.
        environment={"PYTHONUNBUFFERED": "1", **environment},
        stop_seconds=STOP_SECONDS,
    )


async def _ready(name: str, url: str, journal: Journal) -> None:
    """Return once the process is ready; what keeps it from being so for long is written to the journal."""
    patient_until, told = time.monotonic() + _PATIENCE_SECONDS, ""
    async with httpx.AsyncClient(base_url=url, timeout=5) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await client.get("/ready")
                if answer.is_success:
                    return
                detail = answer.json()["detail"]
                if detail != told and time.monotonic() > patient_until:
                    journal.write(name, f"not ready: {detail}")
                    told = detail
            await asyncio.sleep(0.1)
