"""Access tokens: what a user shows after he has logged in, signed by the gateway for itself alone."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shared.http.auth import ALGORITHM, ISSUER

AUDIENCE: Final = "balcao-api"
LIFETIME: Final = timedelta(hours=1)
_KIND: Final = "at+jwt"
_CLAIMS: Final = ["exp", "iat", "sub", "jti", "tenant", "ver"]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token says; whether that still holds, the database knows."""

    id: UUID
    tenant_id: UUID
    user_id: UUID
    version: int
    """The user's `token_version` when he logged in."""
    expires_at: datetime


class AccessTokens:
    """Signs tokens and reads them back (JWT profile of RFC 9068).

    Their audience and kind are others than those of the caller context, so that neither passes for the other.
    """

    def __init__(self, private_key: str) -> None:
        self._private_key = load_pem_private_key(private_key.encode(), password=None)
        self._public_key = self._private_key.public_key()

    def sign(self, token: AccessToken, now: datetime) -> str:
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(token.user_id),
            "tenant": str(token.tenant_id),
            "jti": str(token.id),
            "ver": token.version,
            "iat": int(now.timestamp()),
            "exp": int(token.expires_at.timestamp()),
        }
        return jwt.encode(claims, self._private_key, ALGORITHM, headers={"typ": _KIND})  # type: ignore[arg-type]

    def read(self, text: str) -> AccessToken | None:
        """What a token says; None when it is none of ours or has expired."""
        try:
            told = jwt.decode_complete(
                text,
                self._public_key,  # type: ignore[arg-type]
                [ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": _CLAIMS},
            )
        except jwt.InvalidTokenError:
            return None
        claims = told["payload"]
        if told["header"].get("typ") != _KIND:
            return None
        return AccessToken(
            id=UUID(claims["jti"]),
            tenant_id=UUID(claims["tenant"]),
            user_id=UUID(claims["sub"]),
            version=claims["ver"],
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
