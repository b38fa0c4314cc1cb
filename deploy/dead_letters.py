"""Lists the dead letters of all processes, or replays them: `python -m deploy.dead_letters [replay …]`.

`replay --service conversation --id ID` gives one to its handlers again, `--all` all of them, oldest first.
`POSTGRES_ADMIN_URL` connects as a superuser, for nobody else sees what is there of all tenants; `INGEST_DATABASE_URL`
and so on name each database as its process knows it, and a replay has no other rights than that. Each may stand in a
file that `POSTGRES_ADMIN_URL_FILE` and so on name. What dead letters hold is neither read nor shown.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from deploy.environment import ADMIN, required, role_variable
from deploy.processes import PROCESSES, card_of
from shared.bus.consumer import Hears
from shared.bus.dead_letters import StillDeadError, replay_dead_letter
from shared.bus.retry import Poison
from shared.db import Database, is_outage
from shared.telemetry import describe

_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter without its content, and the process that keeps it."""

    service: str
    id: UUID
    tenant_id: UUID | None
    """None where what came was no event, or did not say whose it was."""
    type: str | None
    reason: str
    attempts: int
    died_at: datetime

    def __str__(self) -> str:
        return (
            f"{self.died_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z  {self.service}  {self.id}  tenant {self.tenant_id}"
            f"  {self.type}  {self.attempts} attempts  {self.reason}"
        )


@dataclass(frozen=True, slots=True)
class Databases:
    """Where dead letters are."""

    admin_url: str
    urls: Mapping[str, str]
    """By process, as the process itself connects."""


def main() -> None:
    variables = {process: role_variable(process) for process in PROCESSES}
    told = required([ADMIN, *variables.values()], to="reach dead letters")
    run(Databases(told[ADMIN], {process: told[name] for process, name in variables.items()}), sys.argv[1:])


def run(databases: Databases, arguments: Sequence[str]) -> None:
    """Do what the arguments ask for and say how it came out; raises `SystemExit` when anything is still dead."""
    wanted = _parser().parse_args(arguments)
    try:
        if wanted.command == "replay":
            asyncio.run(_replay(databases, wanted.service, wanted.id))
        else:
            asyncio.run(_list(databases))
    except Exception as failure:
        if not is_outage(failure):
            raise
        sys.exit("cannot reach dead letters: a database does not answer")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.dead_letters", description="Lists all dead letters.")
    commands = parser.add_subparsers(dest="command")
    replay = commands.add_parser("replay", help="give dead letters to their handlers again")
    replay.add_argument("--service", choices=PROCESSES, required=True)
    which = replay.add_mutually_exclusive_group(required=True)
    which.add_argument("--id", type=UUID)
    which.add_argument("--all", action="store_true")
    return parser


async def _list(databases: Databases) -> None:
    letters = [letter for process in PROCESSES for letter in await dead_letters(databases, process)]
    print("\n".join([*map(str, sorted(letters, key=lambda letter: letter.died_at)), f"{len(letters)} dead letters"]))


async def _replay(databases: Databases, process: str, only: UUID | None) -> None:
    letters = [letter for letter in await dead_letters(databases, process) if only in {None, letter.id}]
    if only is not None and not letters:
        sys.exit(f"{process} has no dead letter {only}")
    database = Database(databases.urls[process], pool=2, application="balcao-dead-letters")
    try:
        still_dead = {letter.id: why for letter in letters if (why := await replay(letter, database)) is not None}
    finally:
        await database.close()
    print(f"{len(letters) - len(still_dead)} of {len(letters)} dead letters took effect")
    if still_dead:
        sys.exit("\n".join(f"{id_} is still dead: {why}" for id_, why in still_dead.items()))


async def dead_letters(databases: Databases, process: str) -> Sequence[Letter]:
    """All that a process keeps, of whatever tenant, oldest first; raises asyncpg's and the system's errors."""
    name = urlsplit(databases.urls[process]).path
    admin_url = urlsplit(databases.admin_url)._replace(path=name).geturl()
    # Who may not see the rows of all tenants is refused, and not shown fewer.
    settings = {"row_security": "off"}
    admin = await asyncpg.connect(admin_url, timeout=_SECONDS, command_timeout=_SECONDS, server_settings=settings)
    try:
        rows = await admin.fetch("SELECT id, tenant_id, type, reason, attempts, died_at FROM dead_letters ORDER BY id")
    finally:
        await admin.close(timeout=_SECONDS)
    return [Letter(process, **row) for row in rows]


async def replay(letter: Letter, database: Database) -> str | None:
    """Give it to its handlers again, in one transaction; None when it took effect or is gone, else why it did not.

    Raises what the database raises when it is away.
    """
    if letter.tenant_id is None:
        return "nobody knows whose it is"
    hears: Hears = card_of(letter.service).hears
    try:
        async with database.unit_of_work([letter.tenant_id]) as uow:
            await replay_dead_letter(letter.tenant_id, letter.id, hears, uow)
    except (StillDeadError, Poison) as still:
        return str(still)
    except Exception as failure:
        if is_outage(failure):
            raise
        return describe(failure)
    return None


if __name__ == "__main__":
    main()
