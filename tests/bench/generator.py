"""The load generator, a process of its own: posts prepared requests over raw sockets and watches what becomes of them.

`python -m tests.bench.generator FILE` takes a pickled `Load` from its input and writes a pickled `Outcome` to the file.
"""

import asyncio
import gc
import pickle
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import isnan, nan
from pathlib import Path
from typing import Final, cast

import uvloop

from deploy.local.plan import HOST
from tests.bench.posting import Glance, Load, Outcome, Stream

_GLANCE_SECONDS: Final = 10


class _Connection(asyncio.Protocol):
    """Asks one request after the other, and hands on each whole answer that says 200."""

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._then: Callable[[bytes], None] | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, then: Callable[[bytes], None]) -> None:
        self._then = then
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        answer = self._got + data if self._got else data
        if not answer.startswith(b"HTTP/1.1 200 "):
            self._failed(RuntimeError(f"a request was answered {answer!r}"))
        elif not _is_whole(answer):
            self._got = answer
        elif then := self._then:
            self._got, self._then = b"", None
            then(answer)

    def connection_lost(self, error: Exception | None) -> None:
        if self._then:
            self._failed(error or ConnectionResetError("the server closed a connection"))


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    _, named, length = head.lower().partition(b"content-length: ")
    return len(body) >= int(length.partition(b"\r\n")[0]) if named else body.endswith(b"0\r\n\r\n")


class _Following(asyncio.Protocol):
    """Keeps the data of every event with the moment when it came."""

    def __init__(self, stream: Stream, failed: Callable[[Exception], None]) -> None:
        self._stream = stream
        self._failed = failed
        self._left = stream.count
        self._rest = b""
        self.told: list[tuple[float, bytes]] = []
        self.opened = asyncio.Event()
        self.satisfied = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._stream.request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        # A chunk of the transfer ends where an event ends, so that no line of data is cut by its framing.
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data: {"):
                self.told.append((now, line))
                self._left -= self._stream.mark in line
            elif line.startswith(b"HTTP/1.1 200 "):
                self.opened.set()
        if self._left <= 0:
            self.satisfied.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._failed(error or ConnectionResetError("the server closed the stream"))


class _Generator:
    """One load on its way."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._due: deque[int] = deque()
        # Each in turn: a server closes those that are long unused.
        self._idle: deque[_Connection] = deque()
        self._under_way = 0
        self._all_due = False
        self._latest = 0.0
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._posted_at = [nan] * len(load.requests)
        self._answered_at = [nan] * len(load.requests)
        self._glanced_at: dict[int, float] = {}
        self._glances: list[asyncio.Task[None]] = []

    async def run(self) -> Outcome:
        load, following = self._load, await self._follow()
        self._idle.extend([await self._connect(load.port) for _ in range(load.connections)])
        spent, began_at = time.process_time(), time.monotonic()
        if load.rate is None:
            self._post_all()
        else:
            await self._post_at(load.rate, began_at)
        await self._over
        ended_at = time.monotonic()
        await asyncio.gather(*self._glances)
        if load.stream and following:
            # What is not told in time is missing in the outcome.
            with suppress(TimeoutError):
                await asyncio.wait_for(following.satisfied.wait(), load.stream.seconds)
        return Outcome(
            began_at,
            ended_at,
            self._posted_at,
            self._answered_at,
            following.told if following else [],
            self._glanced_at,
            cpu_seconds=time.process_time() - spent,
            busy_seconds=time.monotonic() - began_at,
            latest=self._latest,
        )

    async def _follow(self) -> _Following | None:
        stream = self._load.stream
        if stream is None:
            return None
        loop = asyncio.get_running_loop()
        _, following = await loop.create_connection(lambda: _Following(stream, self._failed), HOST, stream.port)
        await following.opened.wait()
        return following

    async def _connect(self, port: int) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self._failed), HOST, port)
        return connection

    def _post_all(self) -> None:
        self._due.extend(range(len(self._load.requests)))
        self._all_due = True
        asyncio.get_running_loop().call_later(self._load.seconds, self._due.clear)
        while self._idle and self._due:
            self._post(self._idle.popleft(), self._due.popleft())

    async def _post_at(self, rate: float, began_at: float) -> None:
        for number in range(len(self._load.requests)):
            wanted = began_at + number / rate
            await asyncio.sleep(max(0, wanted - time.monotonic()))
            self._posted_at[number] = time.monotonic()
            self._latest = max(self._latest, self._posted_at[number] - wanted)
            if self._over.done():
                break
            if self._idle:
                self._post(self._idle.popleft(), number)
            else:
                self._due.append(number)
        self._all_due = True
        self._end_if_done()

    def _post(self, connection: _Connection, number: int) -> None:
        self._under_way += 1
        if isnan(self._posted_at[number]):
            self._posted_at[number] = time.monotonic()
        connection.ask(self._load.requests[number], lambda _: self._answered(connection, number))
        if number in self._load.glances:
            self._glances.append(asyncio.create_task(self._glance(number, self._load.glances[number])))

    def _answered(self, connection: _Connection, number: int) -> None:
        self._answered_at[number] = time.monotonic()
        self._under_way -= 1
        if self._due:
            self._post(connection, self._due.popleft())
        else:
            self._idle.append(connection)
            self._end_if_done()

    async def _glance(self, number: int, glance: Glance) -> None:
        connection, answer = await self._connect(glance.port), b""
        # What is not seen in time is missing in the outcome.
        with suppress(TimeoutError):
            async with asyncio.timeout(_GLANCE_SECONDS):
                while glance.sign not in answer:
                    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
                    connection.ask(glance.request, answered.set_result)
                    answer = await answered
                self._glanced_at[number] = time.monotonic()
        connection.close()

    def _end_if_done(self) -> None:
        if self._all_due and not self._under_way and not self._over.done():
            self._over.set_result(None)

    def _failed(self, error: Exception) -> None:
        if not self._over.done():
            self._over.set_exception(error)


async def _run(load: Load) -> Outcome:
    return await _Generator(load).run()


if __name__ == "__main__":
    wanted: Load = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
    # Nothing here refers to itself, and a pause of the collector would be taken for one of the server.
    gc.disable()
    # Not to its output: of many megabytes that a busy reader takes from a pipe, a piece was lost now and then.
    Path(sys.argv[1]).write_bytes(pickle.dumps(uvloop.run(_run(wanted))))
