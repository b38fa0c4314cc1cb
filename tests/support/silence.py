"""A client of the broker that is not answered any more."""

import asyncio
from typing import Any

from aiokafka.client import AIOKafkaClient


def silence(client: AIOKafkaClient, kind: Any) -> None:
    """Let no request of a kind be answered any more."""
    send = client.send

    async def answer(node_id: Any, request: Any, **how: Any) -> Any:
        if isinstance(request, kind):
            await asyncio.Event().wait()
        return await send(node_id, request, **how)

    client.send = answer
