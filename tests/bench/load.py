"""The load generator, a process of its own: posts prepared webhooks, on each connection as fast as they are answered.

`python -m tests.bench.load` takes a pickled `Load` from its input and writes a `Posted` in JSON to its output.
"""

import asyncio
import json
import pickle
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import cast

import uvloop


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be posted: whole HTTP/1.1 requests, until `seconds` are over or none is left."""

    host: str
    port: int
    requests: list[bytes]
    connections: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of it; times are those of the machine's monotonic clock."""

    acknowledged: int
    began_at: float
    ended_at: float
    cpu_seconds: float


class _Connection(asyncio.Protocol):
    """Posts one request after the other."""

    def __init__(self, requests: Iterator[bytes], ends_at: float, acknowledged: "asyncio.Future[int]") -> None:
        self._requests = requests
        self._ends_at = ends_at
        self._acknowledged = acknowledged
        self._count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._post()

    def data_received(self, data: bytes) -> None:
        # A webhook's 200 has no body, and comes in one piece.
        if data.startswith(b"HTTP/1.1 200 "):
            self._count += 1
            self._post()
        elif not self._acknowledged.done():
            self._acknowledged.set_exception(RuntimeError(f"a webhook was answered {data!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._acknowledged.done():
            self._acknowledged.set_exception(error or ConnectionResetError("the server closed a connection"))

    def _post(self) -> None:
        request = next(self._requests, None) if time.monotonic() < self._ends_at else None
        if request is not None:
            self._transport.write(request)
        elif not self._acknowledged.done():
            self._acknowledged.set_result(self._count)
            self._transport.close()


async def post(load: Load) -> Posted:
    """Post until it is over; raises `RuntimeError` when anything but 200 is answered."""
    loop, requests = asyncio.get_running_loop(), iter(load.requests)
    began_at, cpu_seconds = time.monotonic(), time.process_time()
    counts: list[asyncio.Future[int]] = [loop.create_future() for _ in range(load.connections)]
    for count in counts:

        def connection(count: "asyncio.Future[int]" = count) -> _Connection:
            return _Connection(requests, began_at + load.seconds, count)

        await loop.create_connection(connection, load.host, load.port)
    acknowledged = sum(await asyncio.gather(*counts))
    return Posted(acknowledged, began_at, time.monotonic(), time.process_time() - cpu_seconds)


if __name__ == "__main__":
    posted = uvloop.run(post(pickle.load(sys.stdin.buffer)))  # noqa: S301 - from our own parent
    json.dump(asdict(posted), sys.stdout)
