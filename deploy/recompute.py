"""Measures everything anew from the log of facts, while the services go on working: `python -m deploy.recompute`.

`METRICS_DATABASE_URL` names metrics' database as the service knows it, or `METRICS_DATABASE_URL_FILE` a file that does.
What it prints is how many conversations and measures there are, and of how many conversations something else was
measured before: none, or the figures were not what the facts say, and it ends with 1. So it does when conversations
cannot be measured, and it tells their ids.
"""

import asyncio
import sys

from deploy.environment import required, role_variable
from services.metrics.handlers import Remeasured, remeasure_all
from shared.db import Database, is_outage


def main() -> None:
    variable = role_variable("metrics")
    run(required([variable], to="recompute")[variable])


def run(database_url: str) -> None:
    """Do it, and say how it came out; raises `SystemExit` when it came out different, or could not be done for all."""
    try:
        came_out = asyncio.run(recompute(database_url))
    except Exception as failure:
        if not is_outage(failure):
            raise
        sys.exit("cannot recompute: metrics' database does not answer")
    print(told(came_out))
    if came_out.different or came_out.unmeasurable:
        sys.exit(1)


async def recompute(database_url: str) -> Remeasured:
    """How it came out for all tenants."""
    database = Database(database_url, pool=2, application="balcao-recompute")
    try:
        return await remeasure_all(database)
    finally:
        await database.close()


def told(came_out: Remeasured) -> str:
    """In words, and a line for each conversation that could not be measured."""
    summary = (
        f"{came_out.measures} measures of {came_out.conversations} conversations were computed anew from the facts;"
        f" {came_out.different} conversations came out different from before"
    )
    if not came_out.unmeasurable:
        return summary
    named = [f"conversation {one.conversation_id} of tenant {one.tenant_id}" for one in came_out.unmeasurable]
    return "\n".join([summary, f"{len(named)} conversations could not be measured:", *named])


if __name__ == "__main__":
    main()
