"""The history's pure decisions."""

from services.conversation.domain.answers import (
    LONGEST_TEXT,
    MessageStatus,
    in_order_of_use,
    longest_text,
    may_be_sent_again,
    settles,
)
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
from services.conversation.domain.routing import Routed, latest

__all__ = [
    "LONGEST_TEXT",
    "USER_ID",
    "ForbiddenChangeError",
    "Holder",
    "MessageStatus",
    "Place",
    "Priority",
    "Routed",
    "Status",
    "StatusChange",
    "change_status",
    "in_order_of_use",
    "latest",
    "longest_text",
    "may_be_sent_again",
    "place",
    "recognise",
    "settles",
    "wakes",
]
