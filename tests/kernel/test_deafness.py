"""A client of the broker that has died without a word: it is noticed, replaced, and leaves nothing behind."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.fetch import FetchRequest
from prometheus_client import REGISTRY

from shared.bus import Consumer, Publisher, Tail, consumer, tail
from shared.bus.kafka import end_subscription, subscription
from shared.db import UnitOfWork
from shared.events.ingest import MessageReceived
from shared.ids import new_id
from shared.settings import ServiceSettings
from tests.support.events import as_record, message_received
from tests.support.machine import BrokerAddress, Machine
from tests.support.server import away
from tests.support.waiting import until

pytestmark = pytest.mark.kafka


def silence(client: AIOKafkaClient, kind: Any) -> None:
    """Let no request of a kind be answered any more."""
    send = client.send

    async def answer(node_id: Any, request: Any, **how: Any) -> Any:
        if isinstance(request, kind):
            await asyncio.Event().wait()
        return await send(node_id, request, **how)

    client.send = answer


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
    running = asyncio.create_task(ear.consumer.run())
    try:
        await ear.until_heard(await ear.say(0))
        yield ear
    finally:
        ear.consumer.leave()
        await asyncio.wait_for(running, 15)
        await ear.publisher.close()
        await ear.database.close()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr("shared.bus.kafka.ACK_SECONDS", 1)
    monkeypatch.setattr(consumer, "DEAF_SECONDS", 1)
    monkeypatch.setattr(tail, "LOOK_SECONDS", 0.5)


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


@pytest.mark.usefixtures("_impatient")
async def test_a_reader_without_a_group_asks_anew_too(
    machine: Machine, broker_address: BrokerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[AIOKafkaClient] = []

    def subscribed(*args: Any, **kwargs: Any) -> AIOKafkaConsumer:
        kafka = subscription(*args, **kwargs)
        clients.append(kafka._client)
        return kafka

    monkeypatch.setattr(tail, "subscription", subscribed)
    settings = machine.settings(ServiceSettings, "gateway", broker_address)
    reading = Tail(["ingest.events"], settings, client="test", seconds=600, most=1000, before=0)
    read: set[bytes] = set()

    async def read_on() -> None:
        async for piece in reading.read():
            if isinstance(piece, Sequence):
                read.update(placed.headers.get("ce_id", b"") for placed in piece)

    async def until_read(publisher: Publisher) -> None:
        record = as_record(message_received(new_id()))
        await publisher.publish([record])

        async def is_read() -> bool:
            return record.headers["ce_id"].encode() in read

        await until(is_read)

    publisher = Publisher(broker_address.servers, idempotent=settings.broker_idempotent)
    running = asyncio.create_task(read_on())
    await until_read(publisher)
    silence(clients[-1], FetchRequest)
    await until_read(publisher)
    await until_read(publisher)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await publisher.close()
    assert len(clients) > 1


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
