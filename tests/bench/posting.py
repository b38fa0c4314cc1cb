"""What the load generator is asked for, and what it tells; the generator itself is `tests.bench.generator`."""

import asyncio
import pickle
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Final

from deploy.processes import REPOSITORY

_START_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of server-sent events to be followed until so many of them bear the mark, or the time is over."""

    port: int
    request: bytes
    mark: bytes
    count: int
    seconds: float
    """How long to follow it after the last request was answered."""


@dataclass(frozen=True, slots=True)
class Glance:
    """A request to be asked over and over until the answer bears the sign."""

    port: int
    request: bytes
    sign: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be posted: whole HTTP/1.1 requests, until `seconds` are over or none is left."""

    port: int
    requests: Sequence[bytes]
    connections: int
    seconds: float
    rate: float | None = None
    """Requests a second; without it, each connection posts as soon as its last request is answered."""
    stream: Stream | None = None
    glances: Mapping[int, Glance] = field(default_factory=dict)
    """What to look at from the moment when a request, told by its place, is posted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; times are those of the machine's monotonic clock, in the order of the requests."""

    began_at: float
    ended_at: float
    """When the last request was answered."""
    posted_at: list[float]
    """Just before a request was written, or began to wait for a free connection; NaN for what was not posted."""
    answered_at: list[float]
    told: list[tuple[float, bytes]]
    """The data of the stream's events as they came."""
    glanced_at: dict[int, float]
    cpu_seconds: float
    """What this process spent from the first request until the last event that it waited for."""
    busy_seconds: float
    """How long that was."""
    latest: float
    """By how many seconds a request was posted later than the rate wanted, at the most."""

    @property
    def answered(self) -> int:
        return sum(not isnan(at) for at in self.answered_at)

    @property
    def waits(self) -> list[float]:
        """Seconds from each post to its answer."""
        return [then - at for at, then in zip(self.posted_at, self.answered_at, strict=True) if not isnan(then)]


async def generate(load: Load) -> Outcome:
    """Let a process of its own do it; raises `RuntimeError` when it fails, `TimeoutError` when it hangs."""
    with tempfile.TemporaryDirectory(prefix="outcome-") as folder:
        path = Path(folder) / "outcome"
        generator = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.generator", path), cwd=REPOSITORY, stdin=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(load.seconds + (load.stream.seconds if load.stream else 0) + _START_SECONDS):
                await generator.communicate(pickle.dumps(load))
        finally:
            if generator.returncode is None:
                generator.kill()
                await generator.wait()
        if generator.returncode:
            raise RuntimeError("the load generator failed")
        outcome: Outcome = pickle.loads(path.read_bytes())  # noqa: S301 - from our own child
        return outcome
