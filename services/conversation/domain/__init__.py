"""The history's pure decisions."""

from services.conversation.domain.history import (
    USER_ID,
    ForbiddenChangeError,
    Holder,
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
    "USER_ID",
    "ForbiddenChangeError",
    "Holder",
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
