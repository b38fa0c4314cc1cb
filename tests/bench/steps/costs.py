"""What the processes cost by themselves: memory, and the gateway's passage."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.bench.chains import Passage, bare_passage
from tests.bench.figures import Figure, Target, latency
from tests.bench.machine import cpu_seconds, peak_megabytes, resident_megabytes
from tests.bench.posting import Load
from tests.bench.setting import Setting

_READS: Final = 2_000
_READERS: Final = 4
_IDLE_SECONDS: Final = 3
_SECONDS: Final = 60


async def idle_memory(setting: Setting) -> list[Figure]:
    """Of a set that was just started and has nothing to do."""
    await asyncio.sleep(_IDLE_SECONDS)
    return list(_memory("memory-idle", "idle", resident_megabytes(setting.whole.python), Target(150)))


async def peak_memory(setting: Setting) -> list[Figure]:
    """Of all that was done in this run."""
    return list(_memory("memory-peak", "at its peak", peak_megabytes(setting.whole.python), None))


async def passage(setting: Setting) -> list[Figure]:
    """Read a small resource of another service through the gateway, over and over on the same connections.

    What the gateway does anyway, asked for nothing, is measured before and left out. The bare passage is asked for the
    same afterwards, and stops.
    """
    path = f"/queues/{setting.running.demo['tenant_id']}"
    gateway = Passage(setting.gateway_port, setting.whole.python["gateway"])
    ours = await _passed(gateway, setting.get(f"/v1{path}"), setting)
    async with bare_passage(setting.running, "routing") as passage:
        bare = await _passed(passage, setting.get(path, past_gateway_to="routing"), setting)
    figures = ours.figures("passage", "gateway's own CPU on a proxied read", Target(0.4))
    return [
        *(replace(figure, bare=f"bare-{figure.name}") for figure in figures),
        *bare.figures("bare-passage", "bare passage's CPU on the same read", None),
    ]


@dataclass(frozen=True, slots=True)
class _Passed:
    """What reads cost whom they were asked of."""

    own: float
    """CPU seconds a read."""
    idle: float
    """CPU seconds a second without one."""
    rate: float
    waits: Sequence[float]

    def figures(self, name: str, what: str, target: Target | None) -> Iterator[Figure]:
        yield Figure(f"{name}-cpu", what, self.own * 1000, "ms", target)
        yield Figure(f"{name}-idle", "its CPU when it is asked for nothing", self.idle * 1000, "ms/s")
        yield Figure(f"{name}-rate", f"reads by {_READERS} clients", self.rate, "/s")
        yield from latency(name, "read", self.waits, {50: None, 99: None})


async def _passed(passage: Passage, read: bytes, setting: Setting) -> _Passed:
    def spent() -> float:
        return cpu_seconds({"passage": passage.process})["passage"]

    await setting.generate(Load(passage.port, [read] * (_READS // 4), _READERS, _SECONDS))
    before = spent()
    await asyncio.sleep(_IDLE_SECONDS)
    idle = (spent() - before) / _IDLE_SECONDS
    before = spent()
    outcome = await setting.generate(Load(passage.port, [read] * _READS, _READERS, _SECONDS))
    seconds = outcome.ended_at - outcome.began_at
    return _Passed((spent() - before - idle * seconds) / _READS, idle, _READS / seconds, outcome.waits)


def _memory(name: str, when: str, megabytes: Mapping[str, float], target: Target | None) -> Iterator[Figure]:
    yield Figure(name, f"memory of the largest process, {when}", max(megabytes.values()), "MB", target)
    for process, size in megabytes.items():
        yield Figure(f"{name}-{process}", process, size, "MB")
