"""Fixtures that every test may ask for; what they start lives as long as the test run."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from shared.ids import new_id
from shared.personal import redact
from shared.telemetry import redaction, start_logging
from tests.support.machine import BrokerAddress, Machine, broker, postgres_machine


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    """Logs as in production."""
    start_logging("test", "info", redaction(redact))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def machine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Machine]:
    """A real Postgres with every service's migrated database."""
    async with postgres_machine(tmp_path_factory.mktemp("machine")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def broker_address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrokerAddress]:
    """A real broker: the embedded one, or the Apache Kafka that the environment names."""
    async with broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def tenant_id() -> UUID:
    """A tenant of this test alone."""
    return new_id()
