"""Who may do what."""

from enum import StrEnum
from typing import Final

PLATFORM_SCOPE: Final = "platform:tenants"
"""Makes tenants, and opens nothing of any."""

SCOPES: Final = frozenset(
    {
        "api_keys:read", "api_keys:write", "channels:read", "channels:write", "contacts:read", "contacts:write",
        "conversations:read", "conversations:write", "metrics:read", "operations:read", "operations:write",
        "presence:write", "privacy:read", "privacy:request", "privacy:write", "routing:read", "routing:write",
        "tenant:read", "tenant:write", "users:read", "users:write",
    }
)  # fmt: skip
"""Everything that can be allowed within a tenant."""

_SERVING: Final = frozenset(
    {"contacts:read", "contacts:write", "conversations:read", "conversations:write", "privacy:request", "tenant:read"}
)


class Role(StrEnum):
    ADMIN = "admin"
    SUPERVISOR = "supervisor"
    AGENT = "agent"
    DPO = "dpo"
    INTEGRATION = "integration"
    VIEWER = "viewer"


ALLOWED: Final[dict[Role, frozenset[str]]] = {
    Role.ADMIN: SCOPES,
    Role.SUPERVISOR: _SERVING
    | {
        "channels:read",
        "metrics:read",
        "operations:read",
        "presence:write",
        "routing:read",
        "routing:write",
        "users:read",
    },
    Role.AGENT: _SERVING | {"presence:write", "routing:read"},
    Role.DPO: frozenset(
        {
            "api_keys:read",
            "contacts:read",
            "conversations:read",
            "privacy:read",
            "privacy:request",
            "privacy:write",
            "tenant:read",
        }
    ),
    Role.INTEGRATION: _SERVING | {"channels:read", "metrics:read", "routing:read"},
    Role.VIEWER: frozenset({"contacts:read", "conversations:read", "metrics:read", "routing:read", "tenant:read"}),
}
"""What each role may do at most; a key may be given less."""
