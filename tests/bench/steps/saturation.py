"""How much a chain can do, and what a message costs then: Balcão's, and the bare one while Balcão stands still."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from statistics import fmean
from typing import Final, Self

from tests.bench.chains import SERVERS, Chain, connected, python_of, quiet
from tests.bench.figures import Figure, Target
from tests.bench.history import Template, copy_history
from tests.bench.machine import cpu_seconds, going_on, standing_still
from tests.bench.setting import CUSTOMERS, Setting, a_moment_ago, answer_of, since_now
from tests.support.waiting import until

STORED_FIRST: Final = 10_000
STORED_LATER: Final = 1_000_000
SECONDS: Final = 7
ROUNDS: Final = 2
"""Of each chain, in turn: the machine is faster at one moment than at the next."""
MOST_PER_SECOND: Final = 5_000
WARM_MESSAGES: Final = 2_000
"""Until whoever stood still hears again as before."""

_ALONE_SECONDS: Final = 4
"""Shorter than what the broker waits for a listener that says nothing."""
_WARM_BARE: Final = 5_000
_DRAIN_SECONDS: Final = 120
_COPIED_MESSAGES: Final = 50
_COPIED_SENDER: Final = "5521000000000"


@dataclass(frozen=True, slots=True)
class Saturation:
    """What a chain reached."""

    done: float
    """Messages a second, from the first webhook until everyone was done with the last one."""
    acknowledged: float
    """Webhooks a second while they were posted."""
    stored: float
    """Messages that were stored a second meanwhile."""
    cost: Mapping[str, float]
    """Microseconds of CPU a message, by process."""

    @classmethod
    def mean(cls, rounds: Sequence[Self]) -> Self:
        """What was reached in rounds of the same length, taken together."""
        return cls(
            done=fmean(one.done for one in rounds),
            acknowledged=fmean(one.acknowledged for one in rounds),
            stored=fmean(one.stored for one in rounds),
            cost={name: fmean(one.cost[name] for one in rounds) for name in rounds[0].cost},
        )

    def figures(self, name: str, what: str) -> Iterator[Figure]:
        """Beside those of the bare chain, whose names are the same behind "bare"."""
        least, most = Target(0.4, at_least=True, of_bare=True), Target(3, of_bare=True)
        python = python_of(self.cost)
        total = sum(self.cost.values())

        def figure(kind: str, told: str, value: float, unit: str, target: Target | None = None) -> Figure:
            return Figure(f"{name}-{kind}", told, value, unit, target, f"bare-{name}-{kind}")

        yield figure("sustained", f"sustained end to end, {what}", self.done, "/s", least)
        yield figure("acknowledged", "webhooks acknowledged meanwhile", self.acknowledged, "/s")
        yield figure("stored", "messages stored meanwhile", self.stored, "/s")
        yield figure("python", f"Python CPU a message, {what}", python, "µs", most)
        yield from (figure(one, one, cost, "µs") for one, cost in self.cost.items() if one not in SERVERS)
        yield figure("total", f"CPU a message with Postgres and broker, {what}", total, "µs", Target(2000))
        yield from (figure(server, server, self.cost[server], "µs") for server in SERVERS)


async def warm_up(setting: Setting) -> list[Figure]:
    """Open the customers' conversations, store the first messages, and warm the broker."""
    await fill(setting.whole, setting, STORED_FIRST)
    await quiet(setting.admin_url, within=_DRAIN_SECONDS)
    with standing_still(setting.whole.python.values()), going_on(setting.bare.python.values()):
        await fill(setting.bare, setting, _WARM_BARE)
    await fill(setting.whole, setting, 1)
    await quiet(setting.admin_url, within=_DRAIN_SECONDS)
    return []


async def sustained(setting: Setting) -> list[Figure]:
    """After the first ten thousand messages."""
    return await _beside_bare(setting, "first", f"{STORED_FIRST:,} stored")


async def alone(setting: Setting) -> list[Figure]:
    """Let ingest and the servers alone work, and everyone else afterwards; then the same of the bare chain."""
    ours, caught_up = await _alone(setting.whole, setting)
    await quiet(setting.admin_url, within=_DRAIN_SECONDS)
    with standing_still(setting.whole.python.values()), going_on(setting.bare.python.values()):
        bare, _ = await _alone(setting.bare, setting)
    what = "webhooks acknowledged durable by one ingest, the others standing still"
    return [
        Figure("alone-acknowledged", what, ours, "/s", Target(2000, at_least=True), "bare-alone-acknowledged"),
        Figure("bare-alone-acknowledged", f"bare: {what}", bare, "/s"),
        Figure("alone-caught-up", "until the others had caught up", caught_up, "s"),
    ]


async def _alone(chain: Chain, setting: Setting) -> tuple[float, float]:
    """Webhooks acknowledged a second by ingest alone, and the seconds until the others had caught up."""
    await fill(chain, setting, WARM_MESSAGES)
    texts, since = setting.texts(islice(cycle(CUSTOMERS), MOST_PER_SECOND * _ALONE_SECONDS)), since_now()
    with standing_still(pid for name, pid in chain.python.items() if name != "ingest"):
        outcome = await setting.post(chain, texts, seconds=_ALONE_SECONDS)
    caught_up_at = await chain.done(outcome.answered, since, within=_DRAIN_SECONDS)
    return outcome.answered / (outcome.ended_at - outcome.began_at), caught_up_at - outcome.ended_at


