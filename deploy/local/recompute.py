"""Measures everything of the local run anew: `python -m deploy.local.recompute`, beside `make run`."""

from typing import Final

from deploy.local.beside import local_run
from deploy.local.plan import HOST, database_of
from deploy.processes import REPOSITORY
from deploy.recompute import run

_ROOT: Final = REPOSITORY / ".local"


def main() -> None:
    keys, port = local_run(_ROOT, to="recompute")
    run(database_of("metrics", keys).url(HOST, port))


if __name__ == "__main__":
    main()
