"""`make dead-letters`: what could not take effect, of all processes and tenants, and another try for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import select

from deploy.dead_letters import Databases, main, run
from deploy.environment import ADMIN, role_variable
from deploy.local import dead_letters as local
from deploy.processes import PROCESSES
from services.conversation.models import Message
from shared.db import Database, DeadLetter
from shared.events import Record
from shared.ids import new_id
from tests.support.events import NOON, as_record, message_received
from tests.support.machine import Machine


@pytest.fixture
def databases(machine: Machine) -> Databases:
    return Databases(machine.admin_url, {process: machine.url(process) for process in PROCESSES})


@pytest_asyncio.fixture(loop_scope="session")
async def conversation(machine: Machine) -> AsyncIterator[Database]:
    for process in PROCESSES:
        await machine.empty(process)
    database = machine.database("conversation")
    yield database
    await database.close()


def record(tenant_id: UUID, number: int) -> Record:
    return as_record(message_received(tenant_id, number=number))


async def bury(database: Database, tenant_id: UUID | None, buried: Record, reason: str, *, data: bytes) -> UUID:
    """A dead letter as a consumer writes it; whose it is, the row alone says."""
    id_ = new_id()
    letter = DeadLetter(
        id=id_,
        tenant_id=tenant_id,
        event_id=UUID(buried.headers["ce_id"]),
        type=buried.headers["ce_type"],
        topic=buried.topic,
        partition=3,
        offset=14,
        key=buried.key,
        headers=buried.headers,
        data=data,
        personal=buried.personal,
        reason=reason,
        attempts=6,
        died_at=NOON,
    )
    async with database.unit_of_work([tenant_id] if tenant_id else []) as uow:
        uow.session.add(letter)
    return id_


async def curable(database: Database, tenant_id: UUID, number: int = 0) -> UUID:
    buried = record(tenant_id, number)
    return await bury(database, tenant_id, buried, "IntegrityError 23505", data=buried.data)


async def hopeless(database: Database, tenant_id: UUID | None) -> UUID:
    return await bury(database, tenant_id, record(tenant_id or new_id(), 9), "no event", data=b"{}")


async def texts(database: Database, tenant_id: UUID) -> list[str | None]:
    async with database.unit_of_work([tenant_id]) as uow:
        rows = await uow.session.scalars(
            select(Message.text).where(Message.tenant_id == tenant_id).order_by(Message.id)
        )
        return list(rows)


async def test_all_are_listed_whosever_they_are_and_nothing_of_what_they_hold(
    databases: Databases, conversation: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    tenants = [new_id(), new_id()]
    letters = [await curable(conversation, tenant_id) for tenant_id in tenants] + [await hopeless(conversation, None)]
    await asyncio.to_thread(run, databases, [])
    *lines, summary = capsys.readouterr().out.splitlines()
    assert summary == "3 dead letters"
    of = "ingest.message-received.v1  6 attempts"
    assert lines == [
        f"2026-11-20 12:00:00Z  conversation  {letters[0]}  tenant {tenants[0]}  {of}  IntegrityError 23505",
        f"2026-11-20 12:00:00Z  conversation  {letters[1]}  tenant {tenants[1]}  {of}  IntegrityError 23505",
        f"2026-11-20 12:00:00Z  conversation  {letters[2]}  tenant None  {of}  no event",
    ]


async def test_one_that_takes_effect_now_is_gone(
    databases: Databases, conversation: Database, tenant_id: UUID, capsys: pytest.CaptureFixture[str]
) -> None:
    letter, other = await curable(conversation, tenant_id), await curable(conversation, tenant_id, 1)
    await asyncio.to_thread(run, databases, ["replay", "--service", "conversation", "--id", str(letter)])
    assert capsys.readouterr().out == "1 of 1 dead letters took effect\n"
    assert await texts(conversation, tenant_id) == ["text 0"]
    await asyncio.to_thread(run, databases, [])
    assert str(other) in (told := capsys.readouterr().out)
    assert str(letter) not in told


async def test_of_all_those_that_cannot_take_effect_keep_no_other_from_it_and_are_named(
    databases: Databases, conversation: Database, tenant_id: UUID, capsys: pytest.CaptureFixture[str]
) -> None:
    still = [await hopeless(conversation, tenant_id), await hopeless(conversation, None)]
    for number in range(2):
        await curable(conversation, tenant_id, number)
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(run, databases, ["replay", "--service", "conversation", "--all"])
    assert capsys.readouterr().out == "2 of 4 dead letters took effect\n"
    unreadable, ownerless = str(ended.value).splitlines()
    assert unreadable.startswith(f"{still[0]} is still dead: ingest.message-received.v1: ")
    assert ownerless == f"{still[1]} is still dead: nobody knows whose it is"
    assert sorted(filter(None, await texts(conversation, tenant_id))) == ["text 0", "text 1"]


async def test_one_that_is_not_there_is_said_not_to_be(databases: Databases) -> None:
    unknown = new_id()
    with pytest.raises(SystemExit, match=f"routing has no dead letter {unknown}"):
        await asyncio.to_thread(run, databases, ["replay", "--service", "routing", "--id", str(unknown)])


@pytest.mark.parametrize("arguments", [["replay"], ["replay", "--service", "routing"], ["replay", "--all"]])
def test_what_is_to_be_replayed_must_be_said(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(Databases("", {}), arguments)


def test_a_database_that_is_away_is_said_to_be(databases: Databases) -> None:
    away = Databases("postgresql://postgres@127.0.0.1:1/postgres", databases.urls)
    with pytest.raises(SystemExit, match="a database does not answer"):
        run(away, [])


async def test_the_command_takes_its_addresses_from_the_environment(
    databases: Databases,
    conversation: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(ADMIN, databases.admin_url)
    for process, url in databases.urls.items():
        monkeypatch.setenv(role_variable(process), url)
    monkeypatch.setattr("sys.argv", ["deploy.dead_letters"])
    await asyncio.to_thread(main)
    assert capsys.readouterr().out == "0 dead letters\n"


async def test_beside_the_local_run_it_finds_the_addresses_itself(
    machine: Machine,
    conversation: Database,
    tenant_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    letter = await curable(conversation, tenant_id)
    monkeypatch.setattr(local, "_ROOT", machine.root)
    monkeypatch.setenv("BALCAO_PORT_BASE", str(machine.ports.base))
    for arguments in ([], ["replay", "--service", "conversation", "--id", str(letter)]):
        monkeypatch.setattr("sys.argv", ["deploy.local.dead_letters", *arguments])
        await asyncio.to_thread(local.main)
    listed, summary, replayed = capsys.readouterr().out.splitlines()
    assert str(letter) in listed
    assert (summary, replayed) == ("1 dead letters", "1 of 1 dead letters took effect")


def test_where_there_is_no_local_run_it_says_so_and_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_ROOT", tmp_path)
    with pytest.raises(SystemExit, match="there is no local run here"):
        local.main()
    assert not list(tmp_path.iterdir())
