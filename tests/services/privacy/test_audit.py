"""The audit chain: nobody changes, removes or adds to what was written down without its being found, and where."""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from services.privacy import handlers
from services.privacy.domain.audit import BEGINNING, Entry
from services.privacy.handlers.audit import SEALED_WITHIN, write_down
from shared.db import Database, Waiting
from shared.ids import new_id
from shared.jobs import Worker
from shared.personal import Sealer
from tests.support.events import NOON
from tests.support.machine import Machine
from tests.support.server import administering
from tests.support.serving import Served

ROOT = bytes(range(32))
BEHIND_ITS_BACK = "SET session_replication_role = replica"
"""Lets a superuser write past the triggers."""


@dataclass(frozen=True)
class Trail:
    """A tenant's chain, written to, looked at and tampered with."""

    served: Served
    database: Database
    machine: Machine
    tenant_id: UUID

    @property
    def dpo(self) -> httpx.AsyncClient:
        return self.served.caller(self.tenant_id, ["privacy:read"])

    async def write(self, count: int, **told: Any) -> None:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            for number in range(count):
                await write_down(
                    uow, tenant_id=self.tenant_id, actor="privacy", action="looked", details={"number": number}, **told
                )

    async def waiting(self) -> int:
        """How many jobs to seal it there are."""
        async with self.database.unit_of_work(()) as uow:
            query = select(func.count()).select_from(Waiting).where(Waiting.key == f"audit|{self.tenant_id}")
            return (await uow.session.execute(query)).scalar_one()

    async def begin_sealing(self) -> None:
        """As a worker that is at it."""
        async with self.database.unit_of_work(()) as uow:
            own = update(Waiting).where(Waiting.key == f"audit|{self.tenant_id}")
            await uow.session.execute(own.values(lease_until=uow.now + timedelta(minutes=1)))

    async def seal(self) -> None:
        """As the jobs of the process do it."""
        worker = Worker({handlers.SealAuditChain: handlers.SEALING}, self.database, Sealer(ROOT))
        while await worker.do_due():
            pass

    async def verify(self, head: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = await self.dpo.get("/privacy/audit/verification", params=head or {})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def tamper(self, *statements: str) -> None:
        async with administering(self.machine, "privacy") as admin:
            await admin.execute(BEHIND_ITS_BACK)
            for statement in statements:
                await admin.execute(statement, self.tenant_id)


@pytest.fixture
def trail(served: Served, database: Database, machine: Machine, tenant_id: UUID) -> Trail:
    return Trail(served, database, machine, tenant_id)


def test_the_hash_is_that_of_the_hash_before_and_the_canonical_entry() -> None:
    entry = Entry(
        tenant_id=UUID(int=1),
        seq=1,
        at=NOON,
        actor="privacy",
        action="looked",
        request_id=None,
        subject_id=UUID(int=2),
        details={"b": 1, "a": None},
    )
    canonical = (
        '{"action":"looked","actor":"privacy","at":"2026-11-20T12:00:00.000000+00:00","details":{"a":null,"b":1},'
        '"request_id":null,"seq":1,"subject_id":"00000000-0000-0000-0000-000000000002",'
        '"tenant_id":"00000000-0000-0000-0000-000000000001"}'
    )
    assert entry.hash_after(BEGINNING) == hashlib.sha256(bytes(32) + canonical.encode()).digest()


async def test_an_empty_trail_is_whole(trail: Trail) -> None:
    assert await trail.verify() == {"valid": True, "entries": 0, "head": None, "broken_at": None}


async def test_what_was_written_down_is_listed_newest_first_page_by_page(trail: Trail) -> None:
    request_id, subject_id = new_id(), new_id()
    await trail.write(3)
    await trail.write(2, request_id=request_id, subject_id=subject_id)
    first = (await trail.dpo.get("/privacy/audit?limit=4")).json()
    rest = (await trail.dpo.get("/privacy/audit", params={"cursor": first["next_cursor"]})).json()
    assert [entry["seq"] for entry in first["items"] + rest["items"]] == [5, 4, 3, 2, 1]
    assert rest["next_cursor"] is None
    own = (await trail.dpo.get("/privacy/audit", params={"request_id": str(request_id)})).json()["items"]
    assert [(entry["seq"], entry["subject_id"], entry["details"]) for entry in own] == [
        (5, str(subject_id), {"number": 1}),
        (4, str(subject_id), {"number": 0}),
    ]


async def test_a_trail_that_nobody_touched_is_valid_and_goes_on_from_a_noted_head(trail: Trail) -> None:
    await trail.write(3)
    await trail.seal()
    noted = (await trail.verify())["head"]
    await trail.write(250)
    told = await trail.verify(noted)
    assert (told["valid"], told["entries"], told["broken_at"]) == (True, 253, None)
    assert noted["seq"] == 3


async def test_writers_at_the_same_time_make_neither_gap_nor_fork(trail: Trail) -> None:
    await asyncio.gather(*(trail.write(3) for _ in range(6)))
    told = await trail.verify()
    assert (told["valid"], told["entries"]) == (True, 18)


async def test_a_burst_is_sealed_by_one_job_and_what_comes_meanwhile_by_another(trail: Trail) -> None:
    await asyncio.gather(*(trail.write(3) for _ in range(6)))
    assert await trail.waiting() == 1
    await trail.begin_sealing()
    await trail.write(2)
    assert await trail.waiting() == 2, "the job that was begun may not have seen it"


async def test_what_is_rolled_back_leaves_no_gap(trail: Trail) -> None:
    await trail.write(1)
    with suppress(ZeroDivisionError):
        async with trail.database.unit_of_work([trail.tenant_id]) as uow:
            await write_down(uow, tenant_id=trail.tenant_id, actor="privacy", action="failed")
            raise ZeroDivisionError
    await trail.write(1)
    assert (await trail.verify())["entries"] == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor = 'nobody' WHERE tenant_id = :tenant",
        "DELETE FROM audit_entries WHERE tenant_id = :tenant",
    ],
)
async def test_the_database_refuses_to_change_or_remove_entries(trail: Trail, statement: str) -> None:
    await trail.write(1)
    with pytest.raises(DBAPIError, match="neither changed nor removed"):
        async with trail.database.unit_of_work([trail.tenant_id]) as uow:
            await uow.session.execute(text(statement), {"tenant": trail.tenant_id})


