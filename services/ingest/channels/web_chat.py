"""Web chat has no provider but us: who may open it, what its visitors are asked first, and how they are known again."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from shared.bearers import BearerSecret

KIND: Final = "web_chat"
VISITOR: Final = "visitor"
"""The kind of a visitor's address; its value is the id of his session."""

SESSION_LIFE: Final = timedelta(days=30)
"""How long a session lives after its last use."""
USE_COUNTS: Final = timedelta(hours=1)
"""How exactly the last use of who only looks is known, so that looking seldom writes."""
TYPING_LIFE: Final = timedelta(seconds=6)
"""How long somebody types who does not say so again."""


class VisitorToken(BearerSecret):
    """A visitor's secret as he has it."""

    __slots__ = ()
    prefix = "vis_"


def admits(settings: Mapping[str, Any], origin: str | None) -> bool:
    """Whether pages of this origin (RFC 6454 §7) may open the chat; what is no page says none, and may."""
    allowed = settings["allowed_origins"]
    return not allowed or origin is None or origin.lower() in allowed


def mistakes_in(answers: Mapping[str, str], fields: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What is wrong with a visitor's answers to the questions that are asked before a chat."""
    asked = {one["key"] for one in fields}
    needed = {one["key"] for one in fields if one["required"]}
    missing = needed - {key for key, answer in answers.items() if answer}
    return [
        *({"pointer": f"/pre_chat/{key}", "detail": "is not asked here"} for key in sorted(answers.keys() - asked)),
        *({"pointer": f"/pre_chat/{key}", "detail": "is needed"} for key in sorted(missing)),
    ]


def is_over(used_at: datetime, now: datetime) -> bool:
    """Whether a session that was last used then is over."""
    return now - used_at >= SESSION_LIFE
