"""Brings the tables of every service to the version of its code: `python -m deploy.migrate`.

The owner of each database is named in the environment, `INGEST_OWNER_DATABASE_URL` and so on.
"""

import os
import sys

from deploy.processes import PROCESSES, folder_of
from shared.db.migrations import upgrade


def variable_of(process: str) -> str:
    """The environment variable with the owner's address of a process's database."""
    return f"{process.upper()}_OWNER_DATABASE_URL"


def main() -> None:
    missing = [variable_of(process) for process in PROCESSES if variable_of(process) not in os.environ]
    if missing:
        sys.exit(f"cannot migrate: {', '.join(missing)} not set")
    for process in PROCESSES:
        upgrade(folder_of(process), os.environ[variable_of(process)])


if __name__ == "__main__":
    main()