async def test_not_even_the_owner_of_the_table_empties_it(machine: Machine) -> None:
    owner = machine.databases["privacy"].owner_url("127.0.0.1", machine.ports["postgres"])
    connection = await asyncpg.connect(owner)
    try:
        with pytest.raises(asyncpg.RaiseError, match="neither changed nor removed"):
            await connection.execute("TRUNCATE audit_entries")
    finally:
        await connection.close()


_OF_TENANT = "FROM audit_entries WHERE tenant_id = $1"
_COLUMNS = "tenant_id, seq, at, actor, action, details, previous_hash, hash"
_CHANGE = "UPDATE audit_entries SET {} WHERE tenant_id = $1 AND {}"
_SWAP = [_CHANGE.format("seq = -seq", "seq IN (3, 5)"), _CHANGE.format("seq = seq + 8", "seq < 0")]
_PUT_IN = [
    _CHANGE.format("seq = -seq - 1", "seq > 5"),
    _CHANGE.format("seq = -seq", "seq < 0"),
    f"INSERT INTO audit_entries ({_COLUMNS}) SELECT {_COLUMNS.replace('seq', '6')} {_OF_TENANT} AND seq = 5",
]


@pytest.mark.parametrize(
    ("done", "where", "why"),
    [
        ([_CHANGE.format("actor = 'nobody'", "seq = 4")], 4, "changed"),
        ([_CHANGE.format("at = at + interval '1 microsecond'", "seq = 7")], 7, "changed"),
        ([_CHANGE.format("details = '{}'", "seq = 10")], 10, "changed"),
        ([_CHANGE.format("hash = sha256('x')", "seq = 2")], 2, "changed"),
        ([f"DELETE {_OF_TENANT} AND seq = 1"], 1, "missing"),
        ([f"DELETE {_OF_TENANT} AND seq = 6"], 6, "missing"),
        ([f"DELETE {_OF_TENANT} AND seq > 8"], 9, "missing"),
        ([f"DELETE {_OF_TENANT}"], 1, "missing"),
        (_SWAP, 3, "not in line"),
        (_PUT_IN, 6, "not in line"),
    ],
)
async def test_tampering_behind_the_database_s_back_is_found_where_it_was_done(
    trail: Trail, done: Sequence[str], where: int, why: str
) -> None:
    await trail.write(10)
    await trail.seal()
    await trail.tamper(*done)
    told = await trail.verify()
    assert (told["valid"], told["broken_at"]) == (False, {"seq": where, "why": why})
    assert told["entries"] == where - 1


