"""A service's index card, and the process that it becomes: API, consumer, relay, jobs, health and telemetry."""

import asyncio
import base64
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog
from fastapi import APIRouter, FastAPI
from sqlalchemy import MetaData

from shared.bus import BrokerAwayError, Consumer, Publisher, Relay
from shared.bus.consumer import Hears
from shared.bus.retry import wait_before
from shared.db import Database, Model
from shared.db.tables import Kernel as KernelTables
from shared.events import Event
from shared.events.privacy import SubjectDataRequested
from shared.http.auth import Callers, ContextVerifier
from shared.http.clients import outgoing_client
from shared.http.dead_letters import dead_letters
from shared.http.edge import HEALTH, Desk, Door, RequestEdge
from shared.http.health import Readiness, health
from shared.http.idempotency import Answers
from shared.http.problems import answer_with_problems
from shared.jobs import Does, Worker, measure_jobs, sweep
from shared.personal import BlindIndex, Sealer, redact
from shared.personal.redaction import learn_columns
from shared.rights import Depositor, scheduling
from shared.settings import ServiceSettings
from shared.telemetry import redaction, start_logging, start_tracing

log = structlog.get_logger()

S = TypeVar("S", bound=ServiceSettings)

DRAIN_SECONDS = 6
"""How long requests and other work under way may go on when the process is told to stop."""


@dataclass(frozen=True, slots=True)
class Kernel(Generic[S]):
    """What a running process has; `furnish` builds on it."""

    settings: S
    database: Database
    sealer: Sealer
    blind_index: BlindIndex
    app: FastAPI
    start: Callable[[Callable[[], Awaitable[None]]], None]
    """Gives the process one more part: it begins once the database is migrated, and one that fails ends the process."""


@dataclass(frozen=True)
class Service(Generic[S]):
    """What a service is: it declares, and does nothing itself.

    From it come the subscriptions, the consumer group, the AsyncAPI document and the map of events.
    """

    name: str
    settings: type[S]
    location: Path
    """The folder of the service, where its migrations are."""
    tables: type[Model]
    api: Sequence[APIRouter] = ()
    doors: Mapping[str, Door] = field(default_factory=dict)
    """By the beginning of their paths."""
    hears: Hears = field(default_factory=dict)
    """Besides what every process hears."""
    shows: Sequence[type[Event]] = ()
    """What it reads without a group, each process all of it, to show it on."""
    says: Sequence[type[Event]] = ()
    does: Does = field(default_factory=dict)
    furnish: Callable[[Kernel[S]], AbstractAsyncContextManager[Any]] | None = None
    """What else the process needs while it runs; what it yields are the tools of jobs that call outside."""
    callers: Callable[[Kernel[S]], Callers] | None = None
    """How it learns who calls, when not from the gateway's signed context."""
    dead_letters_at: str = "/dead-letters"
    """The path under which its dead letters are listed."""

    def __post_init__(self) -> None:
        # What every process owes a person, none can forget to declare.
        object.__setattr__(self, "hears", {**self.hears, SubjectDataRequested: [scheduling(self.name)]})

    @property
    def asgi(self) -> RequestEdge:
        """The process, to be served."""
        app = self.application()
        return RequestEdge(app, doors=self.doors, open_to=lambda path: path in HEALTH or app.state.answers)

    def application(self) -> FastAPI:
        app = FastAPI(
            title=f"Balcão {self.name}",
            lifespan=self._lifespan,
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
        )
        answer_with_problems(app)
        app.include_router(health(lambda: app.state.readiness))
        for router in self.api:
            app.include_router(router)
        app.include_router(dead_letters(self.hears, self.dead_letters_at))
        return app

    @property
    def listens_to(self) -> frozenset[type[Event]]:
        """All events that reach it, whether they take effect here or are only shown."""
        return frozenset((*self.hears, *self.shows))

    @property
    def metadata(self) -> MetaData:
        return self.tables.metadata

    @property
    def holds(self) -> Sequence[MetaData]:
        """All tables of its database: its own and the kernel's."""
        return [self.metadata, KernelTables.metadata]

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[dict[str, "Parts"]]:
        settings = self.settings.from_environment(self.name)
        learn_columns(self.metadata)
        start_logging(self.name, settings.log_level, redaction(redact))
        async with self.running(app, settings) as parts:
            # Told to the server (ASGI lifespan state), which hears first that the process is to stop.
            yield {"parts": parts}

    @asynccontextmanager
    async def running(self, app: FastAPI, settings: S) -> AsyncIterator["Parts"]:
        """All parts that these settings ask for, until the block ends; then work under way is finished."""
        tracing = start_tracing(
            self.name, settings.trace_share, settings.trace_endpoint, trusting=settings.trace_trusting
        )
        root_key = base64.b64decode(settings.root_key.get_secret_value())
        database = Database(
            settings.database_url.get_secret_value(),
            pool=settings.database_pool,
            application=f"balcao-{self.name}",
        )
        publisher = Publisher(settings.broker_servers, idempotent=settings.broker_idempotent)
        consumer = Consumer(self.name, self.hears, database, settings)
        app.state.readiness = Readiness(
            database,
            self.location,
            broker=publisher.answered.is_set,
            fuse=lambda: consumer.fuse_blown and "api" not in settings.parts,
        )
        app.state.answers = "api" in settings.parts
        parts = Parts(app.state.readiness)
        kernel = Kernel(settings, database, Sealer(root_key), BlindIndex(root_key), app, parts.start)
        callers = self.callers(kernel) if self.callers else ContextVerifier(settings.caller_public_key, self.name)
        app.state.desk = Desk(database, callers, Answers(kernel.sealer))
        async with AsyncExitStack() as stack:
            stack.callback(tracing.shutdown)
            stack.push_async_callback(database.close)
            stack.push_async_callback(publisher.close)
            tools = await stack.enter_async_context(self.furnish(kernel)) if self.furnish is not None else None
            privacy = await stack.enter_async_context(outgoing_client(settings.deposit_url))
            depositor = Depositor(self.name, self.holds, kernel.sealer, privacy)
            worker = Worker({**self.does, **depositor.does}, database, tools, for_others=settings.runs_apart)
            stack.push_async_callback(parts.stop)
            parts.start(partial(_contact, publisher))
            if "relay" in settings.parts and self.says:
                relay = Relay(
                    database,
                    publisher,
                    batch=settings.relay_batch,
                    keep=settings.relay_keep_seconds > 0,
                    for_others=settings.runs_apart,
                )
                parts.start(relay.run)
            if "consumer" in settings.parts:
                parts.start(consumer.run, leave=consumer.leave)
            if "jobs" in settings.parts:
                parts.start(partial(sweep, database, settings))
                parts.start(partial(measure_jobs, database))
                parts.start(worker.run, leave=worker.leave)
            log.info("started", parts=sorted(settings.parts))
            yield parts
        log.info("stopped")


