"""Makes the databases and roles that the environment names: `python -m deploy.databases`.

`POSTGRES_ADMIN_URL` connects as a superuser. `INGEST_DATABASE_URL` names ingest's database and the role that uses it,
`INGEST_OWNER_DATABASE_URL` the role that owns and migrates it; and so on for every process.
"""

import asyncio
import os
import sys
from typing import Final
from urllib.parse import unquote, urlsplit

from deploy.migrate import variable_of
from deploy.processes import PROCESSES
from deploy.provision import ServiceDatabase, provision

_ADMIN: Final = "POSTGRES_ADMIN_URL"


def main() -> None:
    wanted = [_ADMIN, *(name for process in PROCESSES for name in _variables(process))]
    if missing := [name for name in wanted if name not in os.environ]:
        sys.exit(f"cannot make databases: {', '.join(missing)} not set")
    databases = [_database(*(os.environ[name] for name in _variables(process))) for process in PROCESSES]
    asyncio.run(provision(os.environ[_ADMIN], databases))


def _variables(process: str) -> tuple[str, str]:
    return f"{process.upper()}_DATABASE_URL", variable_of(process)


def _database(url: str, owner_url: str) -> ServiceDatabase:
    used, owned = urlsplit(url), urlsplit(owner_url)
    return ServiceDatabase(
        name=used.path.removeprefix("/"),
        role=used.username or "",
        password=unquote(used.password or ""),
        owner=owned.username or "",
        owner_password=unquote(owned.password or ""),
    )


if __name__ == "__main__":
    main()