async def million(setting: Setting) -> list[Figure]:
    """Saturate again over a long history."""
    template = await _conversation_to_copy(setting)
    began = time.monotonic()
    await copy_history(template, STORED_LATER // _COPIED_MESSAGES, setting.admin_url)
    took = time.monotonic() - began
    await fill(setting.whole, setting, WARM_MESSAGES)
    await quiet(setting.admin_url, within=_DRAIN_SECONDS)
    return [
        *await _beside_bare(setting, "later", f"{STORED_LATER:,} stored"),
        Figure("later-seeding", "storing them by COPY took", took, "s"),
    ]


def growth(figures: Sequence[Figure]) -> Iterator[Figure]:
    """By how much a message grew dearer with the history, where both were measured.

    The bare chain was given none to grow with: by as much as it grew dearer, the machine grew slower meanwhile.
    """
    values = {figure.name: figure.value for figure in figures}
    if "first-python" not in values or "later-python" not in values:
        return
    what = f"Python CPU a message, from {STORED_FIRST:,} to {STORED_LATER:,} stored"
    for kind, told, target in (
        ("python", what, Target(1.15, of_bare=True)),
        *((server, server, None) for server in SERVERS),
    ):
        for chain in ("", "bare-"):
            ratio = values[f"{chain}later-{kind}"] / values[f"{chain}first-{kind}"]
            yield Figure(f"{chain}growth-{kind}", told, ratio, "×", *(() if chain else (target, f"bare-growth-{kind}")))


async def _beside_bare(setting: Setting, name: str, what: str) -> list[Figure]:
    """Balcão and then, while it stands still, the bare chain, in turn: for the machine's speed varies."""
    rounds = [await _round(setting) for _ in range(ROUNDS)]
    reached, possible = (Saturation.mean(chain) for chain in zip(*rounds, strict=True))
    limits = (replace(figure, target=None, bare=None) for figure in possible.figures(f"bare-{name}", f"bare, {what}"))
    return [*reached.figures(name, what), *limits]


async def _round(setting: Setting) -> tuple[Saturation, Saturation]:
    whole, bare = setting.whole, setting.bare
    reached = await _saturated(whole, setting)
    await quiet(setting.admin_url, within=_DRAIN_SECONDS)
    with standing_still(whole.python.values()), going_on(bare.python.values()):
        await fill(bare, setting, WARM_MESSAGES)
        possible = await _saturated(bare, setting)
    # Its listeners come back when the broker lets them.
    await fill(whole, setting, WARM_MESSAGES)
    await quiet(setting.admin_url, within=_DRAIN_SECONDS)
    return reached, possible


async def fill(chain: Chain, setting: Setting, count: int) -> None:
    """Post so many messages, and wait until everyone is done with them."""
    texts, since = setting.texts(islice(cycle(CUSTOMERS), count)), since_now()
    await setting.post(chain, texts, seconds=_DRAIN_SECONDS)
    await chain.done(count, since, within=_DRAIN_SECONDS)


async def _saturated(chain: Chain, setting: Setting) -> Saturation:
    """Post as much as can be, and wait until everyone has done his part."""
    texts = setting.texts(islice(cycle(CUSTOMERS), MOST_PER_SECOND * SECONDS))
    since, before = since_now(), cpu_seconds(chain.processes)
    outcome = await setting.post(chain, texts, seconds=SECONDS)
    stored = await chain.stored_since(since)
    done_at = await chain.done(outcome.answered, since, within=_DRAIN_SECONDS)
    posting = outcome.ended_at - outcome.began_at
    return Saturation(
        done=outcome.answered / (done_at - outcome.began_at),
        acknowledged=outcome.answered / posting,
        stored=stored / posting,
        cost=chain.cost(before, outcome.answered),
    )


async def _conversation_to_copy(setting: Setting) -> Template:
    """One that was begun, assigned and resolved, and of which nothing is left to be done."""
    await quiet(setting.admin_url, within=_DRAIN_SECONDS)
    # Nothing else was made in the second in which it begins.
    await asyncio.sleep(1)
    began_at, since = a_moment_ago(), since_now()
    texts = setting.texts([_COPIED_SENDER] * _COPIED_MESSAGES)
    await setting.post(setting.whole, texts, seconds=SECONDS, connections=1)
    await setting.whole.done(len(texts), since, within=_DRAIN_SECONDS)
    ids = await setting.conversations_of([_COPIED_SENDER])
    async with setting.api() as client:
        path = f"/v1/conversations/{ids[_COPIED_SENDER]}"
        await until(lambda: answer_of(client.get(path)), lambda shown: bool(shown["assignee_id"]))
        await answer_of(client.patch(path, json={"status": "resolved"}))
    await quiet(setting.admin_url, within=_DRAIN_SECONDS)
    # Else its copies would be overdue.
    async with connected(setting.admin_url, "balcao_metrics") as connection:
        query = "SELECT due_at IS NULL FROM measured_conversations WHERE conversation_id = $1::text::uuid"
        await until(lambda: connection.fetchval(query, ids[_COPIED_SENDER]), seconds=_DRAIN_SECONDS)
    return Template(began_at, _COPIED_SENDER)