async def _written_anew(trail: Trail, admin: asyncpg.Connection, actor: str) -> None:
    """The whole chain as who has only the database would forge it: every hash is right."""
    previous = BEGINNING
    for row in await admin.fetch(f"SELECT * {_OF_TENANT} ORDER BY seq", trail.tenant_id):
        fields = {name: row[name] for name in Entry.__dataclass_fields__}
        hash_ = Entry(**fields | {"actor": actor, "details": {}}).hash_after(previous)
        await admin.execute(
            "UPDATE audit_entries SET actor = $3, details = '{}', previous_hash = $4, hash = $5"
            " WHERE tenant_id = $1 AND seq = $2",
            trail.tenant_id, row["seq"], actor, previous, hash_,
        )  # fmt: skip
        previous = hash_


async def test_a_trail_that_was_written_anew_does_not_fit_its_seal_nor_a_noted_head(trail: Trail) -> None:
    await trail.write(3)
    noted = (await trail.verify())["head"]
    async with administering(trail.machine, "privacy") as admin:
        await admin.execute(BEHIND_ITS_BACK)
        await _written_anew(trail, admin, "forger")
    assert (await trail.verify())["valid"]
    assert (await trail.verify(noted))["broken_at"] == {"seq": 3, "why": "not as noted"}
    await trail.seal()
    await trail.write(1)
    async with administering(trail.machine, "privacy") as admin:
        await admin.execute(BEHIND_ITS_BACK)
        await _written_anew(trail, admin, "another forger")
    assert (await trail.verify())["broken_at"] == {"seq": 3, "why": "not as sealed"}


async def test_a_seal_that_was_changed_or_taken_from_elsewhere_fits_nothing(trail: Trail) -> None:
    await trail.write(2)
    await trail.seal()
    await trail.tamper("UPDATE audit_seals SET seq = 1 WHERE tenant_id = $1")
    assert (await trail.verify())["broken_at"] == {"seq": 1, "why": "not as sealed"}


async def test_entries_cut_off_with_their_seal_show_by_a_noted_head(trail: Trail) -> None:
    await trail.write(4)
    await trail.seal()
    noted = (await trail.verify())["head"]
    await trail.tamper(f"DELETE {_OF_TENANT} AND seq > 2", "DELETE FROM audit_seals WHERE tenant_id = $1")
    assert (await trail.verify(noted))["broken_at"] == {"seq": 3, "why": "missing"}


async def test_old_entries_without_a_seal_are_not_believed(trail: Trail) -> None:
    old = datetime.now(UTC) - SEALED_WITHIN - timedelta(seconds=1)
    async with trail.database.unit_of_work([trail.tenant_id], now=old) as uow:
        await write_down(uow, tenant_id=trail.tenant_id, actor="privacy", action="looked")
    assert (await trail.verify())["broken_at"] == {"seq": 1, "why": "not sealed"}
    await trail.seal()
    assert (await trail.verify())["valid"]


async def test_a_head_is_asked_for_whole(trail: Trail) -> None:
    halves: list[dict[str, Any]] = [
        {"seq": 1},
        {"hash": "0" * 64},
        {"seq": 1, "hash": "z"},
        {"seq": 0, "hash": "0" * 64},
    ]
    for half in halves:
        assert (await trail.dpo.get("/privacy/audit/verification", params=half)).status_code == 422


async def test_a_trail_is_its_tenant_s_alone_and_for_who_serves_privacy(trail: Trail) -> None:
    await trail.write(2)
    stranger = trail.served.caller(new_id())
    assert (await stranger.get("/privacy/audit")).json()["items"] == []
    assert (await stranger.get("/privacy/audit/verification")).json()["entries"] == 0
    agent = trail.served.caller(trail.tenant_id, ["privacy:request", "privacy:write"])
    for path in ("/privacy/audit", "/privacy/audit/verification"):
        assert (await agent.get(path)).status_code == 403
