"""Bodies come in time, are no larger than they may be, and together hold no more than there is room for."""

import asyncio
from collections.abc import Sequence

import pytest
from starlette.types import Message

from shared.http import TooLarge, Unavailable
from shared.http.bodies import Bodies, BoundedBody
from shared.http.problems import RequestTimeout

LARGE = b"x" * 100_000


class Sender:
    """Sends parts of a body, then nothing; whether it stays is not told."""

    def __init__(self, parts: Sequence[bytes], *, ends: bool = True) -> None:
        self._parts = list(parts)
        self._ends = ends

    async def __call__(self) -> Message:
        if not self._parts:
            await asyncio.Event().wait()
        part = self._parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(self._parts) or not self._ends}


async def read(body: BoundedBody) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await body()
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)


async def test_a_body_comes_through_as_it_is() -> None:
    body = Bodies().bounded(Sender([b"a", b"b", LARGE]), 200_000)
    assert await read(body) == b"ab" + LARGE


async def test_a_sender_who_stops_in_the_midst_is_not_waited_for() -> None:
    body = Bodies(seconds=0.05).bounded(Sender([b"a"], ends=False), 100)
    with pytest.raises(RequestTimeout):
        await read(body)


async def test_who_has_sent_all_is_waited_for_as_long_as_he_stays() -> None:
    body = Bodies(seconds=0.01).bounded(Sender([b"a"]), 100)
    await read(body)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(body(), 0.05)


async def test_a_body_is_no_larger_than_it_may_be() -> None:
    body = Bodies().bounded(Sender([LARGE, LARGE, b"end"]), 150_000)
    with pytest.raises(TooLarge):
        await read(body)


async def test_large_bodies_share_what_room_there_is_and_small_ones_always_pass() -> None:
    bodies = Bodies(held=100_000)
    first = bodies.bounded(Sender([LARGE, LARGE], ends=False), 1_000_000)
    await first()
    second, small = bodies.bounded(Sender([LARGE, LARGE]), 1_000_000), bodies.bounded(Sender([b"small"]), 100)
    with pytest.raises(Unavailable):
        await read(second)
    second.close()
    assert await read(small) == b"small"
    first.close()
    assert await read(bodies.bounded(Sender([LARGE]), 1_000_000)) == LARGE
