"""The conversation service as its callers and its events meet it."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from services.conversation.app import service
from services.conversation.settings import Settings
from shared.db import Database
from tests.support.machine import BrokerAddress, Machine
from tests.support.serving import Served, serving


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Served]:
    async with serving(service, machine.settings(Settings, "conversation", broker_address, runs="api")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(machine: Machine) -> AsyncIterator[Database]:
    database = machine.database("conversation")
    yield database
    await database.close()


@pytest.fixture
def agent(served: Served, tenant_id: UUID) -> httpx.AsyncClient:
    return served.caller(tenant_id)
