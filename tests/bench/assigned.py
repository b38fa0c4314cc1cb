"""How long it takes, at a given rate, from a customer's first message until the stream says that an agent has it.

`python -m tests.bench.assigned [messages a second]` starts the whole set, on Apache Kafka where there are Java and
Maven, gives it agents enough, and lets a new customer write each time: every message begins a conversation.
"""

import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.local.plan import free_ports
from deploy.local.running import Kind, RunningSet, running_set
from shared.http import outgoing_client
from tests.support.whatsapp import WhatsApp, text

SECONDS: Final = 20
AGENTS: Final = 40
CAPACITY: Final = 100
_DRAIN_SECONDS: Final = 30
_ROOM: Final = {"GATEWAY_REQUESTS_PER_MINUTE_AND_KEY": "60000"}


async def main(rate: int) -> None:
    kafka: Kind = "apache" if shutil.which("java") and shutil.which("mvn") else "embedded"
    with tempfile.TemporaryDirectory(prefix="balcao-bench-", ignore_cleanup_errors=True) as folder:
        async with running_set(Path(folder), free_ports().base, kafka=kafka, environment=_ROOM) as running:
            await _more_agents(running)
            await measure(running, rate, kafka)


async def measure(running: RunningSet, rate: int, kafka: Kind) -> None:
    """Print what was seen; times are from just before a message is posted, acknowledged webhooks included."""
    posted: dict[str, float] = {}
    shown: dict[str, float] = {}
    assigned: dict[str, float] = {}
    acknowledged: list[float] = []
    async with outgoing_client() as client, asyncio.TaskGroup() as group:
        watching = group.create_task(_watch(running, shown, assigned))
        await asyncio.sleep(1)
        whatsapp = WhatsApp(running.demo["channels"]["whatsapp"], client)

        async def write(number: int) -> None:
            one = text(str(5511_000_000_000 + number))
            posted[one.id] = time.monotonic()
            await whatsapp.deliver(one)
            acknowledged.append(time.monotonic() - posted[one.id])

        began = time.monotonic()
        for number in range(rate * SECONDS):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            group.create_task(write(number))
        deadline = time.monotonic() + _DRAIN_SECONDS
        while len(assigned) < len(posted) and time.monotonic() < deadline:  # noqa: ASYNC110 - told by another task
            await asyncio.sleep(0.1)
        watching.cancel()
    waits = {id_: assigned[id_] - posted[id_] for id_ in posted if id_ in assigned}
    told = [f"on {kafka}, {rate} new conversations/s for {SECONDS} s: {len(waits)} of {len(posted)} assigned"]
    for name, times in (
        ("webhook acknowledged", acknowledged),
        ("message on the stream", [shown[id_] - posted[id_] for id_ in posted if id_ in shown]),
        ("assigned, on the stream", list(waits.values())),
    ):
        told.append(f"  {name:25} p50 {_at(times, 50):6.0f} ms   p99 {_at(times, 99):6.0f} ms")
    print("\n".join(told))  # noqa: T201 - what this program is for


async def _watch(running: RunningSet, shown: dict[str, float], assigned: dict[str, float]) -> None:
    """When each text was first shown, and when its conversation was first said to be assigned."""
    texts: dict[str, str] = {}
    waiting: dict[str, float] = {}
    headers = {"Authorization": f"Bearer {running.demo['admin_key']}"}
    async with (
        httpx.AsyncClient(base_url=running.gateway_url, headers=headers, timeout=None) as client,  # noqa: S113 - it lasts
        client.stream("GET", "/v1/events") as stream,
    ):
        async for line in stream.aiter_lines():
            if not line.startswith("data: {"):
                continue
            now, data = time.monotonic(), json.loads(line.removeprefix("data: "))["data"]
            conversation_id = data.get("conversation_id")
            if "assigned_at" in data:
                waiting.setdefault(conversation_id, now)
            elif data.get("direction") == "inbound":
                texts[conversation_id] = data["text"].rpartition(" ")[2]
                shown.setdefault(texts[conversation_id], now)
            if conversation_id in texts and conversation_id in waiting:
                assigned.setdefault(texts[conversation_id], waiting[conversation_id])


async def _more_agents(running: RunningSet) -> None:
    """As many as can take all that comes, online and accepting by themselves."""
    headers = {"Authorization": f"Bearer {running.demo['admin_key']}"}
    async with httpx.AsyncClient(base_url=running.gateway_url, headers=headers, timeout=20) as client:
        made = [
            await _done(await client.post("/v1/users", json={**_AGENT, "email": f"agent{number}@bench.example"}))
            for number in range(AGENTS)
        ]
        wanted, known = {user["id"] for user in made}, set[str]()
        while not wanted <= known:
            await asyncio.sleep(0.1)
            listed = await _done(await client.get("/v1/agents", params={"limit": 200}))
            known = {agent["id"] for agent in listed["items"]}
        for id_ in wanted:
            await _done(await client.patch(f"/v1/agents/{id_}", json={"auto_accept": True, "capacity": CAPACITY}))
            await _done(await client.put(f"/v1/agents/{id_}/presence", json={"status": "online"}))


_AGENT: Final[Mapping[str, Any]] = {"name": "Agent", "role": "agent"}


async def _done(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        raise RuntimeError(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}")
    told: dict[str, Any] = answer.json() if answer.content else {}
    return told


def _at(times: list[float], percent: int) -> float:
    """A percentile, in milliseconds."""
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)] * 1000 if times else float("nan")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
