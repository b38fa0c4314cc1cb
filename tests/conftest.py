"""Fixtures that every test may ask for; what they start lives as long as the test run."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from xdist.scheduler.loadfile import LoadFileScheduling

from shared.ids import new_id
from shared.personal import redact
from shared.telemetry import redaction, start_logging
from tests.support.machine import BrokerAddress, Machine, broker, postgres_machine


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests share what they start, and so they stay together; so do the journeys: one whole set at a time is
    as much as a small machine carries."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "journeys" if file.startswith("tests/journeys/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that nobody waits for it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("journey") is None)


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
