"""The six applications in one process behind their gateway, each with all its parts, on one Postgres and one broker."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import httpx
from argon2 import PasswordHasher

from deploy.processes import PROCESSES
from gateway.passwords import Passwords
from gateway.proxy import Proxy
from gateway.routes import SERVICES as BEHIND
from shared.http import ContextSigner, Passage
from tests.support.machine import CALLER_PRIVATE_KEY, BrokerAddress, Machine
from tests.support.services import SERVICES
from tests.support.serving import Served, serving
from tests.support.waiting import until

PLATFORM_KEY = "blc_platform_for_tests_only"

# Six consumers in one process that ask all the time would leave it no time for anything else.
_CALM = {"fetch_max_wait_ms": 100}
# Nobody is turned away for coming often, and nothing is asked of who is not there.
_OWN: dict[str, dict[str, Any]] = {
    "gateway": {
        "caller_private_key": CALLER_PRIVATE_KEY,
        "platform_key": PLATFORM_KEY,
        "services": dict.fromkeys(BEHIND, "http://127.0.0.1:9"),
        "requests_per_minute_and_key": 1_000_000,
        "requests_per_minute_and_tenant": 1_000_000,
        "public_requests_per_minute_and_address": 1_000_000,
        "refusals_per_minute_and_address": 1_000_000,
    },
    "ingest": {
        "whatsapp_url": "http://127.0.0.1:9",
        "chat_sessions_per_minute": 1_000_000,
        "chat_messages_per_minute": 1_000_000,
    },
}


@dataclass(frozen=True)
class House:
    """The six that run, and the way in."""

    processes: dict[str, Served]

    @property
    def stranger(self) -> httpx.AsyncClient:
        """Asks the gateway without saying who."""
        return self.processes["gateway"].stranger

    def bearer(self, shown: str) -> httpx.AsyncClient:
        """Asks the gateway with a key or token."""
        return self.processes["gateway"].bearer(shown)

    async def found(self, name: str) -> dict[str, Any]:
        """A new tenant of this name as the gateway shows it, its first key with it."""
        tenant = {
            "name": name,
            "slug": f"t-{uuid4().hex}",
            "country": "BR",
            "time_zone": "America/Sao_Paulo",
            "locale": "pt-BR",
            "legal_regime": "lgpd",
            "role": "controller",
        }
        answer = await self.bearer(PLATFORM_KEY).post("/v1/tenants", json=tenant)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


@asynccontextmanager
async def whole_house(machine: Machine, broker: BrokerAddress) -> AsyncIterator[House]:
    """All of it, until the block ends; what `machine` held before is forgotten."""
    for process in PROCESSES:
        await machine.empty(process)
    async with AsyncExitStack() as stack:
        processes = {}
        for name in PROCESSES:
            settings = machine.settings(SERVICES[name].settings, name, broker, **_CALM, **_OWN.get(name, {}))
            processes[name] = await stack.enter_async_context(serving(SERVICES[name], settings))
        await _open_doors(processes)
        for served in processes.values():
            await until(lambda: served.stranger.get("/ready"), lambda answer: answer.status_code == 200)  # noqa: B023
        yield House(processes)


async def _open_doors(processes: dict[str, Served]) -> None:
    """Lead the gateway to the others in memory, and let it hash passwords as cheaply as it gets."""
    state = processes["gateway"].app.state
    passages = {name: Passage("http://service", processes[name].transport) for name in BEHIND}
    state.proxy = Proxy(passages, state.desk.callers, ContextSigner(CALLER_PRIVATE_KEY))
    cheap = await Passwords.ready(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    state.entrance = replace(state.entrance, passwords=cheap)
