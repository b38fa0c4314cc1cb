"""Jobs: done once, in turn for each key, and what calls outside is never called again without knowing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio
from prometheus_client import REGISTRY
from sqlalchemy import select, text, update

from shared.bus.dead_letters import replay_dead_letter
from shared.bus.retry import Poison
from shared.db import JOBS, Database, DeadLetter, Job, UnitOfWork
from shared.db.tables import Claimed, KeptAnswer, Published, Waiting
from shared.ids import earliest_id, new_id
from shared.jobs import Again, Does, Outside, Worker, measure_jobs, sweep
from shared.jobs.worker import AT_ONCE, ATTEMPTS
from shared.settings import ServiceSettings
from tests.support.events import message_received
from tests.support.machine import BrokerAddress, Machine
from tests.support.outbox import said
from tests.support.server import away, open_transactions
from tests.support.waiting import until


class Remind(Job):
    type = "test.remind"

    number: int


class Send(Job):
    type = "test.send"

    number: int


class Diary:
    """Does jobs and remembers which; may be told to fail."""

    def __init__(self) -> None:
        self.tried: list[int] = []
        self.done: list[int] = []
        self.fail: Callable[[int], Exception | None] = lambda _: None

    async def remind(self, job: Remind, uow: UnitOfWork) -> None:
        self.tried.append(job.number)
        uow.emit(message_received(job.tenant_id, number=job.number))
        if failure := self.fail(job.number):
            raise failure
        self.done.append(job.number)


class Provider:
    """Something outside; its answer may keep one waiting."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.recorded: list[tuple[int, str]] = []
        self.called = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.failures: list[Exception] = []

    async def read(self, job: Send, _: UnitOfWork) -> int:
        return job.number

    async def call(self, number: int, _: object) -> str:
        self.calls.append(number)
        self.called.set()
        await self.answers.wait()
        return "sent"

    async def record(self, job: Send, outcome: str, _: UnitOfWork) -> None:
        if self.failures:
            raise self.failures.pop()
        self.recorded.append((job.number, outcome))

    async def lost(self, job: Send, _: UnitOfWork) -> None:
        if self.failures:
            raise self.failures.pop()
        self.recorded.append((job.number, "unknown"))

    @property
    def does(self) -> Does:
        return self.doing(self.call)

    def doing(self, call: Callable[[int, Any], Awaitable[str]]) -> Does:
        """The same with another call."""
        return {Send: Outside(self.read, call, self.record, self.lost)}


@pytest_asyncio.fixture(loop_scope="session")
async def database(machine: Machine) -> AsyncIterator[Database]:
    await machine.empty("metrics")
    database = machine.database("metrics")
    yield database
    await database.close()


async def schedule(database: Database, *jobs: tuple[Job, str]) -> None:
    async with database.unit_of_work(()) as uow:
        for job, key in jobs:
            uow.schedule(job, key=key, due_at=uow.now)


async def waiting(database: Database) -> list[Waiting]:
    async with database.unit_of_work(()) as uow:
        return list(await uow.session.scalars(select(Waiting).order_by(Waiting.id)))


async def letters(database: Database, tenant_id: UUID) -> list[DeadLetter]:
    async with database.unit_of_work([tenant_id]) as uow:
        return list(await uow.session.scalars(select(DeadLetter)))


async def make_due(database: Database, **changes: Any) -> None:
    async with database.unit_of_work(()) as uow:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await uow.session.execute(update(Waiting).values(due_at=past, **changes))


async def work_off(worker: Worker) -> None:
    while await worker.do_due():
        pass


