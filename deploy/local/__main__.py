"""The commands behind the Makefile: `python -m deploy.local run`, and so on."""

import argparse
import asyncio
import shutil
import signal
import sys
from typing import Final

from deploy.local import background
from deploy.local.plan import Ports
from deploy.local.running import Kind, running_set
from deploy.local.supervisor import StartError, alone, stop_leftovers
from deploy.processes import REPOSITORY

_ROOT: Final = REPOSITORY / ".local"


def main() -> int:
    arguments = _parser().parse_args()
    try:
        ports = Ports.of_environment()
        match arguments.command:
            case "run":
                return asyncio.run(_run(ports, arguments.kafka))
            case "kafka":
                print(f"Apache Kafka answers at {asyncio.run(background.start(_ROOT, ports, sys.stdout))}")
            case "kafka-stop":
                background.stop(_ROOT)
            case "beside-kafka":
                return asyncio.run(background.run_beside_apache(arguments.beside, sys.stdout))
            case "reset":
                _reset()
    except StartError as error:
        print(f"balcao: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start everything and stay until Ctrl-C")
    run.add_argument("--kafka", choices=("embedded", "apache"), default="embedded")
    commands.add_parser("kafka", help="start Apache Kafka in the background")
    commands.add_parser("kafka-stop", help="stop it")
    beside = commands.add_parser("beside-kafka", help="run a command beside a new and empty Apache Kafka")
    beside.add_argument("beside", nargs=argparse.REMAINDER, metavar="command")
    commands.add_parser("reset", help="delete all data of the local run")
    return parser


async def _run(ports: Ports, kafka: Kind) -> int:
    """Serve until Ctrl-C, SIGTERM or a closed terminal; a second of them kills instead of stopping."""
    _cancel_on_signals()
    try:
        async with running_set(_ROOT, ports.base, kafka=kafka, terminal=sys.stdout):
            print(
                f"Balcão is ready: gateway {ports.url('gateway')} (documentation at /docs), "
                f"webhooks {ports.url('ingest')}, provider simulator {ports.url('simulator')} (/docs), "
                f"demo tenant's key in {_ROOT / 'demo.json'}",
                flush=True,
            )
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        print("Balcão has stopped", flush=True)
    return 0


def _cancel_on_signals() -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup asks us not to end with the terminal.
        if task and (number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN):
            loop.add_signal_handler(number, task.cancel)


def _reset() -> None:
    if not _ROOT.exists():
        return
    with alone(_ROOT):
        stop_leftovers(_ROOT)
        background.stop(_ROOT)
        shutil.rmtree(_ROOT)


if __name__ == "__main__":
    sys.exit(main())
