"""What the jobs before and beside the processes are told by their environment."""

import sys
from collections.abc import Iterable
from typing import Final

from shared.settings import variable

ADMIN: Final = "POSTGRES_ADMIN_URL"
"""The variable with a superuser's address of the server."""


def role_variable(process: str) -> str:
    """The variable with the address of a process's database as the process itself uses it."""
    return f"{process.upper()}_DATABASE_URL"


def required(names: Iterable[str], *, to: str) -> dict[str, str]:
    """These variables, themselves or from the files that `<NAME>_FILE` names; ends the program where one is not set.

    Raises `ValueError` for what is told twice, `OSError` for a file that cannot be read.
    """
    told = {name: variable(name) for name in names}
    if missing := [name for name, value in told.items() if value is None]:
        sys.exit(f"cannot {to}: {', '.join(missing)} not set")
    return {name: value for name, value in told.items() if value is not None}
