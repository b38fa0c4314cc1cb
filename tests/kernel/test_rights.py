"""The right of access in every process: what is held about a person is found, sealed, and handed over whole."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import ARRAY, Column, LargeBinary, Table, Text, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB

from services.ingest.models import RawEvent
from shared.db import Database, DeadLetter, Waiting
from shared.events.privacy import SubjectDataRequested
from shared.http import outgoing_client
from shared.ids import new_id
from shared.jobs import Worker
from shared.jobs.worker import ATTEMPTS
from shared.personal import SealBrokenError, Sealer, about_of
from shared.rights import (
    KEY_PURPOSE,
    PART_BYTES,
    PIECE,
    Complete,
    Completion,
    Depositor,
    DepositPage,
    Holdings,
    Part,
    Person,
    Place,
    digest_of,
    digest_over,
    open_part,
    read_part,
    seal_part,
)
from tests.support.hearing import hear
from tests.support.machine import ROOT_KEY, Machine
from tests.support.services import SERVICES

SEALER = Sealer(base64.b64decode(ROOT_KEY))
SECRET = "S3cret"
KEY = bytes(range(32))

TABLES: Mapping[str, Mapping[str, Table]] = {
    name: {table.name: table for metadata in service.holds for table in metadata.tables.values()}
    for name, service in SERVICES.items()
}

Row = dict[str, Any]
Chain = list[tuple[Table, Row]]
"""A row about somebody, with those before it by way of which it is so."""

numbers = count(1)


@dataclass(frozen=True)
class Scribe:
    """Writes rows about a person into any table, by every way that the table names."""

    tables: Mapping[str, Table]
    tenant_id: UUID
    word: str
    """Stands in whatever may hold text."""

    def chains(self, table: Table, kind: str, reference: str) -> Iterator[Chain]:
        """For each way from the table to a reference of this kind, the rows that go it."""
        told = about_of(table)
        assert told is not None
        for place in told.places.get(kind, ()):
            yield self._with(table, {place: reference})
        for via in told.via:
            for chain in self.chains(self.tables[via.table], kind, reference):
                known = {mine: chain[-1][1][theirs] for mine, theirs in via.columns.items()}
                yield [*chain, *self._with(table, known, chain)]

    def _with(self, table: Table, known: Mapping[str, Any], before: Chain | None = None) -> Chain:
        told = about_of(table)
        assert told is not None
        row = {column.name: self._value(column) for column in table.columns}
        for place, value in ({told.tenant: str(self.tenant_id)} if told.tenant else {}).items() | known.items():
            name, _, member = place.partition(".")
            if member:
                row[name] = row[name] | {member: str(value)}
            else:
                row[name] = UUID(str(value)) if table.c[name].type.python_type is UUID else value
        return [*self._needed(table, row, before or []), (table, row)]

    def _needed(self, table: Table, row: Row, before: Chain) -> Chain:
        """The rows that a foreign key asks for, save those that are there."""
        needed: Chain = []
        for key in table.foreign_keys:
            name = key.parent.name
            if key.column.table not in [there for there, _ in before]:
                needed += self._with(key.column.table, {key.column.name: row[name]})
        return needed

    def _value(self, column: Column[Any]) -> Any:
        word = SECRET if column.info.get("secret") else self.word
        if isinstance(column.type, ARRAY):
            return [word] if isinstance(column.type.item_type, Text) else [new_id()]
        if isinstance(column.type, JSONB):
            return {"word": word}
        if isinstance(column.type, LargeBinary):
            return orjson.dumps({"word": f"{word} {next(numbers)}"})
        kinds: dict[type, Any] = {
            UUID: new_id(),
            str: f"{word} {next(numbers)}",
            datetime: datetime.now(UTC),
            bool: True,
        }
        return kinds.get(column.type.python_type, next(numbers))


def reference_of(kind: str) -> str:
    """One that nobody has."""
    return new_id().hex if kind == "sender" else str(new_id())


def kinds_of(tables: Mapping[str, Table], table: Table) -> set[str]:
    told = about_of(table)
    if told is None:
        return set()
    return set(told.places).union(*(kinds_of(tables, tables[via.table]) for via in told.via))


HELD = [
    pytest.param(process, table.name, kind, id=f"{process}-{table.name}-{kind}")
    for process, tables in TABLES.items()
    for table in tables.values()
    # The kernel's tables are the same everywhere.
    if table.metadata is SERVICES[process].metadata or process == "ingest"
    for kind in sorted(kinds_of(tables, table))
]


async def write(database: Database, tenant_id: UUID, chains: Sequence[Chain]) -> None:
    async with database.unit_of_work([tenant_id]) as uow:
        for table, row in [step for chain in chains for step in chain]:
            await uow.session.execute(insert(table).values(row))


async def read_all(holdings: Holdings, table: str, person: Person, database: Database) -> list[Any]:
    rows: list[Any] = []
    after: Sequence[Any] | None = None
    while True:
        async with database.unit_of_work([person.tenant_id]) as uow:
            page = await holdings.page(table, person, uow.session, after=after)
        rows += [orjson.loads(row) for row in page.rows]
        if page.last is None:
            return rows
        after = page.last


@pytest.mark.parametrize(("process", "name", "kind"), HELD)
async def test_a_person_is_given_every_row_about_him_and_none_about_another(
    machine: Machine, tenant_id: UUID, process: str, name: str, kind: str
) -> None:
    tables, holdings = TABLES[process], Holdings(*SERVICES[process].holds)
    mine, anothers = reference_of(kind), reference_of(kind)
    about_me = list(Scribe(tables, tenant_id, "Mine").chains(tables[name], kind, mine))
    about_another = list(Scribe(tables, tenant_id, "Another").chains(tables[name], kind, anothers))
    database = machine.database(process)
    try:
        await write(database, tenant_id, [*about_me, *about_another])
        me, stranger = Person(tenant_id, {kind: [mine]}), Person(new_id(), {kind: [mine]})
        found = await read_all(holdings, name, me, database)
        assert name in holdings.tables_about(me)
        assert not await read_all(holdings, name, stranger, database)
    finally:
        await database.close()
    shown = {column.name for column in tables[name].columns if not column.info.get("secret")}
    keys = [column.name for column in tables[name].primary_key]
    written = [[str(row[key]) for key in keys] for _, row in (chain[-1] for chain in about_me)]
    assert sorted([str(row[key]) for key in keys] for row in found) == sorted(written)
    assert all(row.keys() == shown for row in found)
    assert "Another" not in str(found)
    assert SECRET not in str(found)


def asked(tenant_id: UUID, sealer: Sealer = SEALER, **changes: Any) -> SubjectDataRequested:
    """What privacy says when a person is to be given what is held under the sender_ref `mine`."""
    request_id = new_id()
    fields: dict[str, Any] = {
        "tenant_id": tenant_id,
        "request_id": request_id,
        "subject_id": new_id(),
        "attempt": 1,
        "services": ["ingest"],
        "references": {"sender": ["mine"]},
        "requested_at": datetime.now(UTC),
    } | changes
    sealed = sealer.seal(KEY, purpose=KEY_PURPOSE, context=str(fields["request_id"]))
    return SubjectDataRequested(sealed_key=base64.b64encode(sealed).decode(), **fields)


@dataclass
class Privacy:
    """The door at which deposits are taken, at the transport."""

    request: SubjectDataRequested
    taken: dict[int, bytes] = field(default_factory=dict)
    calls: int = 0
    answers: list[int | Exception] = field(default_factory=list)
    """What is answered first, before all is taken."""
    silent_at: int | None = None
    """The number of the part that it takes without ever saying so."""
    is_silent: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def parts(self) -> list[Part | Complete]:
        return [read_part(self.taken[number]) for number in sorted(self.taken)]

    @property
    def digest(self) -> str:
        """Over all that was taken before the completion."""
        *parts, _ = (self.taken[number] for number in sorted(self.taken))
        return digest_over(map(digest_of, parts)).hex()

    @property
    def rows(self) -> list[Row]:
        return [row for part in self.parts if isinstance(part, Part) for row in part.rows]

    @property
    def completion(self) -> Completion:
        last = self.parts[-1]
        assert isinstance(last, Complete)
        return last.complete

    async def __call__(self, call: httpx.Request) -> httpx.Response:
        self.calls += 1
        deposits, tenant_id, request_id, service, *counted = call.url.path.strip("/").split("/")
        attempt, number = map(int, counted)
        sealed = await call.aread()
        assert (call.method, deposits, call.headers["content-type"]) == ("PUT", "deposits", "application/octet-stream")
        assert len(sealed) <= PART_BYTES
        assert attempt == self.request.attempt
        place = Place(UUID(tenant_id), UUID(request_id), service, attempt, number)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return httpx.Response(answer)
        self.taken[number] = open_part(KEY, sealed, place)
        if number == self.silent_at:
            self.is_silent.set()
            await asyncio.Event().wait()
        return httpx.Response(204)


@dataclass(frozen=True)
class Ingest:
    """Ingest's database, and the jobs by which it hands over."""

    database: Database
    tenant_id: UUID

    def worker(self, privacy: Privacy) -> Worker:
        client = outgoing_client("http://privacy", transport=httpx.MockTransport(privacy))
        return Worker(Depositor("ingest", SERVICES["ingest"].holds, SEALER, client).does, self.database)

    async def keep(self, *bodies: bytes, sender_ref: str | None = "mine") -> None:
        """Raw events of these bodies."""
        rows = [
            {
                "id": new_id(),
                "tenant_id": self.tenant_id,
                "channel_id": new_id(),
                "dedup_key": f"key {next(numbers)}",
                "path": "entry[0]",
                "body": body,
                "state": "accepted",
                "received_at": datetime.now(UTC),
                "sender_ref": sender_ref,
            }
            for body in bodies
        ]
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            await uow.session.execute(insert(RawEvent), rows)

    async def hand_over(self, *requests: SubjectDataRequested) -> Privacy:
        """What is taken in for the last of these requests."""
        privacy = Privacy(requests[-1])
        await hear(SERVICES["ingest"], self.database, *requests, now=datetime.now(UTC))
        await self.work_off(privacy)
        return privacy

    async def work_off(self, privacy: Privacy) -> None:
        worker = self.worker(privacy)
        while await worker.do_due():
            pass

    async def jobs(self) -> Sequence[Waiting]:
        async with self.database.unit_of_work(()) as uow:
            return (await uow.session.scalars(select(Waiting).order_by(Waiting.id))).all()

    async def make_due(self, **changes: Any) -> None:
        async with self.database.unit_of_work(()) as uow:
            await uow.session.execute(update(Waiting).values(due_at=datetime(2026, 1, 1, tzinfo=UTC), **changes))

    async def dead_letters(self) -> Sequence[DeadLetter]:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            return (await uow.session.scalars(select(DeadLetter))).all()


