"""Fixtures of routing's tests."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from services.routing.app import service
from services.routing.settings import Settings
from shared.db import Database
from tests.services.routing.counter import Counter
from tests.support.machine import BrokerAddress, Machine
from tests.support.serving import Served, serving


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def served(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Served]:
    async with serving(service, machine.settings(Settings, "routing", broker_address, runs="api")) as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def database(machine: Machine) -> AsyncIterator[Database]:
    database = machine.database("routing")
    yield database
    await database.close()


@pytest.fixture
def counter(database: Database, tenant_id: UUID) -> Counter:
    return Counter(database, tenant_id)
