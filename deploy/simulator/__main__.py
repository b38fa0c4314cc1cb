"""Serves the simulator: `python -m deploy.simulator --port 8010`."""

import argparse

import uvicorn

from deploy.simulator.app import served
from shared.personal import redact
from shared.telemetry import redaction, start_logging

_GRACE_SECONDS = 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.simulator", description="Plays WhatsApp's side.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8010)
    wanted = parser.parse_args()
    start_logging("simulator", "info", redaction(redact))
    uvicorn.run(
        served(),
        host=wanted.host,
        port=wanted.port,
        loop="uvloop",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


if __name__ == "__main__":
    main()
