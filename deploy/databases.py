"""Makes the databases and roles that the environment names: `python -m deploy.databases`.

`POSTGRES_ADMIN_URL` connects as a superuser. `INGEST_DATABASE_URL` names ingest's database and the role that uses it,
`INGEST_OWNER_DATABASE_URL` the role that owns and migrates it; and so on for every process. Each may stand in a file
that `POSTGRES_ADMIN_URL_FILE` and so on name.
"""

import asyncio
from urllib.parse import unquote, urlsplit

from deploy.environment import ADMIN, required, role_variable
from deploy.migrate import variable_of
from deploy.processes import PROCESSES
from deploy.provision import ServiceDatabase, provision


def main() -> None:
    told = required([ADMIN, *(name for process in PROCESSES for name in _variables(process))], to="make databases")
    databases = [_database(*(told[name] for name in _variables(process))) for process in PROCESSES]
    asyncio.run(provision(told[ADMIN], databases))


def _variables(process: str) -> tuple[str, str]:
    return role_variable(process), variable_of(process)


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
