"""A client of the broker that has died without a word: it is noticed, replaced, and leaves nothing behind."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.fetch import FetchRequest
from prometheus_client import REGISTRY

from shared.bus import Consumer, Publisher, consumer
from shared.bus.kafka import end_subscription, subscription
from shared.db import UnitOfWork
from shared.events.ingest import MessageReceived
from shared.ids import new_id
from shared.settings import ServiceSettings
from tests.support.consuming import consuming
from tests.support.events import as_record, message_received
from tests.support.machine import BrokerAddress, Machine
from tests.support.server import away
from tests.support.silence import silence
from tests.support.waiting import until

pytestmark = pytest.mark.kafka


def end_its_task(client: AIOKafkaClient) -> None:
    """As a connection does that breaks at the wrong moment: from then on all wait for what the task would tell."""

    async def fail(*_: Any) -> bool:
        raise RuntimeError("the handler is closed")

    client._metadata_update = fail
    client.force_metadata_update()


class Ear:
    """Hears by a client that may be made deaf."""

    def __init__(self, machine: Machine, broker: BrokerAddress, tenant_id: UUID) -> None:
        self.tenant_id = tenant_id
        self.database = machine.database("metrics")
        settings = machine.settings(ServiceSettings, "metrics", broker, retry_attempts=1000)
        self.consumer = Consumer(f"deaf-{tenant_id}", {MessageReceived: [self.hear]}, self.database, settings)
        self.publisher = Publisher(broker.servers, idempotent=settings.broker_idempotent)
        self.heard: set[str] = set()
        self.before: Callable[[MessageReceived], Awaitable[None]] | None = None
        """What is done before an event of ours is heard."""

    async def hear(self, events: Sequence[MessageReceived], uow: UnitOfWork) -> None:  # noqa: ARG002 - as handlers are called
        for event in events:
            if self.before is not None and event.tenant_id == self.tenant_id:
                await self.before(event)
        self.heard |= {event.provider_message_id for event in events if event.tenant_id == self.tenant_id}

    async def say(self, number: int) -> MessageReceived:
        event = message_received(self.tenant_id, number=number)
        await self.publisher.publish([as_record(event)])
        return event

    async def until_heard(self, event: MessageReceived) -> None:
        async def heard() -> bool:
            return event.provider_message_id in self.heard

        await until(heard)

    @property
    def kafka(self) -> AIOKafkaConsumer:
        assert self.consumer._kafka is not None
        return self.consumer._kafka


@asynccontextmanager
async def listening(machine: Machine, broker: BrokerAddress, tenant_id: UUID) -> AsyncIterator[Ear]:
    ear = Ear(machine, broker, tenant_id)
    try:
        async with consuming(ear.consumer):
            await ear.until_heard(await ear.say(0))
            yield ear
    finally:
        await ear.publisher.close()
        await ear.database.close()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr("shared.bus.kafka.ACK_SECONDS", 1)
    monkeypatch.setattr(consumer, "DEAF_SECONDS", 1)


@pytest.mark.usefixtures("_impatient")
async def test_who_is_delivered_nothing_though_there_is_more_asks_anew(
    machine: Machine, broker_address: BrokerAddress, tenant_id: UUID
) -> None:
    async with listening(machine, broker_address, tenant_id) as ear:
        silence(ear.kafka._client, FetchRequest)
        # One request is on its way already.
        await ear.until_heard(await ear.say(1))
        await ear.until_heard(await ear.say(2))


@pytest.mark.usefixtures("_impatient")
async def test_who_has_read_everything_is_not_taken_for_deaf(
    machine: Machine, broker_address: BrokerAddress, tenant_id: UUID
) -> None:
    async with listening(machine, broker_address, tenant_id) as ear:
        first = ear.kafka
        await asyncio.sleep(2.5)
        assert ear.kafka is first


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("fails", [False, True], ids=["busy", "stalled"])
async def test_who_cannot_take_what_there_is_is_not_taken_for_deaf(
    machine: Machine, broker_address: BrokerAddress, tenant_id: UUID, *, fails: bool
) -> None:
    free_at = 0.0

    async def hold_up(event: MessageReceived) -> None:
        if fails and time.monotonic() < free_at:
            raise LookupError("not yet")
        await asyncio.sleep(free_at - time.monotonic())

    async with listening(machine, broker_address, tenant_id) as ear:
        first, ear.before, free_at = ear.kafka, hold_up, time.monotonic() + 3
        held = await ear.say(1)
        await asyncio.sleep(0.5)
        await ear.say(2)
        await ear.until_heard(held)
        assert ear.kafka is first


@pytest.mark.usefixtures("_impatient")
async def test_a_client_whose_task_has_died_is_replaced(
    machine: Machine, broker_address: BrokerAddress, tenant_id: UUID
) -> None:
    async with listening(machine, broker_address, tenant_id) as ear:
        dead = ear.kafka
        end_its_task(dead._client)

        async def is_replaced() -> bool:
            return ear.consumer._kafka not in (dead, None)

        await until(is_replaced)
        await ear.until_heard(await ear.say(1))


async def test_a_connection_that_closes_at_the_wrong_moment_is_only_made_anew(
    machine: Machine, broker_address: BrokerAddress
) -> None:
    def write(_: bytes) -> None:
        raise RuntimeError("the handler is closed")

    kafka = subscription(machine.settings(ServiceSettings, "metrics", broker_address), group=None, client="test")
    await kafka.start()
    await until(kafka._client.force_metadata_update)
    assert kafka._client._conns
    for connection in kafka._client._conns.values():
        connection._writer.write = write
    await until(kafka._client.force_metadata_update)
    await end_subscription(kafka)


async def test_nothing_goes_on_of_a_subscription_whose_end_was_cut_short(
    machine: Machine, broker_address: BrokerAddress
) -> None:
    before = asyncio.all_tasks()
    settings = machine.settings(ServiceSettings, "metrics", broker_address)
    kafka = subscription(settings, group=f"short-{new_id()}", client="test")
    await kafka.start()
    kafka.subscribe(["ingest.events"])

    async def is_assigned() -> bool:
        return bool(kafka.assignment())

    await until(is_assigned)
    silence(kafka._client, FindCoordinatorRequest)
    kafka._coordinator.coordinator_dead()
    await end_subscription(kafka)
    assert asyncio.all_tasks() <= before


@pytest.mark.usefixtures("_impatient")
async def test_what_waits_for_a_database_that_is_away_is_counted_as_behind(
    machine: Machine, broker_address: BrokerAddress, tenant_id: UUID
) -> None:
    async def lag() -> float:
        return REGISTRY.get_sample_value("balcao_consumer_lag", {"topic": "ingest.events"}) or 0

    async with listening(machine, broker_address, tenant_id) as ear:
        async with away(machine, "metrics"):
            events = [await ear.say(number) for number in range(1, 4)]
            await until(lag, lambda lag: lag >= len(events))
        await ear.until_heard(events[-1])
        await until(lag, lambda lag: lag == 0)
