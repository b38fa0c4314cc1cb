"""Ingest as its tests meet it."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from services.ingest.app import service
from services.ingest.settings import Settings
from shared.db import Database
from tests.support.accounts import Accounts
from tests.support.machine import BrokerAddress, Machine
from tests.support.serving import Served, serving


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Served]:
    settings = machine.settings(
        Settings, "ingest", broker_address, runs="api", public_url="https://hooks.example", channel_memory=0.001
    )
    async with serving(service, settings) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(machine: Machine) -> AsyncIterator[Database]:
    database = machine.database("ingest")
    yield database
    await database.close()


@pytest.fixture
def accounts(served: Served, database: Database, tenant_id: UUID) -> Accounts:
    return Accounts(served, database, tenant_id)
