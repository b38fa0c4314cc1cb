"""What happens is counted once, on its channel and on its day as the tenant's clock tells it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from services.metrics.app import service
from services.metrics.domain import Metric
from services.metrics.settings import Settings
from shared.db import Database
from shared.events.gateway import TenantChanged
from shared.ids import new_id
from tests.support.conversations import Conversation
from tests.support.events import NOON
from tests.support.hearing import hear
from tests.support.machine import BrokerAddress, Machine
from tests.support.serving import Served, serving

MIDNIGHT_IN_SAO_PAULO = (datetime(2026, 11, 21, 3, tzinfo=UTC) - NOON).total_seconds()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Served]:
    async with serving(service, machine.settings(Settings, "metrics", broker_address, runs="api")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(machine: Machine) -> AsyncIterator[Database]:
    database = machine.database("metrics")
    yield database
    await database.close()


def tenant(tenant_id: UUID, time_zone: str, version: int = 1) -> TenantChanged:
    fields = {"name": "Padaria", "slug": "padaria", "country": "BR", "locale": "pt-BR", "legal_regime": "lgpd"}
    told = fields | {"role": "controller", "changed_at": NOON}
    return TenantChanged(tenant_id=tenant_id, time_zone=time_zone, version=version, **told)


async def figures(served: Served, tenant_id: UUID, metric: str = "messages-received", **query: Any) -> dict[str, int]:
    answer = await served.caller(tenant_id).get(f"/metrics/{metric}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["definition"].endswith(".")
    return {item["group"]: item["count"] for item in answer.json()["items"]}


async def test_each_thing_is_counted_under_its_name(served: Served, database: Database, tenant_id: UUID) -> None:
    one = Conversation(tenant_id)
    messages = [one.message(1), one.message(2, "outbound"), one.message(3), one.message(4)]
    events = [one.opened(0), *messages, one.resolved(5), one.reopened(6), one.resolved(7)]
    await hear(service, database, *events)
    assert {metric.value: (await figures(served, tenant_id, metric))[None] for metric in Metric} == {  # type: ignore[index]
        "messages-received": 3,
        "messages-sent": 1,
        "conversations-opened": 1,
        "conversations-reopened": 1,
        "conversations-resolved": 2,
    }


async def test_what_is_heard_again_is_not_counted_again(served: Served, database: Database, tenant_id: UUID) -> None:
    message = Conversation(tenant_id).message(1)
    await hear(service, database, message, message)
    await hear(service, database, message)
    assert list((await figures(served, tenant_id)).values()) == [1]


async def test_a_channel_has_its_own_figure(served: Served, database: Database, tenant_id: UUID) -> None:
    one, other = Conversation(tenant_id), Conversation(tenant_id)
    await hear(service, database, one.message(1), other.message(2), other.message(3))
    assert await figures(served, tenant_id, group_by="channel") == {str(one.channel_id): 1, str(other.channel_id): 2}


@pytest.mark.parametrize(
    ("time_zone", "days"),
    [
        ("America/Sao_Paulo", {"2026-11-20": 1, "2026-11-21": 2}),
        ("Europe/Lisbon", {"2026-11-21": 3}),
    ],
)
async def test_a_day_is_the_tenants(
    served: Served, database: Database, tenant_id: UUID, time_zone: str, days: dict[str, int]
) -> None:
    one = Conversation(tenant_id)
    await hear(service, database, *(one.message(MIDNIGHT_IN_SAO_PAULO + seconds) for seconds in (-1, 0, 1)))
    await hear(service, database, tenant(tenant_id, time_zone))
    assert await figures(served, tenant_id, group_by="day") == days


async def test_of_a_tenants_time_zone_the_newest_version_holds(
    served: Served, database: Database, tenant_id: UUID
) -> None:
    await hear(service, database, tenant(tenant_id, "Europe/Lisbon", 3), tenant(tenant_id, "Asia/Tokyo", 2))
    await hear(service, database, tenant(tenant_id, "America/Sao_Paulo", 1))
    await hear(service, database, Conversation(tenant_id).message(MIDNIGHT_IN_SAO_PAULO - 1))
    assert await figures(served, tenant_id, group_by="day") == {"2026-11-21": 1}


async def test_a_span_begins_with_its_first_moment_and_ends_before_its_last(
    served: Served, database: Database, tenant_id: UUID
) -> None:
    one = Conversation(tenant_id)
    await hear(service, database, *(one.message(seconds) for seconds in range(10)))
    span = {"from": "2026-11-20T12:00:02Z", "to": "2026-11-20T09:00:05-03:00"}
    assert list((await figures(served, tenant_id, **span)).values()) == [3]


async def test_nothing_is_counted_for_another_tenant(served: Served, database: Database, tenant_id: UUID) -> None:
    await hear(service, database, Conversation(tenant_id).message(1))
    assert await figures(served, new_id()) == {}


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("tears-shed", {}, "path:name"),
        ("messages-sent", {"from": "2026-11-20T12:00:00"}, "query:from"),
        ("messages-sent", {"to": "0001-01-01T00:00:00+14:00"}, "query:to"),
        ("messages-sent", {"group_by": "mood"}, "query:group_by"),
    ],
)
async def test_a_question_that_has_no_answer_is_refused(
    served: Served, path: str, query: dict[str, str], pointer: str
) -> None:
    answer = await served.caller(new_id()).get(f"/metrics/{path}", params=query)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
