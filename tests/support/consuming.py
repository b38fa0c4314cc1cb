"""A consumer that runs beside a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.bus import Consumer


@asynccontextmanager
async def consuming(consumer: Consumer) -> AsyncIterator[None]:
    """While the block lasts; then it finishes what it has taken, within 15 seconds."""
    running = asyncio.create_task(consumer.run())
    try:
        yield
    finally:
        consumer.leave()
        await asyncio.wait_for(running, 15)
