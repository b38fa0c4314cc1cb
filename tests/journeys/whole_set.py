"""The whole set, on ports of its own and the broker that the environment chooses."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.plan import free_ports
from deploy.local.running import Kind, RunningSet, running_set
from tests.support.waiting import until

LISTENERS = ("conversation", "routing", "metrics", "privacy")
"""The services that hear events, and so may have dead letters."""

_HASTE = {"GATEWAY_REQUESTS_PER_MINUTE_AND_KEY": "30000"}
"""Whoever waits for something asks for it over and over."""


@asynccontextmanager
async def whole_set(root: Path, environment: Mapping[str, str] | None = None) -> AsyncIterator[RunningSet]:
    """Everything with data and logs under `root`; with an Apache Kafka of its own if `BALCAO_TEST_BROKER` says so."""
    kafka: Kind = "apache" if os.environ.get("BALCAO_TEST_BROKER") == "apache" else "embedded"
    async with running_set(
        root, free_ports().base, kafka=kafka, environment={**_HASTE, **(environment or {})}
    ) as running:
        yield running


async def pid_of(running: RunningSet, name: str) -> int:
    """The number of one of its processes, as soon as it lives."""

    async def look() -> int:
        return running.pids().get(name, 0)

    return await until(look)


async def kill(running: RunningSet, victim: str) -> None:
    """`kill -9` one of its processes, as soon as it lives."""
    await pid_of(running, victim)
    running.kill(victim)
