"""What its holder shows to be known again: a random secret that says in which tenant it is looked for."""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self
from uuid import UUID

SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class BearerSecret:
    """A secret as its holder has it; each kind begins in its own way."""

    prefix: ClassVar[str]

    tenant_id: UUID
    secret: bytes = field(repr=False)

    def __str__(self) -> str:
        return self.prefix + base64.urlsafe_b64encode(self.tenant_id.bytes + self.secret).decode().rstrip("=")

    @property
    def digest(self) -> bytes:
        """What is kept of it. The secret is random, so that a fast hash is enough."""
        return hashlib.sha256(self.secret).digest()

    @classmethod
    def parse(cls, token: str) -> Self | None:
        """The secret that a token is; None when it is none of this kind."""
        if not token.startswith(cls.prefix) or not token.isascii():
            return None
        try:
            content = base64.b64decode(token[len(cls.prefix) :] + "==", altchars=b"-_", validate=False)
        except binascii.Error:
            return None
        if len(content) != 16 + SECRET_BYTES:
            return None
        return cls(UUID(bytes=content[:16]), content[16:])
