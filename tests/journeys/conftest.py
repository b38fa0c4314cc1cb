"""What the journeys share."""

import pytest
import pytest_asyncio

from tests.journeys.tour import Played, play_on_new_set


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The tour of the README, played on a set that has stopped since."""
    return await play_on_new_set(tmp_path_factory.mktemp("set"), tmp_path_factory.mktemp("folder"))
