"""From the outbox to the broker: in each key's order, forgotten only when acknowledged, told again to who forgot."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from shared.bus import BrokerAwayError, Publisher, Relay
from shared.bus.kafka import subscription
from shared.bus.relay import telling_again
from shared.db import Database
from shared.events import Record, read
from shared.events.ingest import MessageReceived
from shared.settings import ServiceSettings
from tests.support.events import message_received
from tests.support.machine import BrokerAddress, Machine
from tests.support.outbox import said
from tests.support.server import away
from tests.support.waiting import until

pytestmark = pytest.mark.kafka


@dataclass
class Speaker:
    """A database with an outbox, and the way to the broker."""

    machine: Machine
    broker: BrokerAddress
    database: Database
    publisher: Publisher

    def relay(self, *, batch: int = 500, keep: bool = False) -> Relay:
        return Relay(self.database, self.publisher, batch=batch, keep=keep)

    async def publish_some(self, relay: Relay) -> int:
        async with self.database.transaction() as session:
            return await relay.publish(session)

    async def say(self, *events: MessageReceived) -> None:
        async with self.database.unit_of_work(()) as uow:
            for event in events:
                uow.emit(event)

    async def heard(self, tenant_id: UUID, count: int) -> list[str]:
        """What the topic holds of a tenant, partition by partition, once there are `count` of it."""
        settings = self.machine.settings(ServiceSettings, "ingest", self.broker)
        kafka = subscription(settings, group=None, client="test")
        kafka.subscribe(["ingest.events"])
        await kafka.start()
        found: list[str] = []
        try:
            async with asyncio.timeout(15):
                while len(found) < count:
                    for run in (await kafka.getmany(timeout_ms=100)).values():
                        found += self._of(run, tenant_id)
        finally:
            await kafka.stop()
        return found

    @staticmethod
    def _of(run: Sequence[Any], tenant_id: UUID) -> list[str]:
        records = [({name: value.decode() for name, value in record.headers}, record.value) for record in run]
        mine = [record for record in records if record[0].get("ce_tenantid") == str(tenant_id)]
        events: list[Any] = [read(headers, value) for headers, value in mine]
        return [event.provider_message_id for event in events]


@pytest_asyncio.fixture(loop_scope="session")
async def speaker(machine: Machine, broker_address: BrokerAddress) -> AsyncIterator[Speaker]:
    await machine.empty("ingest")
    settings = machine.settings(ServiceSettings, "ingest", broker_address)
    publisher = Publisher(broker_address.servers, idempotent=settings.broker_idempotent)
    database = machine.database("ingest")
    yield Speaker(machine, broker_address, database, publisher)
    await publisher.close()
    await database.close()


async def test_a_row_stays_until_the_broker_has_acknowledged_it(speaker: Speaker, tenant_id: UUID) -> None:
    await speaker.say(message_received(tenant_id))
    nobody = Publisher("127.0.0.1:1", idempotent=False)
    for keep in (False, True):
        with pytest.raises(BrokerAwayError):
            await speaker.publish_some(Relay(speaker.database, nobody, batch=10, keep=keep))
        assert len(await said(speaker.database, tenant_id)) == 1
    await nobody.close()
    assert await speaker.publish_some(speaker.relay()) == 1
    assert not await said(speaker.database, tenant_id)
    assert await speaker.heard(tenant_id, 1) == ["wamid.5511987654321.0"]


async def test_what_comes_while_a_relay_rests_is_published_by_itself(speaker: Speaker, tenant_id: UUID) -> None:
    class Gone(Publisher):
        """Goes away with the second set of records."""

        sets = 0

        async def publish(self, records: Sequence[Record]) -> None:
            self.sets += 1
            if self.sets == 2:
                raise BrokerAwayError("gone")
            await speaker.publisher.publish(records)

    publisher = Gone("", idempotent=False)
    relay = asyncio.create_task(Relay(speaker.database, publisher, batch=10, keep=False).run())
    try:
        for number in range(2):
            await speaker.say(message_received(tenant_id, number=number))
            await until(lambda: said(speaker.database, tenant_id), lambda events: not events)
    finally:
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
    assert publisher.sets == 3, "one was told again that the broker had acknowledged, or was not tried again"
    assert await speaker.heard(tenant_id, 2) == ["wamid.5511987654321.0", "wamid.5511987654321.1"]


async def test_two_relays_share_the_work_and_break_no_keys_order(speaker: Speaker, tenant_id: UUID) -> None:
    senders = [f"{number:013}" for number in range(20)]
    for number in range(0, 30, 3):
        await speaker.say(
            *(message_received(tenant_id, sender, number + step) for step in range(3) for sender in senders)
        )
    shares = [0, 0]

    # Batches that hold several events of each key, and end amid them.
    async def relay(place: int) -> None:
        own = speaker.relay(batch=70)
        while await said(speaker.database, tenant_id):
            shares[place] += await speaker.publish_some(own)

    await asyncio.gather(relay(0), relay(1))
    assert sum(shares) == 600
    heard = await speaker.heard(tenant_id, 600)
    for sender in senders:
        own = [id_ for id_ in heard if id_.startswith(f"wamid.{sender}.")]
        assert own == [f"wamid.{sender}.{number}" for number in range(30)]


async def test_a_relay_leaves_alone_what_another_one_holds(speaker: Speaker, tenant_id: UUID) -> None:
    await speaker.say(message_received(tenant_id))
    shards = text("SELECT pg_advisory_xact_lock(5, shard) FROM generate_series(0, 15) AS shard")
    async with speaker.database.engine.begin() as other:
        await other.execute(shards)
        assert await speaker.publish_some(speaker.relay()) == 0
    assert await speaker.publish_some(speaker.relay()) == 1


async def test_a_broker_that_forgot_is_told_again_in_the_old_order_before_anything_new(
    speaker: Speaker, tenant_id: UUID
) -> None:
    relay = speaker.relay(keep=True)
    await speaker.say(*(message_received(tenant_id, number=number) for number in range(5)))
    await speaker.publish_some(relay)
    assert not await said(speaker.database, tenant_id)
    await speaker.say(message_received(tenant_id, number=5))

    async with telling_again(speaker.machine.url("ingest")):
        assert await speaker.publish_some(relay) == 0, "a relay published while the broker was not ready yet"
    waiting = await said(speaker.database, tenant_id)
    assert [event.provider_message_id for event in waiting] == [f"wamid.5511987654321.{number}" for number in range(6)]
    assert await speaker.publish_some(relay) == 6


async def test_a_broker_that_does_not_start_leaves_the_kept_rows_where_they_are(
    speaker: Speaker, tenant_id: UUID
) -> None:
    relay = speaker.relay(keep=True)
    await speaker.say(message_received(tenant_id))
    await speaker.publish_some(relay)

    with pytest.raises(TimeoutError):
        async with telling_again(speaker.machine.url("ingest")):
            raise TimeoutError
    assert not await said(speaker.database, tenant_id)
    async with telling_again(speaker.machine.url("ingest")):
        pass
    assert len(await said(speaker.database, tenant_id)) == 1


async def test_a_relay_goes_on_after_the_database_was_away(speaker: Speaker, tenant_id: UUID) -> None:
    running = asyncio.create_task(speaker.relay().run())
    # With connections of its own: that those of the relay are lost is for the relay to find.
    other = replace(speaker, database=speaker.machine.database("ingest"))
    try:
        async with away(speaker.machine, "ingest"):
            await asyncio.sleep(0.15)
        await other.say(message_received(tenant_id))
        await until(lambda: said(other.database, tenant_id), lambda events: not events)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await other.database.close()
    assert await speaker.heard(tenant_id, 1) == ["wamid.5511987654321.0"]
