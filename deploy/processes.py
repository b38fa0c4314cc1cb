"""The processes that make up Balcão, in the order of their ports."""

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[1]
PROCESSES: Final = ("gateway", "ingest", "routing", "conversation", "metrics", "privacy")


def folder_of(process: str) -> Path:
    """Where the code of a process and its migrations stand."""
    return REPOSITORY / ("gateway" if process == "gateway" else f"services/{process}")


def application_of(process: str) -> str:
    """What uvicorn serves."""
    return "gateway.app:app" if process == "gateway" else f"services.{process}.app:app"
