"""The index cards of all processes."""

import importlib
from typing import Any

from deploy.processes import PROCESSES, application_of
from shared.service import Service


def cards() -> list[Service[Any]]:
    """The card of each process, in the order of `PROCESSES`."""
    modules = [importlib.import_module(application_of(process).partition(":")[0]) for process in PROCESSES]
    return [module.service for module in modules]