class TestJobs:
    async def test_a_job_is_done_once_however_many_workers_there_are(self, database: Database, tenant_id: UUID) -> None:
        diary = Diary()
        await schedule(
            database, *((Remind(tenant_id=tenant_id, number=number), f"key {number}") for number in range(40))
        )
        workers = [Worker({Remind: diary.remind}, database) for _ in range(3)]
        await asyncio.gather(*(work_off(worker) for worker in workers))
        assert sorted(diary.tried) == list(range(40))
        assert len(await said(database, tenant_id)) == 40
        assert not await waiting(database)

    async def test_a_job_is_not_done_before_it_is_due(self, database: Database, tenant_id: UUID) -> None:
        diary = Diary()
        async with database.unit_of_work(()) as uow:
            later = uow.now + timedelta(minutes=1)
            uow.schedule(Remind(tenant_id=tenant_id, number=1), key="a", due_at=later)
        assert await Worker({Remind: diary.remind}, database).do_due() == 0
        await make_due(database)
        assert await Worker({Remind: diary.remind}, database).do_due() == 1

    async def test_jobs_of_one_key_are_done_one_after_the_other(self, database: Database, tenant_id: UUID) -> None:
        under_way, most = 0, 0
        order: list[int] = []

        async def remind(job: Remind, _: UnitOfWork) -> None:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.002)
            order.append(job.number)
            under_way -= 1

        await schedule(database, *((Remind(tenant_id=tenant_id, number=number), "a") for number in range(8)))
        await asyncio.gather(*(work_off(Worker({Remind: remind}, database)) for _ in range(3)))
        await work_off(Worker({Remind: remind}, database))
        assert order == list(range(8))
        assert most == 1

    async def test_jobs_of_one_key_are_done_in_the_order_of_their_commits(
        self, database: Database, tenant_id: UUID
    ) -> None:
        first_scheduled, second_begun = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with database.unit_of_work(()) as uow:
                uow.schedule(Remind(tenant_id=tenant_id, number=1), key="a", due_at=uow.now)
                await uow.leave()
                await uow.session.settle()
                first_scheduled.set()
                await second_begun.wait()
                await asyncio.sleep(0.05)

        async def second() -> None:
            await first_scheduled.wait()
            second_begun.set()
            await schedule(database, (Remind(tenant_id=tenant_id, number=2), "a"))
            assert len(await waiting(database)) == 2, "a later job was there before an earlier one"

        await asyncio.gather(first(), second())

    async def test_a_job_that_fails_is_put_off_and_holds_back_only_its_own_key(
        self, database: Database, tenant_id: UUID
    ) -> None:
        diary = Diary()
        diary.fail = lambda number: RuntimeError("not now") if number == 1 and diary.tried.count(1) < 3 else None
        jobs = [(1, "a"), (2, "a"), (3, "b")]
        await schedule(database, *((Remind(tenant_id=tenant_id, number=number), key) for number, key in jobs))
        worker, began = Worker({Remind: diary.remind}, database), datetime.now(UTC)
        await work_off(worker)
        assert diary.done == [3]
        first, _ = await waiting(database)
        assert first.attempts == 1
        assert first.due_at > began
        assert len(await said(database, tenant_id)) == 1, "what a failed try said was heard"
        for _ in range(2):
            await make_due(database)
            await work_off(worker)
        assert diary.done == [3, 1, 2]

    async def test_what_always_fails_becomes_a_dead_letter_and_can_be_done_again(
        self, database: Database, tenant_id: UUID
    ) -> None:
        diary = Diary()
        diary.fail = lambda _: RuntimeError("secret words")
        await schedule(
            database, (Remind(tenant_id=tenant_id, number=1), "a"), (Remind(tenant_id=tenant_id, number=2), "b")
        )
        await make_due(database, attempts=ATTEMPTS - 1)
        worker = Worker({Remind: diary.remind}, database)
        await worker.do_due()
        assert not await waiting(database)
        letter, _ = await letters(database, tenant_id)
        assert (letter.tenant_id, letter.topic, letter.type) == (tenant_id, JOBS, "test.remind")
        assert (letter.reason, letter.attempts) == ("RuntimeError", ATTEMPTS)

        diary.fail = lambda _: None
        async with database.unit_of_work([tenant_id]) as uow:
            assert await replay_dead_letter(tenant_id, letter.id, {}, uow)
            assert not await replay_dead_letter(new_id(), letter.id, {}, uow)
        await worker.do_due()
        assert len(diary.done) == 1
        assert len(await letters(database, tenant_id)) == 1

    async def test_what_can_never_work_becomes_a_dead_letter_at_once(self, database: Database, tenant_id: UUID) -> None:
        diary = Diary()
        diary.fail = lambda _: Poison("never")
        await schedule(
            database, (Remind(tenant_id=tenant_id, number=1), "a"), (Send(tenant_id=tenant_id, number=2), "b")
        )
        await Worker({Remind: diary.remind}, database).do_due()
        assert not await waiting(database)
        assert {letter.type for letter in await letters(database, tenant_id)} == {"test.remind", "test.send"}

    async def test_a_worker_goes_on_after_the_database_was_away(
        self, database: Database, machine: Machine, tenant_id: UUID
    ) -> None:
        diary, outage = Diary(), AsyncExitStack()

        async def remind(job: Remind, uow: UnitOfWork) -> None:
            if not diary.tried:
                await outage.enter_async_context(away(machine, "metrics"))
            await diary.remind(job, uow)

        await schedule(database, (Remind(tenant_id=tenant_id, number=1), "a"))
        worker = Worker({Remind: remind}, database, lease=0.2)
        running = asyncio.create_task(worker.run())
        async with outage:
            await until(lambda: asyncio.sleep(0, diary.tried))
            await asyncio.sleep(0.3)
        try:
            await until(lambda: asyncio.sleep(0, len(diary.done) > 1 or running.done()))
        finally:
            worker.leave()
            await running
        assert len(await said(database, tenant_id)) == 1


