"""The history's pure decisions."""

from services.conversation.domain.history import (
    ForbiddenChangeError,
    Place,
    Priority,
    Status,
    StatusChange,
    change_status,
    place,
    recognise,
    wakes,
)
from services.conversation.domain.phone_numbers import candidates

__all__ = [
    "ForbiddenChangeError",
    "Place",
    "Priority",
    "Status",
    "StatusChange",
    "candidates",
    "change_status",
    "place",
    "recognise",
    "wakes",
]
