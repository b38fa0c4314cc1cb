"""Brings the tables of every service to the version of its code: `python -m deploy.migrate`.

The owner of each database is named in the environment, `INGEST_OWNER_DATABASE_URL` and so on, or in files that
`INGEST_OWNER_DATABASE_URL_FILE` and so on name.
"""

from deploy.environment import required
from deploy.processes import PROCESSES, folder_of
from shared.db.migrations import upgrade


def variable_of(process: str) -> str:
    """The environment variable with the owner's address of a process's database."""
    return f"{process.upper()}_OWNER_DATABASE_URL"


def main() -> None:
    owners = required(map(variable_of, PROCESSES), to="migrate")
    for process in PROCESSES:
        upgrade(folder_of(process), owners[variable_of(process)])


if __name__ == "__main__":
    main()
