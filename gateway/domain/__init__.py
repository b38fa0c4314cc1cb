"""What the gateway decides without asking anybody: who may do what, what a key looks like, what a user needs."""

from gateway.domain.addresses import place_of
from gateway.domain.countries import COUNTRIES
from gateway.domain.keys import Key, is_good
from gateway.domain.roles import ALLOWED, PLATFORM_SCOPE, SCOPES, Role
from gateway.domain.users import (
    FAILURE_MEMORY,
    LONGEST_PASSWORD,
    MOST_FAILURES,
    SHORTEST_PASSWORD,
    is_common,
    locked_seconds,
    may_give,
    normal_email,
    normal_password,
)

__all__ = [
    "ALLOWED",
    "COUNTRIES",
    "FAILURE_MEMORY",
    "LONGEST_PASSWORD",
    "MOST_FAILURES",
    "PLATFORM_SCOPE",
    "SCOPES",
    "SHORTEST_PASSWORD",
    "Key",
    "Role",
    "is_common",
    "is_good",
    "locked_seconds",
    "may_give",
    "normal_email",
    "normal_password",
    "place_of",
]