class TestOutside:
    async def test_no_transaction_is_open_during_a_call_and_its_outcome_is_recorded(
        self, database: Database, machine: Machine, tenant_id: UUID
    ) -> None:
        provider = Provider()
        provider.answers.clear()
        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"))
        working = asyncio.create_task(Worker(provider.does, database).do_due())
        await provider.called.wait()
        assert await open_transactions(machine, "metrics") == 0
        provider.answers.set()
        await working
        assert provider.recorded == [(1, "sent")]
        assert not await waiting(database)

    async def test_a_call_whose_caller_died_is_lost_and_never_made_again(
        self, database: Database, tenant_id: UUID
    ) -> None:
        provider = Provider()
        provider.answers.clear()
        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"), (Send(tenant_id=tenant_id, number=2), "a"))
        dying = asyncio.create_task(Worker(provider.does, database, lease=0.5).do_due())
        await provider.called.wait()
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        provider.answers.set()
        other = Worker(provider.does, database)
        assert await other.do_due() == 0, "a lease that runs is another worker's"
        await asyncio.sleep(0.55)
        await work_off(other)
        assert provider.calls == [1, 2]
        assert provider.recorded == [(1, "unknown"), (2, "sent")]

    async def test_who_comes_back_after_his_lease_records_nothing(self, database: Database, tenant_id: UUID) -> None:
        provider = Provider()
        provider.answers.clear()
        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"))
        slow = asyncio.create_task(Worker(provider.does, database, lease=0.02).do_due())
        await provider.called.wait()
        await asyncio.sleep(0.03)
        await Worker(provider.does, database).do_due()
        provider.answers.set()
        await slow
        assert provider.recorded == [(1, "unknown")]

    async def test_a_call_that_failed_is_made_again(self, database: Database, tenant_id: UUID) -> None:
        provider = Provider()
        failures: list[Exception] = [ConnectionRefusedError()]

        async def call(number: int, tools: object) -> str:
            if failures:
                raise failures.pop()
            return await provider.call(number, tools)

        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"))
        worker = Worker(provider.doing(call), database)
        await worker.do_due()
        await make_due(database)
        await worker.do_due()
        assert provider.recorded == [(1, "sent")]

    async def test_a_call_that_took_too_long_is_lost(self, database: Database, tenant_id: UUID) -> None:
        provider = Provider()

        async def call(_: int, __: object) -> str:
            raise TimeoutError

        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"))
        await Worker(provider.doing(call), database).do_due()
        assert provider.recorded == [(1, "unknown")]
        assert not await waiting(database)

    async def test_a_call_that_does_no_harm_twice_is_made_again_when_it_took_too_long_or_was_lost(
        self, database: Database, tenant_id: UUID
    ) -> None:
        provider = Provider()
        failures: list[Exception] = [TimeoutError()]

        async def call(number: int, tools: object) -> str:
            if failures:
                raise failures.pop()
            return await provider.call(number, tools)

        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"))
        worker = Worker({Send: Outside(provider.read, call, provider.record)}, database)
        await worker.do_due()
        assert not provider.recorded
        past = datetime.now(UTC) - timedelta(seconds=1)
        await make_due(database, lease_until=past)
        await worker.do_due()
        assert provider.recorded == [(1, "sent")]
        assert not await waiting(database)

    async def test_what_can_never_be_called_dies_and_is_called_again_when_it_is_replayed(
        self, database: Database, tenant_id: UUID
    ) -> None:
        provider = Provider()
        failures: list[Exception] = [Poison("the door is walled up")]

        async def call(number: int, tools: object) -> str:
            if failures:
                raise failures.pop()
            return await provider.call(number, tools)

        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"))
        worker = Worker({Send: Outside(provider.read, call, provider.record)}, database)
        await worker.do_due()
        (letter,) = await letters(database, tenant_id)
        async with database.unit_of_work([tenant_id]) as uow:
            assert await replay_dead_letter(tenant_id, letter.id, {}, uow)
        await worker.do_due()
        assert provider.recorded == [(1, "sent")]

    async def test_a_call_has_what_was_read_for_it_and_the_tools_of_the_process(
        self, database: Database, tenant_id: UUID
    ) -> None:
        provider = Provider()
        given: list[tuple[int, object]] = []

        async def call(number: int, tools: object) -> str:
            given.append((number, tools))
            return "sent"

        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"))
        await Worker(provider.doing(call), database, "tools").do_due()
        assert given == [(1, "tools")]

    async def test_what_could_not_be_read_was_not_called(self, database: Database, tenant_id: UUID) -> None:
        provider = Provider()

        async def read(_: Send, __: UnitOfWork) -> int:
            raise TimeoutError

        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"))
        does: Does = {Send: Outside(read, provider.call, provider.record, provider.lost)}
        await Worker(does, database).do_due()
        assert not provider.recorded
        await make_due(database)
        await Worker(provider.does, database).do_due()
        assert provider.recorded == [(1, "sent")]

    async def test_what_is_too_early_is_done_again_however_often_and_in_its_turn(
        self, database: Database, tenant_id: UUID
    ) -> None:
        provider, tries = Provider(), 3 * ATTEMPTS

        async def call(number: int, tools: object) -> str:
            nonlocal tries
            if number == 1 and tries:
                tries -= 1
                raise Again(30)
            return await provider.call(number, tools)

        await schedule(database, *((Send(tenant_id=tenant_id, number=number), "a") for number in (1, 2)))
        worker = Worker(provider.doing(call), database)
        await worker.do_due()
        first, _ = await waiting(database)
        assert first.attempts == 0
        assert timedelta(seconds=25) < first.due_at - datetime.now(UTC) <= timedelta(seconds=30)
        while await waiting(database):
            await make_due(database)
            await worker.do_due()
        assert provider.recorded == [(1, "sent"), (2, "sent")]
        assert not await letters(database, tenant_id)

    async def test_a_slow_call_holds_up_nobody_else(self, database: Database, tenant_id: UUID) -> None:
        provider = Provider()
        provider.answers.clear()
        others = 3 * AT_ONCE

        async def call(number: int, tools: object) -> str:
            return await provider.call(number, tools) if number == 0 else "sent"

        await schedule(
            database, *((Send(tenant_id=tenant_id, number=number), f"key {number}") for number in range(others + 1))
        )
        worker = Worker(provider.doing(call), database)
        running = asyncio.create_task(worker.run())
        await until(lambda: asyncio.sleep(0, len(provider.recorded) == others))
        assert [job.payload["number"] for job in await waiting(database)] == [0]
        worker.leave()
        await asyncio.sleep(0)
        assert not running.done(), "what was claimed was left behind"
        provider.answers.set()
        await running
        assert provider.recorded[-1] == (0, "sent")

    async def test_a_worker_that_is_ended_ends_its_calls(self, database: Database, tenant_id: UUID) -> None:
        provider = Provider()
        provider.answers.clear()
        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"))
        running = asyncio.create_task(Worker(provider.does, database).run())
        await provider.called.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        provider.answers.set()
        await asyncio.sleep(0)
        assert not provider.recorded
        assert len(await waiting(database)) == 1

    async def test_a_call_whose_outcome_could_not_be_recorded_is_not_made_again(
        self, database: Database, tenant_id: UUID
    ) -> None:
        provider = Provider()
        provider.failures = [RuntimeError("not now"), RuntimeError("not now")]
        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"))
        worker = Worker(provider.does, database)
        for _ in range(3):
            await worker.do_due()
            await make_due(database)
        assert provider.calls == [1]
        assert provider.recorded == [(1, "unknown")]

    async def test_a_known_outcome_is_not_lost_with_a_connection(self, database: Database, tenant_id: UUID) -> None:
        provider = Provider()
        provider.failures = [ConnectionResetError(), ConnectionResetError()]
        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"))
        await Worker(provider.does, database).do_due()
        assert provider.recorded == [(1, "sent")]

    async def test_a_dead_job_whose_call_was_made_is_not_called_again_when_it_is_replayed(
        self, database: Database, tenant_id: UUID
    ) -> None:
        provider = Provider()
        provider.failures = [Poison("never")]
        await schedule(database, (Send(tenant_id=tenant_id, number=1), "a"))
        worker = Worker(provider.does, database)
        await worker.do_due()
        (letter,) = await letters(database, tenant_id)
        async with database.unit_of_work([tenant_id]) as uow:
            assert await replay_dead_letter(tenant_id, letter.id, {}, uow)
        await worker.do_due()
        assert provider.calls == [1]
        # Told at once, so that nobody waits for it, and again by the replay.
        assert provider.recorded == [(1, "unknown"), (1, "unknown")]


