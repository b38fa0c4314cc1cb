"""The public surface as data: which service answers which path."""

import re
from collections.abc import Sequence
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

OF_TENANTS: dict[str, str] = {"privacy": "privacy"}
"""The part of such a path behind a tenant's slug, and who answers it."""

RESERVED_SLUGS = frozenset({*PASSAGES, "forms", "preferences", "surveys"})
"""What no tenant is called, so that nothing behind `/v1/public` has two meanings."""

BEGINNINGS = tuple(f"/v1/{first}" for first in (*PUBLIC, "public", *(f"operations/{service}" for service in SERVICES)))
"""How the paths begin that other services answer."""

# Nothing that a client, a proxy or a server might resolve differently than it was matched here.
_PLAIN = re.compile(r"/v1(/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")


@dataclass(frozen=True, slots=True)
class Destination:
    """The service that answers, and the path under which it knows what was asked for."""

    service: str
    path: str
    tenant_slug: str | None = None
    """Whose it is, where nobody says who he is and the path names the tenant."""


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
    if first == "public":
        return _open_to_all(own, rest)
    if first == "operations" and len(rest) >= 2 and rest[0] in SERVICES and rest[1] == "dead-letters":
        return Destination(rest[0], "/" + "/".join(rest[1:]))
    return None


def pattern(path: str) -> str | None:
    """What a path that begins so has in common with others, told apart in the metrics; None where nothing is."""
    first, *rest = path.removeprefix("/v1/").split("/")
    match rest:
        case _ if first in PUBLIC or first == "operations":
            common, behind = f"/v1/{first}", rest
        case [passage, *behind] if first == "public" and passage in PASSAGES:
            common = f"/v1/public/{passage}"
        case [_, own, *behind] if first == "public" and own in OF_TENANTS:
            common = f"/v1/public/{{tenant_slug}}/{own}"
        case _:
            return None
    return f"{common}/{{path:path}}" if behind else common


def _open_to_all(own: str, rest: Sequence[str]) -> Destination | None:
    match rest:
        case [first, _, *_] if first in PASSAGES:
            return Destination(PASSAGES[first], own)
        case [slug, first, *behind] if first in OF_TENANTS and behind:
            path = "/".join(("/public", first, *behind))
            return Destination(OF_TENANTS[first], path, tenant_slug=slug)
        case _:
            return None


def public_path(service: str, path: str) -> str:
    """Under which public path a service's own path is found, `{tenant_slug}` standing for the tenant where it must."""
    if path.startswith("/dead-letters"):
        return f"/v1/operations/{service}{path}"
    first, _, behind = path[1:].partition("/")
    if first == "public" and behind.partition("/")[0] in OF_TENANTS:
        return f"/v1/public/{{tenant_slug}}/{behind}"
    return f"/v1{path}"
