"""How an answer leaves that is made while it is sent, such as server-sent events (WHATWG HTML, §9.2)."""

import asyncio
from typing import Final

from starlette.types import Message, Send

EVENT_STREAM: Final = "text/event-stream"

# Whatever stands between here and the client must not gather the events before it passes them on.
AS_IT_COMES: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

SEND_SECONDS: Final = 30
"""How long a client may take for one piece."""


async def send_in_time(message: Message, send: Send) -> None:
    """Send a piece; raises `TimeoutError` when the client does not take it: it would be kept in memory for him."""
    async with asyncio.timeout(SEND_SECONDS):
        await send(message)
