"""The processes that make up Balcão, in the order of their ports."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    # Who only wants the names should not have to load the processes.
    from shared.service import Service

REPOSITORY: Final = Path(__file__).resolve().parents[1]
PROCESSES: Final = ("gateway", "ingest", "routing", "conversation", "metrics", "privacy")


def folder_of(process: str) -> Path:
    """Where the code of a process and its migrations stand."""
    return REPOSITORY / ("gateway" if process == "gateway" else f"services/{process}")


def application_of(process: str) -> str:
    """What uvicorn serves."""
    return "gateway.app:app" if process == "gateway" else f"services.{process}.app:app"


def card_of(process: str) -> "Service[Any]":
    """The index card of a process."""
    card: Service[Any] = importlib.import_module(application_of(process).partition(":")[0]).service
    return card
