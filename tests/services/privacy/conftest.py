"""Fixtures of privacy's tests."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest_asyncio

from services.privacy.app import service
from services.privacy.settings import Settings
from shared.db import Database
from tests.services.privacy.gathering import Gathering
from tests.support.machine import BrokerAddress, Machine
from tests.support.serving import Served, serving


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def served(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Served]:
    async with serving(service, machine.settings(Settings, "privacy", broker_address, runs="api")) as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def database(machine: Machine) -> AsyncIterator[Database]:
    database = machine.database("privacy")
    yield database
    await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def gathering(served: Served, database: Database, tenant_id: UUID) -> Gathering:
    return await Gathering.begun(served, database, tenant_id)
