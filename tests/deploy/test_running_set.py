"""The whole set starts, and finds its data when it starts again."""

from pathlib import Path

import httpx
import pytest

from deploy.local.plan import free_ports
from deploy.local.running import running_set
from deploy.processes import PROCESSES


@pytest.mark.journey
async def test_a_second_start_finds_the_demo_tenant_of_the_first(tmp_path: Path) -> None:
    base = free_ports().base
    async with running_set(tmp_path, base) as running:
        first = running.demo
        assert set(running.pids()) == {"postgres", "broker", *PROCESSES}
        async with httpx.AsyncClient(timeout=10) as client:
            for process in PROCESSES:
                assert (await client.get(f"{running.ports.url(process)}/ready")).is_success
    async with running_set(tmp_path, base) as running:
        assert running.demo == first
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
