"""The provider's side of a journey: what customers write, posted twice and in any order, and what was sent to them."""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import httpx

from tests.support.whatsapp import Text, WhatsApp


@dataclass
class Posted:
    """When each message was first posted and first acknowledged, by the machine's monotonic clock."""

    posted_at: dict[str, float] = field(default_factory=dict)
    acknowledged_at: dict[str, float] = field(default_factory=dict)

    async def deliver(self, batch: Sequence[Text], whatsapp: WhatsApp, *, within: float = 30) -> None:
        """Post a batch until it is acknowledged; raises `AssertionError` after `within` s."""
        _note(batch, self.posted_at)
        await whatsapp.deliver(*batch, within=within)
        _note(batch, self.acknowledged_at)

    def misplaced(self, in_turn: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Of ids in their order of arrival: what stands before another that was durable before it was posted."""
        for earlier, later in combinations(in_turn, 2):
            if self.acknowledged_at[later] <= self.posted_at[earlier]:
                yield earlier, later


def batches(texts: Sequence[Text], choice: random.Random) -> Iterator[Sequence[Text]]:
    """Each text twice, in any order, one to ten at a time."""
    twice = [*texts, *texts]
    choice.shuffle(twice)
    while twice:
        size = choice.randint(1, 10)
        batch, twice = twice[:size], twice[size:]
        yield batch


async def ledger(simulator: httpx.AsyncClient) -> list[dict[str, Any]]:
    """All that the provider accepted, in the order in which it did."""
    sends: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = (await simulator.get("/ledger/sends", params={"after": after, "limit": 200})).json()
        sends += page["items"]
        after = page["next_after"]
    return sends


def _note(batch: Iterable[Text], moments: dict[str, float]) -> None:
    for one in batch:
        moments.setdefault(one.id, time.monotonic())
