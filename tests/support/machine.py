"""What tests run on: a real Postgres with every service's migrated database, and a real broker."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from deploy.local.brokers import BROKER_SECONDS, Embedded
from deploy.local.journal import Journal
from deploy.local.keys import Keys
from deploy.local.plan import HOST, Ports, database_of, free_ports
from deploy.local.postgres import Postgres
from deploy.local.supervisor import Supervisor, supervised
from deploy.processes import PROCESSES, folder_of
from deploy.provision import ServiceDatabase, provision
from shared.db import Database
from shared.db.migrations import upgrade
from shared.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)

_KEY = Ed25519PrivateKey.generate()
CALLER_PRIVATE_KEY = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
CALLER_PUBLIC_KEY = _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
ROOT_KEY = base64.b64encode(bytes(range(32))).decode()


@dataclass(frozen=True)
class Machine:
    """A Postgres server with all databases."""

    supervisor: Supervisor
    root: Path
    ports: Ports
    databases: Mapping[str, ServiceDatabase]
    admin_url: str

    def url(self, service: str) -> str:
        """How the service itself connects: as its powerless role."""
        return self.databases[service].url(HOST, self.ports["postgres"])

    def database(self, service: str) -> Database:
        return Database(self.url(service), pool=8, application="test")

    def settings(self, kind: type[S], service: str, broker: "BrokerAddress", **changes: Any) -> S:
        """Settings as the local run gives them, quick to retry; `changes` go before them."""
        values: dict[str, Any] = {
            "database_url": self.url(service),
            "root_key": ROOT_KEY,
            "caller_public_key": CALLER_PUBLIC_KEY,
            "retry_first_wait": 0.01,
            "retry_longest_wait": 0.05,
            **broker.settings,
        }
        return kind(**values | changes)

    async def empty(self, service: str) -> None:
        """Forget all rows of a service's database."""
        connection = await asyncpg.connect(self.admin_url, database=self.databases[service].name)
        try:
            # Some tables refuse it to everyone else.
            await connection.execute("SET session_replication_role = replica")
            tables = await connection.fetch(
                "SELECT quote_ident(tablename) AS name FROM pg_tables"
                " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
            )
            await connection.execute(f"TRUNCATE {', '.join(row['name'] for row in tables)} RESTART IDENTITY CASCADE")
        finally:
            await connection.close()


@dataclass(frozen=True)
class BrokerAddress:
    """A broker that runs, and what a process must be told of it."""

    servers: str
    settings: Mapping[str, Any]


@asynccontextmanager
async def postgres_machine(root: Path) -> AsyncIterator[Machine]:
    """A Postgres of its own, provisioned and migrated as in the local run."""
    ports, keys = free_ports(), Keys.of(root)
    databases = {process: database_of(process, keys) for process in PROCESSES}
    with closing(Journal(root / "logs")) as journal:
        async with supervised(root, journal) as supervisor:
            postgres = Postgres(root, ports["postgres"], keys.derived("postgres"))
            await postgres.start(supervisor)
            await provision(postgres.admin_url, list(databases.values()))
            for process, database in databases.items():
                owner_url = database.owner_url(HOST, ports["postgres"])
                await asyncio.to_thread(upgrade, folder_of(process), owner_url)
            yield Machine(supervisor, root, ports, databases, postgres.admin_url)


@asynccontextmanager
async def broker(root: Path) -> AsyncIterator[BrokerAddress]:
    """The Apache Kafka that the environment names, else an embedded broker of its own."""
    if os.environ.get("BALCAO_TEST_BROKER") == "apache":
        servers = os.environ["BALCAO_TEST_BROKER_SERVERS"]
        yield BrokerAddress(servers, {"broker_servers": servers, "heartbeat_ms": 300})
        return
    ports = free_ports()
    embedded = Embedded(root, ports)
    with closing(Journal(root / "logs")) as journal:
        async with supervised(root, journal) as supervisor:
            await supervisor.start(await embedded.program(supervisor), within=BROKER_SECONDS)
            settings = {name.lower(): value for name, value in embedded.settings.items()}
            yield BrokerAddress(embedded.servers, settings)
