"""Measures everything of the local run anew: `python -m deploy.local.recompute`, beside `make run`."""

import sys
from typing import Final

from deploy.local.keys import Keys
from deploy.local.plan import HOST, Ports, database_of
from deploy.local.supervisor import StartError
from deploy.processes import REPOSITORY
from deploy.recompute import run

_ROOT: Final = REPOSITORY / ".local"


def main() -> None:
    # Asked for its keys, a folder that has none would be given some.
    if not (_ROOT / "secrets.json").exists():
        sys.exit("cannot recompute: there is no local run here; `make run` starts one")
    try:
        url = database_of("metrics", Keys.of(_ROOT)).url(HOST, Ports.of_environment()["postgres"])
    except StartError as error:
        sys.exit(f"cannot recompute: {error}")
    run(url)


if __name__ == "__main__":
    main()
