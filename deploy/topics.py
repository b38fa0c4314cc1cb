"""Creates the topics that are not there yet: `python -m deploy.topics`.

`TOPICS_BROKER_SERVERS` names the broker, `TOPICS_REPLICATION` how many brokers hold each record (3 if not said).
"""

import asyncio
import os
import sys

from shared.bus.topics import KafkaError, create_topics
from shared.events import TOPICS


def main() -> None:
    servers = os.environ.get("TOPICS_BROKER_SERVERS")
    replication = os.environ.get("TOPICS_REPLICATION", "3")
    if not servers or not replication.isdecimal():
        sys.exit("cannot create topics: TOPICS_BROKER_SERVERS must be set, and TOPICS_REPLICATION be a number")
    try:
        asyncio.run(create_topics(servers, TOPICS.values(), replication=int(replication)))
    except (KafkaError, TimeoutError) as error:
        sys.exit(f"cannot create topics at {servers}: {type(error).__name__}")


if __name__ == "__main__":
    main()
