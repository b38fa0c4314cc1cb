"""How large a body may be, how long its sender may take, and how much of all bodies is held at once."""

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from shared.http.problems import RequestTimeout, TooLarge, Unavailable

BODY_BYTES: Final = 512 * 1024
"""What the body of a request may have where nothing else is said."""
BODY_SECONDS: Final = 20
"""How long a sender may take for a whole body."""
HELD_BYTES: Final = 128 * 1024 * 1024
"""What unfinished large bodies may have together, for nobody knows yet whether their senders may send at all."""

_SMALL_BYTES: Final = 64 * 1024
_SWALLOWED_BYTES: Final = 20 * 1024 * 1024
_CLOSE: Final = {"Connection": "close"}


class Bodies:
    """The bodies that one process is taking in."""

    def __init__(self, *, held: int = HELD_BYTES, seconds: float = BODY_SECONDS) -> None:
        self._free = held
        self._seconds = seconds

    def bounded(self, receive: Receive, limit: int) -> "BoundedBody":
        """What `receive` gives; it raises `TooLarge`, `RequestTimeout`, or `Unavailable` when too much is held."""
        return BoundedBody(self, receive, limit, self._seconds)

    def take(self, size: int) -> None:
        if size > self._free:
            raise Unavailable("Too much is being taken in just now.", headers=_CLOSE)
        self._free -= size

    def give_back(self, size: int) -> None:
        self._free += size


class BoundedBody:
    """A body on its way; to be closed when its request is over."""

    def __init__(self, bodies: Bodies, receive: Receive, limit: int, seconds: float) -> None:
        self._bodies = bodies
        self._receive = receive
        self._limit = limit
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._whole = False
        self._read = self._held = 0

    async def __call__(self) -> Message:
        if self._whole:
            # What comes now is only whether the caller is still there.
            return await self._receive()
        message = await self._next()
        # Who is cut off while he still sends does not get to read the answer: so some of what is too much is swallowed.
        while self._limit < self._read <= _SWALLOWED_BYTES and not self._whole:
            message = await self._next()
        if self._read > self._limit:
            raise TooLarge(f"A body may have {self._limit} bytes here.", headers=_CLOSE)
        self._hold(max(0, self._read - _SMALL_BYTES))
        return message

    def close(self) -> None:
        self._bodies.give_back(self._held)
        self._held = 0

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout("The body did not come in time.", headers=_CLOSE) from None
        self._read += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message

    def _hold(self, size: int) -> None:
        self._bodies.take(size - self._held)
        self._held = size


async def whole(receive: Receive) -> bytes:
    """All of a body; raises `ClientDisconnect` when its sender goes before the end."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)
