"""The whole set starts with a demo tenant at work, and finds its data when it starts again."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.plan import free_ports
from deploy.local.running import RunningSet, running_set
from deploy.processes import PROCESSES
from tests.support.waiting import until


@pytest.mark.journey
async def test_a_second_start_finds_the_demo_tenant_of_the_first_and_its_agents_at_work(tmp_path: Path) -> None:
    base = free_ports().base
    async with running_set(tmp_path, base) as running:
        first = running.demo
        assert set(running.pids()) == {"postgres", "broker", "simulator", *PROCESSES}
        async with httpx.AsyncClient(timeout=10) as client:
            for process in PROCESSES:
                assert (await client.get(f"{running.ports.url(process)}/ready")).is_success
            for agent in running.demo["agents"]:
                path = f"{running.gateway_url}/v1/agents/{agent['id']}/presence"
                headers = {"Authorization": f"Bearer {agent['key']}"}
                assert (await client.put(path, json={"status": "offline"}, headers=headers)).is_success
    async with running_set(tmp_path, base) as running:
        assert running.demo == first
        await _an_agent_serves_who_writes(running)
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600


async def _an_agent_serves_who_writes(running: RunningSet) -> None:
    """From the simulated customer to an agent, and the agent's answer to the simulated provider."""
    agents = {agent["id"]: agent for agent in running.demo["agents"]}
    async with (
        httpx.AsyncClient(base_url=running.simulator_url, timeout=10) as simulator,
        httpx.AsyncClient(base_url=running.gateway_url, timeout=10) as gateway,
    ):
        message = {"from": "5511970000042", "text": "Vocês abrem amanhã?"}
        number = running.demo["channels"]["whatsapp"]["phone_number_id"]
        written = await simulator.post("/customers/messages", json={"phone_number_id": number, "messages": [message]})
        assert written.status_code == 202

        async def assigned() -> list[dict[str, Any]]:
            admin = {"Authorization": f"Bearer {running.demo['admin_key']}"}
            items: list[dict[str, Any]] = (await gateway.get("/v1/conversations", headers=admin)).json()["items"]
            return [one for one in items if one["assignee_id"] in agents]

        (conversation,) = await until(assigned)
        agent = agents[conversation["assignee_id"]]
        login = await gateway.post("/v1/auth/tokens", json={name: agent[name] for name in ("email", "password")})
        answered = await gateway.post(
            f"/v1/conversations/{conversation['id']}/messages",
            json={"text": "Abrimos às 7 h."},
            headers={"Authorization": f"Bearer {login.json()['access_token']}"},
        )
        assert answered.status_code == 201, answered.text

        async def sent() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = (await simulator.get("/ledger/sends")).json()["items"]
            return items

        (send,) = await until(sent)
        assert (send["to"], send["text"]) == ("5511970000042", "Abrimos às 7 h.")
