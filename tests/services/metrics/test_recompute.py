"""All figures can be computed anew from the facts, and come out the same."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import delete, update

from deploy.recompute import main, recompute, run, told
from services.metrics import store
from services.metrics.app import service
from services.metrics.handlers import AT_ONCE
from services.metrics.models import Measure
from shared.db import Database
from shared.events import Event
from shared.ids import new_id
from tests.services.metrics.stories import AFTERNOONS, Story, hours, measure, measured, tenant
from tests.support.hearing import hear
from tests.support.machine import Machine


@pytest.fixture(autouse=True)
async def _nothing_else(machine: Machine) -> None:
    await machine.empty("metrics")


def day(one: Story, start: float) -> list[Event]:
    return [
        *(one.opened(start), one.wrote(start), one.queued(start), one.assigned(start + 60), one.replied(start + 90)),
        *(one.wrote(start + 200), one.replied(start + 300), one.resolved_as(start + 400, "bread")),
    ]


async def lived(database: Database, tenant_id: UUID, conversations: int) -> list[Story]:
    stories = [Story(tenant_id) for _ in range(conversations)]
    await hear(service, database, tenant(tenant_id), hours(tenant_id, AFTERNOONS))
    await hear(service, database, *(event for place, one in enumerate(stories) for event in day(one, place * 60)))
    await measure(database)
    return stories


async def test_they_come_out_the_same(machine: Machine, database: Database, tenant_id: UUID) -> None:
    await lived(database, tenant_id, AT_ONCE + 5)
    before = await measured(database, tenant_id)
    came_out = await recompute(machine.url("metrics"))
    assert (came_out.conversations, came_out.measures, came_out.different) == (AT_ONCE + 5, len(before), 0)
    assert await measured(database, tenant_id) == before


async def test_also_while_events_go_on_arriving(machine: Machine, database: Database, tenant_id: UUID) -> None:
    stories = await lived(database, tenant_id, 30)
    ended = asyncio.Event()

    async def go_on() -> None:
        for place, one in enumerate(stories):
            await hear(service, database, one.wrote(10_000 + place), one.reopened(10_001 + place))
            await hear(service, database, one.replied(10_100 + place))
        ended.set()

    going_on = asyncio.create_task(go_on())
    while not ended.is_set():
        assert (await recompute(machine.url("metrics"))).different == 0
    await going_on
    await measure(database)
    before = await measured(database, tenant_id)
    assert sum(one.metric == "first-reply-time" for one in before) == 60
    assert (await recompute(machine.url("metrics"))).different == 0
    assert await measured(database, tenant_id) == before


async def test_what_was_not_as_the_facts_say_is_told_and_put_right(
    machine: Machine, database: Database, tenant_id: UUID
) -> None:
    one, other, *_ = await lived(database, tenant_id, 4)
    before = await measured(database, tenant_id)
    async with database.unit_of_work([tenant_id]) as uow:
        of_one = Measure.conversation_id == one.conversation_id
        await uow.session.execute(update(Measure).where(of_one).values(business_seconds=1))
        await uow.session.execute(delete(Measure).where(Measure.conversation_id == other.conversation_id))
    assert (await recompute(machine.url("metrics"))).different == 2
    assert await measured(database, tenant_id) == before


async def test_what_cannot_be_measured_is_named_and_keeps_no_other_from_it(
    machine: Machine, database: Database, tenant_id: UUID
) -> None:
    one, *_ = await lived(database, tenant_id, 3)
    before = await measured(database, tenant_id)
    spoilt = Story(new_id())
    await hear(service, database, *day(spoilt, 0), hours(spoilt.tenant_id, {"monday": [{"start": "nine", "end": ""}]}))
    async with database.unit_of_work([tenant_id]) as uow:
        await uow.session.execute(delete(Measure).where(Measure.conversation_id == one.conversation_id))
    came_out = await recompute(machine.url("metrics"))
    assert (came_out.conversations, came_out.different) == (4, 1)
    assert came_out.unmeasurable == ((spoilt.tenant_id, spoilt.conversation_id),)
    assert told(came_out).splitlines()[1:] == [
        "1 conversations could not be measured:",
        f"conversation {spoilt.conversation_id} of tenant {spoilt.tenant_id}",
    ]
    assert await measured(database, tenant_id) == before
    with pytest.raises(SystemExit, match="1"):
        await asyncio.to_thread(run, machine.url("metrics"))


async def test_so_many_facts_are_read_at_once_and_no_more(database: Database, tenant_id: UUID) -> None:
    await lived(database, tenant_id, 5)
    sizes: list[int] = []
    for most in (7, 16, 24, 1000):
        async with database.unit_of_work([tenant_id]) as uow:
            sizes.append(len(await store.next_conversations(tenant_id, None, uow.session, most=4, facts=most)))
    assert sizes == [1, 2, 3, 4]


async def test_the_command_says_how_it_came_out(
    machine: Machine,
    database: Database,
    tenant_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await lived(database, tenant_id, 1)
    monkeypatch.setenv("METRICS_DATABASE_URL", machine.url("metrics"))
    await asyncio.to_thread(main)
    assert capsys.readouterr().out == (
        "8 measures of 1 conversations were computed anew from the facts;"
        " 0 conversations came out different from before\n"
    )


def test_without_a_database_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METRICS_DATABASE_URL", raising=False)
    with pytest.raises(SystemExit, match="METRICS_DATABASE_URL not set"):
        main()


async def test_what_is_not_measured_yet_is_not_different(machine: Machine, database: Database, tenant_id: UUID) -> None:
    one, *_ = await lived(database, tenant_id, 3)
    await hear(service, database, one.reopened(500), one.replied(600))
    assert (await recompute(machine.url("metrics"))).different == 0
    await hear(service, database, hours(tenant_id, {}, 2))
    assert (await recompute(machine.url("metrics"))).different == 0
