"""Lists or replays the dead letters of the local run: `python -m deploy.local.dead_letters`, beside `make run`."""

import sys
from typing import Final

from deploy.dead_letters import Databases, run
from deploy.local.beside import local_run
from deploy.local.plan import HOST, database_of
from deploy.local.postgres import Postgres
from deploy.processes import PROCESSES, REPOSITORY

_ROOT: Final = REPOSITORY / ".local"


def main() -> None:
    keys, port = local_run(_ROOT, to="reach dead letters")
    urls = {process: database_of(process, keys).url(HOST, port) for process in PROCESSES}
    run(Databases(Postgres(_ROOT, port, keys.derived("postgres")).admin_url, urls), sys.argv[1:])


if __name__ == "__main__":
    main()
