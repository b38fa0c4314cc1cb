"""Privacy's registers: who is known, under which law, and who may look, whatever is heard twice, late or early."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio

from services.privacy.app import service
from services.privacy.settings import Settings
from shared.db import Database
from shared.events.conversation import ContactAdded
from shared.events.gateway import ApiKeyChanged, TenantChanged
from shared.ids import new_id
from tests.support.events import NOON
from tests.support.hearing import hear
from tests.support.machine import BrokerAddress, Machine
from tests.support.serving import Served, serving


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Served]:
    async with serving(service, machine.settings(Settings, "privacy", broker_address, runs="api")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(machine: Machine) -> AsyncIterator[Database]:
    database = machine.database("privacy")
    yield database
    await database.close()


def tenant(tenant_id: UUID, version: int = 1, **changes: Any) -> TenantChanged:
    fields: dict[str, Any] = {
        "name": "Padaria",
        "slug": "padaria",
        "country": "BR",
        "time_zone": "America/Sao_Paulo",
        "locale": "pt-BR",
        "legal_regime": "lgpd",
        "role": "controller",
        "version": version,
        "changed_at": NOON,
    }
    return TenantChanged(tenant_id=tenant_id, **fields | changes)


def key(tenant_id: UUID, api_key_id: UUID, **changes: Any) -> ApiKeyChanged:
    fields: dict[str, Any] = {"label": "CRM", "role": "agent", "scopes": ["contacts:read"], "created_at": NOON}
    return ApiKeyChanged(tenant_id=tenant_id, api_key_id=api_key_id, **fields | changes)


async def grants(served: Served, tenant_id: UUID) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await served.caller(tenant_id).get("/privacy/access-grants")).json()["items"]
    return found


async def test_the_register_tells_the_law_and_how_many_persons_are_known(
    served: Served, database: Database, tenant_id: UUID
) -> None:
    people = [ContactAdded(tenant_id=tenant_id, contact_id=new_id()) for _ in range(3)]
    await hear(service, database, *people)
    assert (await served.caller(tenant_id).get("/privacy/register")).status_code == 404
    await hear(service, database, tenant(tenant_id))
    await hear(service, database, people[0], people[0], ContactAdded(tenant_id=new_id(), contact_id=new_id()))
    assert (await served.caller(tenant_id).get("/privacy/register")).json() == {
        "legal_regime": "lgpd",
        "role": "controller",
        "country": "BR",
        "time_zone": "America/Sao_Paulo",
        "subject_count": 3,
    }


async def test_of_a_tenant_the_newest_version_holds(served: Served, database: Database, tenant_id: UUID) -> None:
    await hear(service, database, tenant(tenant_id, 2, time_zone="Europe/Lisbon"), tenant(tenant_id, 1))
    await hear(service, database, tenant(tenant_id, 1))
    register = (await served.caller(tenant_id).get("/privacy/register")).json()
    assert register["time_zone"] == "Europe/Lisbon"


async def test_who_may_look_is_listed_with_what_he_may_and_since_when(
    served: Served, database: Database, tenant_id: UUID
) -> None:
    ids = sorted(new_id() for _ in range(3))
    keys = [key(tenant_id, id_, expires_at=NOON + timedelta(days=1)) for id_ in ids]
    await hear(service, database, *keys, key(new_id(), new_id()))
    found = await grants(served, tenant_id)
    assert [grant["api_key_id"] for grant in found] == [str(id_) for id_ in ids]
    assert found[0] == {
        "api_key_id": str(ids[0]),
        "label": "CRM",
        "role": "agent",
        "scopes": ["contacts:read"],
        "granted_at": "2026-11-20T12:00:00Z",
        "expires_at": "2026-11-21T12:00:00Z",
        "revoked_at": None,
    }


async def test_what_was_revoked_stays_revoked(served: Served, database: Database, tenant_id: UUID) -> None:
    id_ = new_id()
    granted = key(tenant_id, id_)
    revoked = key(tenant_id, id_, revoked_at=NOON + timedelta(hours=1))
    again = key(tenant_id, id_, revoked_at=NOON + timedelta(hours=2))
    for heard in ([granted, revoked], [granted], [again], [revoked, granted]):
        await hear(service, database, *heard)
        (grant,) = await grants(served, tenant_id)
        assert grant["revoked_at"] == "2026-11-20T13:00:00Z"


async def test_only_who_serves_privacy_reads_its_registers(served: Served, tenant_id: UUID) -> None:
    agent = served.caller(tenant_id, ["contacts:read", "conversations:read"])
    for path in ("/privacy/register", "/privacy/access-grants"):
        assert (await agent.get(path)).status_code == 403
