"""The stream in one gateway process: what it reads, who is connected, and until when each may be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, Final

from gateway.limits import Places
from gateway.realtime.repeats import DISTANCE
from gateway.realtime.ring import Ring
from gateway.realtime.shown import SHOWN, TOPICS_READ
from gateway.realtime.stream import Stream
from gateway.settings import Settings
from shared.bus import Beginning, Tail
from shared.db import is_outage
from shared.http import Caller, Forbidden, Unauthorized, Unavailable

READY_SECONDS: Final = 5
"""How long a client waits while a gateway that has just begun reads up to the present."""
RETRY_SECONDS: Final = 2
"""When a client that was cut off should come back."""

_STRANGERS_OF_ONE: Final = 20
_STRANGERS: Final = 1_000

Knows = Callable[[str], Awaitable[Caller]]
"""Who holds a key or token, as of now; raises `Unauthorized`. It does not count as a request."""


class Realtime:
    """Reads all topics for as long as it runs, and shows each client what it may see of them."""

    def __init__(self, settings: Settings, knows: Knows) -> None:
        self._settings = settings
        self._knows = knows
        self._tenants = Places(settings.streams_per_tenant, settings.streams)
        self._strangers = Places(_STRANGERS_OF_ONE, _STRANGERS)
        self._open = 0
        self._watched: dict[tuple[str, Caller], set[Stream]] = {}
        self._ring = Ring(
            most=settings.stream_events, most_bytes=settings.stream_bytes, seconds=settings.stream_seconds
        )

    async def run(self) -> None:
        """Read until cancelled, and look after the streams that are open."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read())
            group.create_task(self._recheck())

    async def _read(self) -> None:
        tail = Tail(
            TOPICS_READ,
            self._settings,
            client="balcao-gateway-realtime",
            seconds=self._settings.stream_seconds,
            # The ring is filled from all places: of a single one it does not need as much as it may hold.
            most=self._settings.stream_events // 8,
            before=DISTANCE,
        )
        async with aclosing(tail.read()) as pieces:
            async for piece in pieces:
                if isinstance(piece, Beginning):
                    self._ring.begin(piece)
                else:
                    self._ring.take(piece)

    @property
    def heartbeat(self) -> float:
        return self._settings.stream_heartbeat

    @contextmanager
    def stranger(self, address: str) -> Iterator[None]:
        """While somebody is connected who has yet to say who he is; raises `TooManyRequests`."""
        self._strangers.take(address)
        try:
            yield
        finally:
            self._strangers.leave(address)

    @asynccontextmanager
    async def opened(self, caller: Caller, shown: str, after: str | None) -> AsyncIterator[Stream]:
        """A stream for `caller`, known by the key or token `shown`, from after a position on, or from now.

        Raises `Forbidden` for a caller who may see none of it, `TooManyRequests` when his tenant has too many streams,
        and `Unavailable` when the process has, or has not yet read up to the present.
        """
        if caller.scopes.isdisjoint(SHOWN.values()):
            raise Forbidden(f"One of the scopes {', '.join(sorted(set(SHOWN.values())))} is needed.")
        if self._open >= self._settings.streams:
            raise Unavailable("Too many streams are open here.", retry_after=RETRY_SECONDS)
        self._tenants.take(caller.tenant_id)
        self._open += 1
        try:
            await self._caught_up()
            stream = Stream(self._ring, caller, after)
            watched = self._watched.setdefault((shown, caller), set())
            watched.add(stream)
            try:
                yield stream
            finally:
                stream.close()
                watched.remove(stream)
                if not watched:
                    self._watched.pop((shown, caller), None)
        finally:
            self._open -= 1
            self._tenants.leave(caller.tenant_id)

    async def _recheck(self) -> None:
        """End the streams whose key or token opens nothing any more, or not the same as before."""
        while True:
            await asyncio.sleep(self._settings.stream_recheck)
            for (shown, caller), streams in list(self._watched.items()):
                if not await self._still(shown, caller):
                    for stream in streams:
                        stream.ended.set()

    async def _still(self, shown: str, caller: Caller) -> bool:
        try:
            return await self._knows(shown) == caller
        except Unauthorized:
            return False
        except Exception as error:
            # Nobody is shut out because the database is away.
            if not is_outage(error):
                raise
            return True

    async def _caught_up(self) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._ring.ready.wait()
        except TimeoutError:
            raise Unavailable("The stream has not yet come to the present.", retry_after=RETRY_SECONDS) from None


async def first_of(*works: Coroutine[Any, Any, object]) -> None:
    """Do all of these until the first one ends; the others are cancelled. Raises what that one raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