async def test_what_has_served_is_swept_away_and_the_rest_is_not(
    database: Database, machine: Machine, broker_address: BrokerAddress
) -> None:
    now = datetime.now(UTC)
    old, fresh = earliest_id(now - timedelta(days=9)), new_id()
    letter: dict[str, Any] = {"topic": "t", "key": "k", "headers": {}, "data": b"", "personal": None, "shard": 1}
    async with database.unit_of_work(()) as uow:
        for number, (id_, moment) in enumerate([(old, now - timedelta(hours=2)), (fresh, now)]):
            uow.session.add(Claimed(event_id=id_))
            uow.session.add(Published(id=number, created_at=moment, **letter))
            expiry = moment + timedelta(hours=1)
            uow.session.add(KeptAnswer(scope=id_.bytes, fingerprint=b"", answer=b"", expires_at=expiry))
    settings = machine.settings(ServiceSettings, "metrics", broker_address, relay_keep_seconds=3600)
    sweeping = asyncio.create_task(sweep(database, settings))

    async def left() -> list[list[Any]]:
        async with database.unit_of_work(()) as uow:
            queries = (
                "SELECT event_id FROM inbox",
                "SELECT id FROM outbox_kept",
                "SELECT scope FROM idempotency_answers",
            )
            return [list((await uow.session.scalars(text(query))).all()) for query in queries]

    await until(left, lambda rows: rows == [[fresh], [1], [fresh.bytes]])
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)


async def test_what_is_due_and_not_being_done_is_measured(database: Database, tenant_id: UUID) -> None:
    await schedule(database, *((Remind(tenant_id=tenant_id, number=number), str(number)) for number in range(3)))
    now = datetime.now(UTC)
    async with database.unit_of_work(()) as uow:
        await uow.session.execute(update(Waiting).values(due_at=now - timedelta(seconds=90)))
        under_way = update(Waiting).where(Waiting.key == "0").values(lease_until=now + timedelta(minutes=1))
        await uow.session.execute(under_way)
        later = update(Waiting).where(Waiting.key == "1").values(due_at=now + timedelta(minutes=1))
        await uow.session.execute(later)
    measuring = asyncio.create_task(measure_jobs(database))

    async def measured() -> tuple[float | None, float | None]:
        return REGISTRY.get_sample_value("balcao_jobs_due"), REGISTRY.get_sample_value("balcao_jobs_oldest_seconds")

    await until(measured, lambda now: now[0] == 1 and 90 <= (now[1] or 0) < 150)
    measuring.cancel()
    await asyncio.gather(measuring, return_exceptions=True)
