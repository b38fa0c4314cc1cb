"""Events on their way: once with effect, in order, on a real broker, whatever fails in between."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import func, select
from sqlalchemy.event import listen

from shared.bus import Consumer, Poison, Publisher, Relay
from shared.bus.consumer import Hears
from shared.db import Database, DeadLetter, UnitOfWork
from shared.events.ingest import MessageReceived
from shared.settings import ServiceSettings
from tests.support.events import message_received
from tests.support.machine import BrokerAddress, Machine

pytestmark = pytest.mark.kafka


class Heard:
    """A handler that remembers what it heard of one tenant, and may be told to fail."""

    def __init__(self, tenant_id: UUID, fail: Callable[[MessageReceived], Exception | None] = lambda _: None) -> None:
        self.tenant_id = tenant_id
        self.fail = fail
        self.committed: list[str] = []
        self.tries = 0

    async def hear(self, events: Sequence[MessageReceived], uow: UnitOfWork) -> None:
        mine = [event for event in events if event.tenant_id == self.tenant_id]
        for event in mine:
            self.tries += 1
            if failure := self.fail(event):
                raise failure
        # A batch that holds something that was heard before, as by an earlier test, is given again without that.
        names = [event.provider_message_id for event in mine]
        listen(uow.session.sync_session, "after_commit", lambda _: self.committed.extend(names))


class Bus:
    """A speaker's relay and a listener's consumer, each with a database of its own."""

    def __init__(self, machine: Machine, broker: BrokerAddress) -> None:
        self.machine = machine
        self.broker = broker
        self.speaker = machine.database("ingest")
        self.listener = machine.database("conversation")

    async def say(self, *events: MessageReceived) -> None:
        async with self.speaker.unit_of_work({event.tenant_id for event in events}) as uow:
            for event in events:
                uow.emit(event)

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[None]:
        publisher = Publisher(self.broker.servers, idempotent=self.settings().broker_idempotent)
        relay = Relay(self.speaker, publisher, batch=50, keep=False)
        task = asyncio.create_task(relay.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await publisher.close()

    @asynccontextmanager
    async def consuming(self, hears: Hears, group: str, **changes: object) -> AsyncIterator[Consumer]:
        consumer = Consumer(group, hears, self.listener, self.settings(**changes))
        task = asyncio.create_task(consumer.run())
        try:
            yield consumer
        finally:
            consumer.leave()
            await asyncio.wait_for(task, 10)

    def settings(self, **changes: object) -> ServiceSettings:
        return self.machine.settings(ServiceSettings, "conversation", self.broker, **changes)

    async def dead_letters(self, tenant_id: UUID) -> Sequence[DeadLetter]:
        async with self.listener.unit_of_work([tenant_id]) as uow:
            query = select(DeadLetter).where(DeadLetter.tenant_id == tenant_id)
            return (await uow.session.scalars(query)).all()


@pytest_asyncio.fixture(loop_scope="session")
async def bus(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Bus]:
    await machine.empty("ingest")
    await machine.empty("conversation")
    bus = Bus(machine, broker_address)
    yield bus
    await bus.speaker.close()
    await bus.listener.close()


async def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.02)


async def test_what_is_said_is_heard_in_its_keys_order(bus: Bus, tenant_id: UUID) -> None:
    heard = Heard(tenant_id)
    said = [message_received(tenant_id, sender, number) for number in range(20) for sender in ("a", "b", "c")]
    async with bus.relaying(), bus.consuming({MessageReceived: [heard.hear]}, f"group-{tenant_id}"):
        for event in said:
            await bus.say(event)
        await until(lambda: len(heard.committed) >= len(said))
    for sender in "abc":
        own = [name for name in heard.committed if name.startswith(f"wamid.{sender}.")]
        assert own == [f"wamid.{sender}.{number}" for number in range(20)]


async def test_an_event_that_was_published_twice_takes_effect_once(bus: Bus, tenant_id: UUID) -> None:
    heard = Heard(tenant_id)
    event = message_received(tenant_id)
    await bus.say(event)
    publisher = Publisher(bus.broker.servers, idempotent=False)
    await publisher.publish([event.to_record()])
    await publisher.close()
    async with bus.relaying(), bus.consuming({MessageReceived: [heard.hear]}, f"group-{tenant_id}"):
        await bus.say(last := message_received(tenant_id, number=1))
        await until(lambda: last.provider_message_id in heard.committed)
    assert heard.committed == [event.provider_message_id, last.provider_message_id]


async def test_poison_becomes_a_dead_letter_and_the_others_pass(bus: Bus, tenant_id: UUID) -> None:
    heard = Heard(tenant_id, lambda event: Poison("never") if event.content.text == "text 1" else None)
    async with bus.relaying(), bus.consuming({MessageReceived: [heard.hear]}, f"group-{tenant_id}"):
        await bus.say(*(message_received(tenant_id, number=number) for number in range(4)))
        await until(lambda: len(heard.committed) >= 3)
    assert heard.committed == [f"wamid.5511987654321.{number}" for number in (0, 2, 3)]
    (letter,) = await bus.dead_letters(tenant_id)
    assert (letter.reason, letter.attempts, letter.type) == ("never", 0, "ingest.message-received.v1")


async def test_an_event_that_fails_once_is_tried_again_in_place(bus: Bus, tenant_id: UUID) -> None:
    failures = [RuntimeError("once"), RuntimeError("twice")]

    def fail(event: MessageReceived) -> Exception | None:
        return failures.pop() if event.content.text == "text 1" and failures else None

    heard = Heard(tenant_id, fail)
    async with bus.relaying(), bus.consuming({MessageReceived: [heard.hear]}, f"group-{tenant_id}"):
        await bus.say(*(message_received(tenant_id, number=number) for number in range(4)))
        await until(lambda: len(heard.committed) >= 4)
    assert heard.committed == [f"wamid.5511987654321.{number}" for number in range(4)]
    assert not await bus.dead_letters(tenant_id)


async def test_an_event_that_always_fails_becomes_a_dead_letter_after_its_tries(bus: Bus, tenant_id: UUID) -> None:
    heard = Heard(tenant_id, lambda event: RuntimeError("secret") if event.content.text == "text 1" else None)
    changes = {"retry_attempts": 3}
    async with bus.relaying(), bus.consuming({MessageReceived: [heard.hear]}, f"group-{tenant_id}", **changes):
        await bus.say(*(message_received(tenant_id, number=number) for number in range(4)))
        await until(lambda: len(heard.committed) >= 3)
    assert heard.committed == [f"wamid.5511987654321.{number}" for number in (0, 2, 3)]
    (letter,) = await bus.dead_letters(tenant_id)
    assert (letter.reason, letter.attempts) == ("RuntimeError", 3)


async def test_the_fuse_stops_the_consumer_before_a_topic_turns_into_dead_letters(bus: Bus, tenant_id: UUID) -> None:
    heard = Heard(tenant_id, lambda _: RuntimeError("a bad deploy"))
    changes = {"retry_attempts": 1, "fuse_in_a_row": 3}
    async with (
        bus.relaying(),
        bus.consuming({MessageReceived: [heard.hear]}, f"group-{tenant_id}", **changes) as consumer,
    ):
        await bus.say(*(message_received(tenant_id, number=number) for number in range(10)))
        await until(lambda: consumer.fuse_blown)
    assert len(await bus.dead_letters(tenant_id)) == 3
    assert not heard.committed


async def count(database: Database, table: type) -> int:
    async with database.unit_of_work(()) as uow:
        return (await uow.session.execute(select(func.count()).select_from(table))).scalar_one()
