"""What the commands beside `make run` begin with: the keys and the database server of the local run."""

import sys
from pathlib import Path

from deploy.local.keys import Keys
from deploy.local.plan import Ports
from deploy.local.supervisor import StartError


def local_run(root: Path, *, to: str) -> tuple[Keys, int]:
    """Its keys, and the port of its Postgres; ends the program where there is no local run under `root`."""
    # Asked for its keys, a folder that has none would be given some.
    if not (root / "secrets.json").exists():
        sys.exit(f"cannot {to}: there is no local run here; `make run` starts one")
    try:
        return Keys.of(root), Ports.of_environment()["postgres"]
    except StartError as error:
        sys.exit(f"cannot {to}: {error}")
