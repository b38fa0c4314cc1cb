"""Lists or replays the dead letters of the local run: `python -m deploy.local.dead_letters`, beside `make run`."""

import sys
from typing import Final

from deploy.dead_letters import Databases, run
from deploy.local.keys import Keys
from deploy.local.plan import HOST, Ports, database_of
from deploy.local.postgres import Postgres
from deploy.local.supervisor import StartError
from deploy.processes import PROCESSES, REPOSITORY

_ROOT: Final = REPOSITORY / ".local"


def main() -> None:
    # Asked for its keys, a folder that has none would be given some.
    if not (_ROOT / "secrets.json").exists():
        sys.exit("cannot reach dead letters: there is no local run here; `make run` starts one")
    try:
        keys, port = Keys.of(_ROOT), Ports.of_environment()["postgres"]
    except StartError as error:
        sys.exit(f"cannot reach dead letters: {error}")
    urls = {process: database_of(process, keys).url(HOST, port) for process in PROCESSES}
    run(Databases(Postgres(_ROOT, port, keys.derived("postgres")).admin_url, urls), sys.argv[1:])


if __name__ == "__main__":
    main()
