"""Web chat has no provider but us: who may open it, what its visitors are asked first, and how they are known again."""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

KIND: Final = "web_chat"
VISITOR: Final = "visitor"
"""The kind of a visitor's address; its value is the id of his session."""

SESSION_LIFE: Final = timedelta(days=30)
"""How long a session lives after its last use."""
USE_COUNTS: Final = timedelta(hours=1)
"""How exactly the last use of who only looks is known, so that looking seldom writes."""
TYPING_LIFE: Final = timedelta(seconds=6)
"""How long somebody types who does not say so again."""
SECRET_BYTES: Final = 32

_PREFIX: Final = "vis_"


@dataclass(frozen=True, slots=True)
class VisitorToken:
    """A visitor's secret as he has it: it says whose customer he is, so that he is looked for in one tenant alone."""

    tenant_id: UUID
    secret: bytes = field(repr=False)

    def __str__(self) -> str:
        return _PREFIX + base64.urlsafe_b64encode(self.tenant_id.bytes + self.secret).decode().rstrip("=")

    @property
    def digest(self) -> bytes:
        """What is kept of it. The secret is random, so that a fast hash is enough."""
        return hashlib.sha256(self.secret).digest()

    @classmethod
    def parse(cls, token: str) -> "VisitorToken | None":
        """The token that a text is; None when it is none."""
        if not token.startswith(_PREFIX) or not token.isascii():
            return None
        try:
            content = base64.b64decode(token[len(_PREFIX) :] + "==", altchars=b"-_", validate=False)
        except binascii.Error:
            return None
        if len(content) != 16 + SECRET_BYTES:
            return None
        return cls(UUID(bytes=content[:16]), content[16:])


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
