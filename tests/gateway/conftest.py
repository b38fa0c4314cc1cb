"""A gateway that runs with no service behind it, and tenants that come to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from gateway.app import service
from gateway.handlers import Entrance
from gateway.passwords import Passwords
from gateway.routes import SERVICES
from gateway.settings import Settings
from tests.gateway.businesses import Business, CountingHasher, Founds, Opens
from tests.support.machine import CALLER_PRIVATE_KEY, BrokerAddress, Machine
from tests.support.serving import Served, serving
from tests.support.waiting import until

PLATFORM_KEY = "blc_platform_for_tests_only"


@pytest.fixture(scope="module")
def opens(machine: Machine, broker_address: BrokerAddress) -> Opens:
    @asynccontextmanager
    async def open_(**changes: Any) -> AsyncIterator[Served]:
        values = {
            "caller_private_key": CALLER_PRIVATE_KEY,
            "platform_key": PLATFORM_KEY,
            "services": dict.fromkeys(SERVICES, "http://127.0.0.1:9"),
            "key_memory": 0.01,
            "refusals_per_minute_and_address": 10_000,
            "runs": "api",
        }
        settings = machine.settings(Settings, "gateway", broker_address, **values | changes)
        async with serving(service, settings) as served:
            entrance: Entrance = served.app.state.entrance
            hasher = CountingHasher()
            served.app.state.hasher = hasher
            served.app.state.entrance = replace(entrance, passwords=await Passwords.ready(hasher))
            # A first contact with the broker that is cut off leaves half a connection behind.
            await until(lambda: served.stranger.get("/ready"), lambda answer: answer.status_code == 200)
            yield served

    return open_


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def at_gateway(opens: Opens) -> AsyncIterator[Served]:
    async with opens() as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def founds(machine: Machine) -> AsyncIterator[Founds]:
    """Founds businesses, none of which knows of another."""
    database = machine.database("gateway")

    async def found(served: Served) -> Business:
        tenant = {
            "name": "Padaria do Largo",
            "slug": f"t-{uuid4().hex}",
            "country": "BR",
            "time_zone": "America/Sao_Paulo",
            "locale": "pt-BR",
            "legal_regime": "lgpd",
            "role": "controller",
        }
        answer = await served.bearer(PLATFORM_KEY).post("/v1/tenants", json=tenant)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return Business(served, database, UUID(made["id"]), made["slug"], served.bearer(made["admin_key"]["key"]))

    yield found
    await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def business(at_gateway: Served, founds: Founds) -> Business:
    return await founds(at_gateway)
