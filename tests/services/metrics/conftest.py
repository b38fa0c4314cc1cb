"""The metrics service as its callers and its events meet it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from services.metrics.app import service
from services.metrics.settings import Settings
from shared.db import Database
from tests.support.machine import BrokerAddress, Machine
from tests.support.serving import Served, serving


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def served(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Served]:
    async with serving(service, machine.settings(Settings, "metrics", broker_address, runs="api")) as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def database(machine: Machine) -> AsyncIterator[Database]:
    database = machine.database("metrics")
    yield database
    await database.close()
