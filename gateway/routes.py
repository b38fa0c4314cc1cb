"""The public surface as data: which service answers which path."""

import re
from dataclasses import dataclass

SERVICES = ("ingest", "routing", "conversation", "metrics", "privacy")

PUBLIC: dict[str, str] = {
    "channels": "ingest",
    "raw-events": "ingest",
    "waiting": "routing",
    "conversations": "conversation",
    "contacts": "conversation",
    "metrics": "metrics",
    "privacy": "privacy",
}
"""The first part of a path under /v1, and who answers it."""

BEGINNINGS = tuple(f"/v1/{first}" for first in (*PUBLIC, "operations"))
"""How the paths begin that other services answer."""

# Nothing that a client, a proxy or a server might resolve differently than it was matched here.
_PLAIN = re.compile(r"/v1(/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")


@dataclass(frozen=True, slots=True)
class Destination:
    """The service that answers, and the path under which it knows what was asked for."""

    service: str
    path: str


def destination(path: str) -> Destination | None:
    """Where a public path leads; None when nowhere."""
    if not _PLAIN.fullmatch(path):
        return None
    first, *rest = path.removeprefix("/v1/").split("/")
    if first in PUBLIC:
        return Destination(PUBLIC[first], path.removeprefix("/v1"))
    if first == "operations" and len(rest) >= 2 and rest[0] in SERVICES and rest[1] == "dead-letters":
        return Destination(rest[0], "/" + "/".join(rest[1:]))
    return None


def public_path(service: str, path: str) -> str:
    """Under which public path a service's own path is found."""
    if path.startswith("/dead-letters"):
        return f"/v1/operations/{service}{path}"
    return f"/v1{path}"
