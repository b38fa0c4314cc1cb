"""From the outbox to the broker: in order for each key, at least once, whatever is killed on the way."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import orjson
import structlog
from sqlalchemy import Row, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from shared.bus.kafka import BrokerAwayError, Publisher
from shared.bus.retry import wait_before
from shared.db import Database, Session, Statement, is_outage, measure_backlog
from shared.events import Record
from shared.events.base import SHARDS
from shared.telemetry import EVENTS_PUBLISHED, OUTBOX_OLDEST, OUTBOX_ROWS, PUBLISH_FAILURES, describe

log = structlog.get_logger()

LIVELY_SECONDS = 0.05
"""How often it is looked for what others left, by a relay that alone publishes for them, or a moment after a commit:
then another relay may have held what is ours to publish."""
IDLE_SECONDS = 0.5
MOMENT_SECONDS = 1.0
GAUGE_SECONDS = 5
STILL_SECONDS = 30
"""How long a relay may take to give up what it is publishing; an acknowledgement is awaited for five seconds."""

_LOCKS = 5  # the class of the relay's advisory locks

_TAKE = f"""
WITH free AS MATERIALIZED (
  SELECT shard FROM generate_series(0, {SHARDS - 1}) AS shard WHERE pg_try_advisory_xact_lock({_LOCKS}, shard)
), oldest AS MATERIALIZED (
  SELECT id FROM outbox WHERE shard = ANY (ARRAY(SELECT shard FROM free)) ORDER BY id LIMIT :rows
), taken AS (
  DELETE FROM outbox WHERE id = ANY (ARRAY(SELECT id FROM oldest)) RETURNING outbox.*
)"""
_FIELDS = "id, topic, key, headers::text AS headers, data, personal"
_TAKE_AND_FORGET = Statement(f"{_TAKE} SELECT {_FIELDS} FROM taken")
_TAKE_AND_KEEP = Statement(f"""{_TAKE}, kept AS (
  INSERT INTO outbox_kept (id, shard, topic, key, headers, data, personal, created_at)
  SELECT id, shard, topic, key, headers, data, personal, created_at FROM taken
  ON CONFLICT (id) DO NOTHING
) SELECT {_FIELDS} FROM taken""")
_DEPTH = text("SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM outbox")

_STOP_RELAYS = Statement(
    f"SELECT pg_advisory_xact_lock({_LOCKS}, shard) FROM generate_series(0, {SHARDS - 1}) AS shard"
)
_PUT_BACK = Statement("""
WITH back AS (DELETE FROM outbox_kept RETURNING *)
INSERT INTO outbox (id, shard, topic, key, headers, data, personal, created_at) OVERRIDING SYSTEM VALUE
SELECT id, shard, topic, key, headers, data, personal, created_at FROM back ORDER BY id
""")


class Relay:
    """Publishes the outbox for as long as it runs; several relays of one service share it by shards.

    What this process commits it publishes at once; one that publishes `for_others` looks for it all the time.
    """

    def __init__(
        self, database: Database, publisher: Publisher, *, batch: int, keep: bool, for_others: bool = False
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._batch = batch
        self._take = _TAKE_AND_KEEP if keep else _TAKE_AND_FORGET
        self._idle = LIVELY_SECONDS if for_others else IDLE_SECONDS
        self._lively_until = 0.0
        self._failures = 0

    async def run(self) -> None:
        """Publish until cancelled; neither a broker nor a database that is away ends it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(measure_backlog(_DEPTH, OUTBOX_ROWS, OUTBOX_OLDEST, self._database, every=GAUGE_SECONDS))
            while True:
                try:
                    look_at_once = await self._publish_what_comes()
                except BrokerAwayError as away:
                    PUBLISH_FAILURES.inc()
                    await self._wait_out("the broker does not acknowledge", str(away))
                except Exception as error:
                    if not is_outage(error):
                        raise
                    await self._wait_out("the database is away", describe(error))
                else:
                    self._failures = 0
                    if not look_at_once:
                        await self._hears_of_more(self._pause)

    async def _wait_out(self, what: str, reason: str) -> None:
        self._failures += 1
        log.warning(what, reason=reason, failures=self._failures)
        await asyncio.sleep(wait_before(self._failures, first=0.1, longest=2))

    async def publish(self, session: Session) -> int:
        """Publish the oldest rows that no other relay holds; they are forgotten with the commit. How many they were.

        Raises `BrokerAwayError` when the broker does not have them all, and what the database raises.
        """
        rows = (await session.execute(self._take, {"rows": self._batch})).all()
        if rows:
            await self._publisher.publish(_records(rows))
        for topic, count in Counter(row.topic for row in rows).items():
            EVENTS_PUBLISHED.labels(topic).inc(count)
        return len(rows)

    async def _publish_what_comes(self) -> bool:
        """Publish until nothing more comes, each time in a transaction of its own; whether to look again at once."""
        ends_at = time.monotonic() + MOMENT_SECONDS
        async with self._database.transaction() as session:
            while published := await self.publish(session):
                # The next one is begun with the end of this one, and not when there is more to be taken.
                await session.go_on()
                self._failures = 0
                if time.monotonic() > ends_at:
                    return True
                if published < self._batch and not await self._hears_of_more(LIVELY_SECONDS):
                    return self._pause == LIVELY_SECONDS
        return False

    @property
    def _pause(self) -> float:
        return LIVELY_SECONDS if time.monotonic() < self._lively_until else self._idle

    async def _hears_of_more(self, seconds: float) -> bool:
        """Rest for so long at most; whether this process committed something meanwhile."""
        if rung := await self._database.said.rest(seconds):
            self._lively_until = time.monotonic() + MOMENT_SECONDS
        return rung


@asynccontextmanager
async def telling_again(database_url: str) -> AsyncIterator[None]:
    """Hold the relays still while a broker that forgets begins anew, and put what they published back in its old order.

    Nothing reaches the broker before the context is left, and nothing newer before what is told again. To be entered
    before the broker starts; one that fails changes nothing. Raises `TimeoutError` when a relay does not let go.
    """
    engine = create_async_engine(make_url(database_url).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.begin() as connection:
            async with asyncio.timeout(STILL_SECONDS):
                await connection.execute(_STOP_RELAYS)
            await connection.execute(_PUT_BACK)
            yield
    finally:
        await engine.dispose()


def _records(rows: Sequence[Row[tuple[int, str, str, str, bytes, bytes | None]]]) -> list[Record]:
    return [
        Record(
            topic=row.topic,
            key=row.key,
            headers=orjson.loads(row.headers),
            data=row.data,
            personal=row.personal,
        )
        for row in sorted(rows, key=lambda row: row.id)
    ]
