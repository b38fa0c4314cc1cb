"""What the process does beside answering: it measures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from services.metrics import handlers
from services.metrics.settings import Settings
from shared.service import Kernel


@asynccontextmanager
async def furnish(kernel: Kernel[Settings]) -> AsyncIterator[None]:
    """Measure what is due, in the processes that do jobs."""
    if "jobs" in kernel.settings.parts:
        kernel.start(partial(handlers.measure_continually, kernel.database))
    yield
