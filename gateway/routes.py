"""The public surface as data: which service answers which path."""

import re
from dataclasses import dataclass

SERVICES = ("ingest", "routing", "conversation", "metrics", "privacy")

PUBLIC: dict[str, str] = {
    "channels": "ingest",
    "raw-events": "ingest",
    "chat-sessions": "ingest",
    "waiting": "routing",
    "queues": "routing",
    "agents": "routing",
    "offers": "routing",
    "business-hours": "routing",
    "auto-replies": "routing",
    "conversations": "conversation",
    "contacts": "conversation",
    "metrics": "metrics",
    "privacy": "privacy",
}
"""The first part of a path under /v1, and who answers it."""

OF_CONVERSATIONS: dict[str, str] = {"assignee": "routing", "queue-position": "routing"}
"""What of a conversation another service answers than the one that keeps it."""

PASSAGES: dict[str, str] = {"chat": "ingest"}
"""The first part of a path under /v1/public, where nobody says who he is."""

BEGINNINGS = tuple(f"/v1/{first}" for first in (*PUBLIC, *(f"public/{first}" for first in PASSAGES), "operations"))
"""How the paths begin that other services answer."""

# Nothing that a client, a proxy or a server might resolve differently than it was matched here.
_PLAIN = re.compile(r"/v1(/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")


@dataclass(frozen=True, slots=True)
class Destination:
    """The service that answers, and the path under which it knows what was asked for."""

    service: str
    path: str
    is_public: bool = False


def destination(path: str) -> Destination | None:
    """Where a public path leads; None when nowhere."""
    if not _PLAIN.fullmatch(path):
        return None
    own = path.removeprefix("/v1")
    first, *rest = own[1:].split("/")
    if first == "conversations" and len(rest) == 2 and rest[1] in OF_CONVERSATIONS:
        return Destination(OF_CONVERSATIONS[rest[1]], own)
    if first in PUBLIC:
        return Destination(PUBLIC[first], own)
    if first == "public" and len(rest) >= 2 and rest[0] in PASSAGES:
        return Destination(PASSAGES[rest[0]], own, is_public=True)
    if first == "operations" and len(rest) >= 2 and rest[0] in SERVICES and rest[1] == "dead-letters":
        return Destination(rest[0], "/" + "/".join(rest[1:]))
    return None


def public_path(service: str, path: str) -> str:
    """Under which public path a service's own path is found."""
    if path.startswith("/dead-letters"):
        return f"/v1/operations/{service}{path}"
    return f"/v1{path}"