class Parts:
    """The tasks of a process: each is owned, and one that fails ends the process so that it is started anew."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._tasks: list[tuple[asyncio.Task[None], Callable[[], None] | None]] = []
        self._leave_by: float | None = None
        self._stopping = False
        self.failed = False
        """Whether one of them ended the process."""

    def start(self, work: Callable[[], Awaitable[None]], *, leave: Callable[[], None] | None = None) -> None:
        task = asyncio.create_task(self._begin(work))
        task.add_done_callback(self._end_process_on_failure)
        self._tasks.append((task, leave))

    async def _begin(self, work: Callable[[], Awaitable[None]]) -> None:
        await self._readiness.migrated()
        await work()

    def leave(self) -> float:
        """Let those that take work take no more; by when (monotonic) they are to have finished what they took."""
        if self._leave_by is None:
            self._leave_by = time.monotonic() + DRAIN_SECONDS
            for _, leave in self._tasks:
                if leave is not None:
                    leave()
        return self._leave_by

    async def stop(self) -> None:
        """Let those finish that can, within the time there is; end the others."""
        self._stopping = True
        leave_by = self.leave()
        leaving = [task for task, leave in self._tasks if leave is not None and not task.done()]
        if leaving:
            await asyncio.wait(leaving, timeout=max(0.0, leave_by - time.monotonic()))
        for task, _ in self._tasks:
            task.cancel()
        await asyncio.gather(*(task for task, _ in self._tasks), return_exceptions=True)

    def _end_process_on_failure(self, task: "asyncio.Task[None]") -> None:
        failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        if failure is None or (task.cancelled() and self._stopping):
            return
        self.failed = True
        log.critical("a part of the process failed", exc_info=failure)
        os.kill(os.getpid(), signal.SIGTERM)


async def _contact(publisher: Publisher) -> None:
    """Until the broker has answered once."""
    failures = 0
    while not publisher.answered.is_set():
        try:
            await publisher.contact()
        except BrokerAwayError as away:
            failures += 1
            log.info("waiting for the broker", reason=str(away))
            await asyncio.sleep(wait_before(failures, first=0.1, longest=2))
