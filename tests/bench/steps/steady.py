"""What both chains do at a rate far below what they can: where waiting and waking cost more than work."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import Final

from tests.bench.chains import Chain, quiet
from tests.bench.figures import Figure, latency
from tests.bench.machine import cpu_seconds, going_on, standing_still, waited_seconds
from tests.bench.setting import CUSTOMERS, Setting, since_now

RATES: Final = (200, 500)
SECONDS: Final = 8

_WARM_MESSAGES: Final = 500
_DRAIN_SECONDS: Final = 60
_PERCENTS: Final = {50: None, 99: None}


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How a chain keeps up with a rate."""

    acknowledged: Sequence[float]
    """Seconds from each post to its answer."""
    stored: Sequence[float]
    """The same until the history began to take it in, as the id tells that it has there."""
    cost: Mapping[str, float]
    """Microseconds of CPU a message, by process."""
    waited: float
    """Milliseconds a message that threads of the chain were ready and had no core."""
    heard: Sequence[float] = ()
    """Seconds until a listener heard of it, where the chain tells that."""

    def figures(self, name: str, what: str) -> Iterator[Figure]:
        yield from latency(f"{name}-acknowledged", f"webhook acknowledged, {what}", self.acknowledged, _PERCENTS)
        yield from latency(f"{name}-stored", f"inbound → being stored, {what}", self.stored, _PERCENTS)
        if self.heard:
            yield from latency(f"{name}-heard", f"inbound → heard by a listener, {what}", self.heard, _PERCENTS)
        yield Figure(f"{name}-total", f"CPU a message with Postgres and broker, {what}", sum(self.cost.values()), "µs")
        yield Figure(f"{name}-waited", f"ready and without a core, a message, {what}", self.waited, "ms")


async def steady(setting: Setting) -> list[Figure]:
    """Hold each rate on Balcão, and then on the bare chain, while the other one stands still."""
    figures: list[Figure] = []
    for rate in RATES:
        name, what = f"steady-{rate}", f"at {rate}/s"
        ours = await _held(setting.whole, rate, setting)
        await quiet(setting.admin_url, within=_DRAIN_SECONDS)
        with standing_still(setting.whole.python.values()), going_on(setting.bare.python.values()):
            bare = await _held(setting.bare, rate, setting)
        figures += [replace(figure, bare=f"bare-{figure.name}") for figure in ours.figures(name, what)]
        figures += bare.figures(f"bare-{name}", f"bare, {what}")
    await _listening(setting.whole, setting)
    return figures


async def _held(chain: Chain, rate: int, setting: Setting) -> Steadiness:
    await _listening(chain, setting)
    texts = setting.texts(islice(cycle(CUSTOMERS), rate * SECONDS))
    pids = chain.processes.values()
    since, before, waited_before = since_now(), cpu_seconds(chain.processes), waited_seconds(pids)
    outcome = await setting.post(chain, texts, seconds=SECONDS, rate=rate)
    cost = chain.cost(before, len(texts))
    waited = (waited_seconds(pids) - waited_before) / len(texts) * 1000
    await chain.done(len(texts), since, within=_DRAIN_SECONDS)
    made_at, wall = await chain.made_since(since), time.time() - time.monotonic()
    heard_at = await chain.heard_since(since)
    posted = {one.id: at + wall for one, at in zip(texts, outcome.posted_at, strict=True)}
    return Steadiness(
        outcome.waits,
        [made_at[id_] - at for id_, at in posted.items()],
        cost,
        waited,
        [heard_at[id_] - at for id_, at in posted.items() if id_ in heard_at],
    )


async def _listening(chain: Chain, setting: Setting) -> None:
    """Everyone hears again, after the chain stood still."""
    texts, since = setting.texts(islice(cycle(CUSTOMERS), _WARM_MESSAGES)), since_now()
    await setting.post(chain, texts, seconds=_DRAIN_SECONDS)
    await chain.done(len(texts), since, within=_DRAIN_SECONDS)
    await asyncio.sleep(1)
