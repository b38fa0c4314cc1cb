"""What an API key looks like, and when it opens anything."""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

_PREFIX: Final = "blc_"
SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as its holder has it: it says whose it is, so that it is looked for in one tenant alone."""

    tenant_id: UUID
    secret: bytes = field(repr=False)

    def __str__(self) -> str:
        return _PREFIX + base64.urlsafe_b64encode(self.tenant_id.bytes + self.secret).decode().rstrip("=")

    @property
    def digest(self) -> bytes:
        """What is kept of it. The secret is random, so that a fast hash is enough."""
        return hashlib.sha256(self.secret).digest()

    @classmethod
    def parse(cls, token: str) -> "Key | None":
        """The key that a token is; None when it is none."""
        if not token.startswith(_PREFIX) or not token.isascii():
            return None
        try:
            content = base64.b64decode(token[len(_PREFIX) :] + "==", altchars=b"-_", validate=False)
        except binascii.Error:
            return None
        if len(content) != 16 + SECRET_BYTES:
            return None
        return cls(UUID(bytes=content[:16]), content[16:])


def is_good(now: datetime, *, expires_at: datetime | None, revoked_at: datetime | None) -> bool:
    """Whether a key opens anything at this moment."""
    return revoked_at is None and (expires_at is None or now < expires_at)
