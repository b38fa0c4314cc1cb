"""From the broker into the handlers: sets in order, what cannot be read set aside, nothing lost when members change."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY
from sqlalchemy import func, select, text

from services.conversation.app import service as conversation
from services.conversation.settings import Settings
from shared.bus import Consumer, Poison, Publisher
from shared.bus.consumer import Hears
from shared.db import Database, DeadLetter, Job, UnitOfWork, Waiting
from shared.events import Event, Record
from shared.events.conversation import ContactAdded
from shared.events.ingest import Content, MessageEdited, MessageReceived, MessageRevoked
from shared.ids import new_id
from shared.settings import ServiceSettings
from tests.support.consuming import consuming
from tests.support.events import as_record, message_received
from tests.support.machine import BrokerAddress, Machine
from tests.support.outbox import said
from tests.support.server import administering, away
from tests.support.serving import serving
from tests.support.waiting import until

pytestmark = pytest.mark.kafka


class Heard(Job):
    """What each event leaves behind."""

    type = "test.heard"


class Ear:
    """Hears for many tests at once, each under a tenant of its own, which may have its events fail."""

    def __init__(self, machine: Machine, broker: BrokerAddress) -> None:
        self.machine = machine
        self.settings = machine.settings(ServiceSettings, "conversation", broker, fuse_in_a_row=1000, fuse_share=1)
        self.database = machine.database("conversation")
        self.publisher = Publisher(broker.servers, idempotent=self.settings.broker_idempotent)
        self.fails: dict[UUID, Callable[[Any], Exception | None]] = {}
        self.heard: dict[UUID, list[str]] = defaultdict(list)
        self.sets: dict[UUID, list[tuple[str, int]]] = defaultdict(list)
        self.transactions: dict[UUID, set[int]] = defaultdict(set)
        self.hears: Hears = {
            MessageReceived: [self.hear],
            MessageEdited: [self.hear_changes],
            MessageRevoked: [self.hear_changes],
        }

    async def hear(self, events: Sequence[Any], uow: UnitOfWork) -> None:
        transaction = (await uow.session.execute(text("SELECT pg_current_xact_id()::text::bigint"))).scalar_one()
        mine: dict[UUID, list[Any]] = defaultdict(list)
        for event in events:
            if failure := self.fails.get(event.tenant_id, lambda _: None)(event):
                raise failure
            mine[event.tenant_id].append(event)
        for tenant_id, own in mine.items():
            self.sets[tenant_id].append((own[0].type.split(".")[1], len(own)))
            self.transactions[tenant_id].add(transaction)
            self.heard[tenant_id] += [event.provider_message_id for event in own]
            for event in own:
                job = Heard(tenant_id=tenant_id)
                uow.schedule(job, key=f"{tenant_id}|{event.envelope.id}", due_at=uow.now + timedelta(days=1))

    async def hear_changes(self, events: Sequence[Any], uow: UnitOfWork) -> None:
        await self.hear(events, uow)

    async def publish(self, *events: Event | Record) -> None:
        await self.publisher.publish([as_record(event) for event in events])

    async def until_heard(self, event: MessageReceived) -> None:
        async def heard() -> bool:
            return event.provider_message_id in self.heard[event.tenant_id]

        await until(heard)

    async def settled(self, tenant_id: UUID) -> int:
        """How much of it has taken effect for good."""
        async with self.database.unit_of_work([tenant_id]) as uow:
            query = select(func.count()).select_from(Waiting).where(Waiting.key.like(f"{tenant_id}%"))
            return (await uow.session.execute(query)).scalar_one()

    async def letters(self, tenant_id: UUID) -> Sequence[DeadLetter]:
        async with self.database.unit_of_work([tenant_id]) as uow:
            return (await uow.session.scalars(select(DeadLetter).where(DeadLetter.tenant_id == tenant_id))).all()


def about(message: MessageReceived) -> dict[str, Any]:
    return {name: getattr(message, name) for name in MessageRevoked.model_fields}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ear(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Ear]:
    await machine.empty("conversation")
    ear = Ear(machine, broker_address)
    async with consuming(Consumer("ear", ear.hears, ear.database, ear.settings)):
        await ear.publish(first := message_received(new_id()))
        await ear.until_heard(first)
        yield ear
    await ear.publisher.close()
    await ear.database.close()


async def test_what_is_polled_together_is_heard_in_sets_in_order_and_in_one_transaction(
    ear: Ear, tenant_id: UUID
) -> None:
    first, second, last = (message_received(tenant_id, number=number) for number in range(3))
    edited = MessageEdited(**about(first), content=Content(type="text"))
    await ear.publish(first, second, edited, edited, MessageRevoked(**about(second)), last)
    await ear.until_heard(last)
    # What has the same handlers is one set, of whatever types it is.
    assert ear.sets[tenant_id] == [
        ("message-received", 2),
        ("message-edited", 3),
        ("message-received", 1),
    ]
    assert len(ear.transactions[tenant_id]) == 1


async def test_what_comes_again_beside_what_is_new_takes_no_effect(ear: Ear, tenant_id: UUID) -> None:
    old, new, last = (as_record(message_received(tenant_id, number=number)) for number in range(3))
    await ear.publish(old)
    await until(lambda: ear.settled(tenant_id), lambda settled: settled == 1)
    await ear.publish(old, new, new, old, last)
    await until(lambda: ear.settled(tenant_id), lambda settled: settled == 3)
    assert not await ear.letters(tenant_id)


async def test_a_record_that_cannot_be_read_is_set_aside_whole_and_the_next_one_passes(
    ear: Ear, tenant_id: UUID
) -> None:
    good = as_record(message_received(tenant_id))
    await ear.publish(
        good._replace(data=b'{"colour":"blue"}', personal=None), last := message_received(tenant_id, number=1)
    )
    await ear.until_heard(last)
    assert ear.heard[tenant_id] == [last.provider_message_id]
    (letter,) = await ear.letters(tenant_id)
    assert letter.reason.startswith("ingest.message-received.v1: ")
    assert "blue" not in letter.reason
    assert (letter.data, letter.personal) == (b"", b'{"data":{"colour":"blue"}}')


async def test_a_record_that_is_no_event_at_all_is_set_aside_once(ear: Ear, tenant_id: UUID) -> None:
    last = message_received(tenant_id)
    await ear.publish(Record("ingest.events", last.key, {}, data=str(tenant_id).encode(), personal=None), last)
    await ear.until_heard(last)
    async with administering(ear.machine, "conversation") as admin:
        ownerless = await admin.fetch("SELECT reason, personal FROM dead_letters WHERE tenant_id IS NULL")
    assert ("no event", b'{"data":%s}' % str(tenant_id).encode()) in {tuple(row) for row in ownerless}


async def test_an_event_of_a_type_of_tomorrow_is_passed_over(ear: Ear, tenant_id: UUID) -> None:
    good = as_record(message_received(tenant_id))
    unheard = [{"ce_type": "ingest.message-sung.v1"}, {"ce_type": "ingest.message-received.v2"}]
    await ear.publish(*(good._replace(headers=good.headers | changes) for changes in unheard))
    await ear.publish(last := message_received(tenant_id, number=1))
    await ear.until_heard(last)
    assert ear.heard[tenant_id] == [last.provider_message_id]
    assert not await ear.letters(tenant_id)


async def test_what_died_is_not_buried_again_when_it_comes_again(ear: Ear, tenant_id: UUID) -> None:
    ear.fails[tenant_id] = lambda event: Poison("never") if event.content.text == "text 0" else None
    poison = as_record(message_received(tenant_id))
    await ear.publish(poison, poison)
    await ear.publish(poison, last := message_received(tenant_id, number=1))
    await ear.until_heard(last)
    assert len(await ear.letters(tenant_id)) == 1


async def test_while_the_database_is_away_events_wait(ear: Ear, tenant_id: UUID) -> None:
    said = [message_received(tenant_id, number=number) for number in range(5)]
    async with away(ear.machine, "conversation"):
        await ear.publish(*said)
        await asyncio.sleep(0.3)
        assert not ear.heard[tenant_id]
    await ear.until_heard(said[-1])
    assert ear.heard[tenant_id] == [event.provider_message_id for event in said]
    assert not await ear.letters(tenant_id)


async def test_a_dead_letter_is_listed_without_its_content_and_can_be_replayed(
    ear: Ear, broker_address: BrokerAddress, tenant_id: UUID
) -> None:
    ear.fails[tenant_id] = lambda event: Poison("not yet") if event.content.text == "text 0" else None
    settings = ear.machine.settings(Settings, "conversation", broker_address, runs="api")
    good = as_record(message_received(tenant_id))
    await ear.publish(good, as_record(message_received(tenant_id))._replace(data=b"{}"))
    await ear.publish(last := message_received(tenant_id, number=1))
    await ear.until_heard(last)
    async with serving(conversation, settings) as service:
        operator = service.caller(tenant_id)
        listed = (await operator.get("/dead-letters")).json()["items"]
        assert [letter["reason"] for letter in listed] == ["not yet", listed[1]["reason"]]
        assert "text 0" not in str(listed)
        assert (await service.caller(new_id()).get("/dead-letters")).json()["items"] == []
        curable, hopeless = (f"/dead-letters/{letter['id']}/replays" for letter in listed)

        assert (await service.caller(new_id()).post(curable)).status_code == 404
        assert (await service.caller(tenant_id, ["operations:read"]).post(curable)).status_code == 403
        assert (await operator.post(curable)).status_code == 204
        assert (await operator.post(curable)).status_code == 404
        assert (await operator.post(hopeless)).json()["type"] == "/problems/still-dead"
        assert len((await operator.get("/dead-letters")).json()["items"]) == 1
        (opened,) = (await operator.get("/conversations")).json()["items"]
        assert opened["message_count"] == 1


class Member:
    """One of a group: says again what it hears."""

    def __init__(self, database: Database, settings: ServiceSettings) -> None:
        self.consumer = Consumer("group", {ContactAdded: [self.repeat]}, database, settings)
        self.heard = 0

    async def repeat(self, events: Sequence[ContactAdded], uow: UnitOfWork) -> None:
        for event in events:
            uow.emit(event.model_copy())
        self.heard += len(events)


async def test_members_who_come_and_go_lose_and_double_nothing(ear: Ear, machine: Machine, tenant_id: UUID) -> None:
    await machine.empty("metrics")
    database = machine.database("metrics")
    first, second = (Member(database, ear.settings) for _ in range(2))
    contacts = [new_id() for _ in range(12)]
    number = 0

    async def say_until(condition: Callable[[], bool]) -> None:
        nonlocal number
        async with asyncio.timeout(30):
            while not condition():
                # What is said in the place of a channel is but a number.
                told = {"tenant_id": tenant_id, "channel_id": UUID(int=number)}
                await ear.publish(*(ContactAdded(contact_id=contact, **told) for contact in contacts))
                number += 1
                await asyncio.sleep(0.05)

    async with consuming(first.consumer):
        async with consuming(second.consumer):
            await say_until(lambda: bool(first.heard and second.heard))
            shared = places(first.consumer) | places(second.consumer)
        alone = first.heard
        await say_until(lambda: first.heard > alone and places(first.consumer) == shared)
        await until(lambda: said(database, tenant_id), lambda events: len(events) >= number * len(contacts))
    for contact in contacts:
        own = [event.channel_id.int for event in await said(database, tenant_id) if event.contact_id == contact]
        assert own == list(range(number))
    await database.close()


def places(member: Consumer) -> set[Any]:
    """The partitions that a member reads."""
    kafka = member._kafka
    return set(kafka.assignment()) if kafka is not None else set()


async def test_how_long_events_took_and_what_died_is_measured(ear: Ear, tenant_id: UUID) -> None:
    async def measured() -> tuple[float, float]:
        took = REGISTRY.get_sample_value("balcao_event_seconds_count", {"type": MessageReceived.type})
        return took or 0, REGISTRY.get_sample_value("balcao_dead_letters_total") or 0

    ear.fails[tenant_id] = lambda event: Poison("never") if event.content.text == "text 0" else None
    took, died = await measured()
    await ear.publish(message_received(tenant_id), message_received(tenant_id, number=1))
    await until(measured, lambda now: now == (took + 1, died + 1))
