"""The whole set, on ports of its own and the broker that the environment chooses."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.plan import free_ports
from deploy.local.running import Kind, RunningSet, running_set

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