@pytest_asyncio.fixture(loop_scope="session")
async def ingest(machine: Machine, tenant_id: UUID) -> AsyncIterator[Ingest]:
    await machine.empty("ingest")
    database = machine.database("ingest")
    yield Ingest(database, tenant_id)
    await database.close()


class TestDeposits:
    async def test_what_is_held_is_handed_over_whole(self, ingest: Ingest, tenant_id: UUID) -> None:
        await ingest.keep(b'{"item": {"text": "mine"}}', "Olá".encode(), b"\xff\x00")
        await ingest.keep(b"of another", sender_ref="anothers")
        privacy = await ingest.hand_over(asked(tenant_id, attempt=2))
        assert [row["body"] for row in privacy.rows] == [{"item": {"text": "mine"}}, "Olá", "/wA="]
        assert (privacy.completion.parts, privacy.completion.digest) == (1, privacy.digest)
        raw_events = privacy.completion.tables["raw_events"]
        assert (raw_events.rows, raw_events.categories) == (3, {"body": "message.content"})
        assert privacy.completion.tables["dead_letters"].rows == 0
        assert "chat_sessions" not in privacy.completion.tables, "nobody asked for a visitor"
        assert not await ingest.jobs()

    async def test_what_does_not_fit_into_one_part_comes_in_several(self, ingest: Ingest, tenant_id: UUID) -> None:
        bodies = [f"{number} ".encode() * 50_000 for number in range(10)]
        await ingest.keep(*bodies)
        privacy = await ingest.hand_over(asked(tenant_id))
        assert [row["body"].encode() for row in privacy.rows] == bodies
        assert list(privacy.taken) == list(range(1, len(privacy.taken) + 1))
        assert len(privacy.taken) == privacy.completion.parts + 1 >= 4
        assert privacy.completion.digest == privacy.digest
        assert privacy.completion.tables["raw_events"].rows == 10

    async def test_a_row_longer_than_a_part_comes_in_pieces(self, ingest: Ingest, tenant_id: UUID) -> None:
        body = orjson.dumps(['\u20ac"\\' * 300_000])
        await ingest.keep(b"before", body, b"after")
        privacy = await ingest.hand_over(asked(tenant_id))
        before, *pieces, after = privacy.rows
        assert [piece[PIECE] for piece in pieces] == [[number, len(pieces)] for number in range(1, len(pieces) + 1)]
        assert orjson.loads("".join(piece["json"] for piece in pieces))["body"] == orjson.loads(body)
        assert (before["body"], after["body"]) == ("before", "after")
        assert privacy.completion.tables["raw_events"].rows == 3

    async def test_a_restart_in_the_middle_changes_nothing(self, ingest: Ingest, tenant_id: UUID) -> None:
        await ingest.keep(*(b"%d" % number * 90_000 for number in range(8)))
        undisturbed = await ingest.hand_over(asked(tenant_id))
        privacy = Privacy(asked(tenant_id), silent_at=2)
        await hear(SERVICES["ingest"], ingest.database, privacy.request, now=datetime.now(UTC))
        await ingest.worker(privacy).do_due()
        dying = asyncio.create_task(ingest.worker(privacy).do_due())
        await asyncio.wait_for(privacy.is_silent.wait(), 10)
        dying.cancel()
        with suppress(asyncio.CancelledError):
            await dying
        privacy.silent_at = None
        await ingest.make_due(lease_until=datetime(2026, 1, 1, tzinfo=UTC))
        await ingest.work_off(privacy)
        assert privacy.taken == undisturbed.taken
        assert privacy.calls == undisturbed.calls + 1

    @pytest.mark.parametrize("away", [503, 429, httpx.ConnectError("no"), httpx.ReadTimeout("no")], ids=str)
    async def test_however_long_privacy_is_away_nothing_dies(
        self, ingest: Ingest, tenant_id: UUID, away: int | Exception
    ) -> None:
        await ingest.keep(b"mine")
        privacy = Privacy(asked(tenant_id), answers=[away] * (ATTEMPTS + 2))
        await hear(SERVICES["ingest"], ingest.database, privacy.request, now=datetime.now(UTC))
        while privacy.answers:
            await ingest.work_off(privacy)
            (job,) = await ingest.jobs()
            assert job.due_at > datetime.now(UTC)
            await ingest.make_due()
        await ingest.work_off(privacy)
        assert privacy.completion.tables["raw_events"].rows == 1
        assert not await ingest.dead_letters()

    async def test_the_longer_privacy_is_away_the_less_often_it_is_tried(self, ingest: Ingest, tenant_id: UUID) -> None:
        waits = []
        for seconds in (0, 30, 600):
            privacy = Privacy(asked(tenant_id), answers=[503])
            began = datetime.now(UTC) - timedelta(seconds=seconds)
            await hear(SERVICES["ingest"], ingest.database, privacy.request, now=began)
            await ingest.work_off(privacy)
            waits.append((await ingest.jobs())[-1].due_at - datetime.now(UTC))
        assert [round(wait.total_seconds() / 10) for wait in waits] == [0, 3, 6]

    @pytest.mark.parametrize("status", [404, 409])
    async def test_a_request_that_collects_no_more_is_left_in_peace(
        self, ingest: Ingest, tenant_id: UUID, status: int
    ) -> None:
        privacy = Privacy(asked(tenant_id), answers=[status])
        await hear(SERVICES["ingest"], ingest.database, privacy.request, now=datetime.now(UTC))
        await ingest.work_off(privacy)
        assert (privacy.calls, privacy.taken) == (1, {})
        assert not await ingest.jobs()
        assert not await ingest.dead_letters()

    async def test_a_reference_that_can_be_nobodys_finds_nothing_and_hinders_nothing(
        self, ingest: Ingest, tenant_id: UUID
    ) -> None:
        await ingest.keep(b"mine")
        references = {"sender": ["mine"], "visitor": ["no id"], "shoe-size": ["44"]}
        privacy = await ingest.hand_over(asked(tenant_id, references=references))
        tables = privacy.completion.tables
        assert (tables["raw_events"].rows, tables["chat_sessions"].rows) == (1, 0)

    async def test_who_is_not_asked_hands_nothing_over(self, ingest: Ingest, tenant_id: UUID) -> None:
        assert not (await ingest.hand_over(asked(tenant_id, services=["routing"]))).calls

    async def test_a_later_attempt_takes_the_place_of_an_earlier_one(self, ingest: Ingest, tenant_id: UUID) -> None:
        first = asked(tenant_id)
        again = asked(tenant_id, request_id=first.request_id, attempt=2)
        await hear(SERVICES["ingest"], ingest.database, first, now=datetime.now(UTC))
        privacy = await ingest.hand_over(again)
        assert privacy.calls == 1

    async def test_a_key_that_does_not_open_is_told_by_a_dead_letter(self, ingest: Ingest, tenant_id: UUID) -> None:
        privacy = await ingest.hand_over(asked(tenant_id, Sealer(bytes(32))))
        (letter,) = await ingest.dead_letters()
        assert (letter.type, letter.reason) == (DepositPage.type, "the request's key does not open")
        assert not privacy.calls


