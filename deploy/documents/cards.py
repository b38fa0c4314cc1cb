"""The index cards of all processes."""

from typing import Any

from deploy.processes import PROCESSES, card_of
from shared.service import Service


def cards() -> list[Service[Any]]:
    """The card of each process, in the order of `PROCESSES`."""
    return [card_of(process) for process in PROCESSES]
