"""What the processes cost by themselves: memory, and the gateway's passage."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final

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

    What the gateway does anyway, asked for nothing, is measured before and left out.
    """
    read = setting.get(f"/v1/queues/{setting.running.demo['tenant_id']}")
    await setting.generate(Load(setting.gateway_port, [read] * (_READS // 4), _READERS, _SECONDS))
    before = _gateway_seconds(setting)
    await asyncio.sleep(_IDLE_SECONDS)
    idle = (_gateway_seconds(setting) - before) / _IDLE_SECONDS
    before = _gateway_seconds(setting)
    outcome = await setting.generate(Load(setting.gateway_port, [read] * _READS, _READERS, _SECONDS))
    seconds = outcome.ended_at - outcome.began_at
    own = _gateway_seconds(setting) - before - idle * seconds
    return [
        Figure("passage-cpu", "gateway's own CPU on a proxied read", own / _READS * 1000, "ms", Target(0.4)),
        Figure("passage-idle", "its CPU when it is asked for nothing", idle * 1000, "ms/s"),
        Figure("passage-rate", f"reads by {_READERS} clients", _READS / seconds, "/s"),
        *latency("passage", "read", outcome.waits, {50: None, 99: None}),
    ]


def _gateway_seconds(setting: Setting) -> float:
    return cpu_seconds({"gateway": setting.whole.python["gateway"]})["gateway"]


def _memory(name: str, when: str, megabytes: Mapping[str, float], target: Target | None) -> Iterator[Figure]:
    yield Figure(name, f"memory of the largest process, {when}", max(megabytes.values()), "MB", target)
    for process, size in megabytes.items():
        yield Figure(f"{name}-{process}", process, size, "MB")