PLACE = Place(tenant_id=UUID(int=1), request_id=UUID(int=2), service="ingest", attempt=1, number=1)


class TestParts:
    @pytest.mark.parametrize(
        "elsewhere",
        [
            {"tenant_id": UUID(int=3)},
            {"request_id": UUID(int=3)},
            {"service": "routing"},
            {"attempt": 2},
            {"number": 2},
        ],
    )
    def test_a_part_opens_in_its_own_place_alone(self, elsewhere: Row) -> None:
        sealed = seal_part(KEY, b"plain", PLACE)
        assert open_part(KEY, sealed, PLACE) == b"plain"
        with pytest.raises(SealBrokenError):
            open_part(KEY, sealed, replace(PLACE, **elsewhere))

    @given(sealed=st.binary(max_size=60))
    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    def test_what_was_never_sealed_does_not_open(self, sealed: bytes) -> None:
        with pytest.raises(SealBrokenError):
            open_part(KEY, sealed, PLACE)

    @pytest.mark.parametrize("plain", [b"", b"[]", b"7", b'{"table": 1}', b'{"complete": {}}', b'{"rows": []}'])
    def test_what_is_no_part_is_refused(self, plain: bytes) -> None:
        with pytest.raises(ValueError, match="no part"):
            read_part(plain)
