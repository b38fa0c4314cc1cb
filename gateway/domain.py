"""Who may do what, and what a key looks like."""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

PLATFORM_SCOPE: Final = "platform:tenants"

_COUNTRIES: Final = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR "
    "GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO "
    "JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR "
    "MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO "
    "RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV "
    "TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
COUNTRIES: Final = frozenset(_COUNTRIES.split())
"""ISO 3166-1 alpha-2."""

SCOPES: Final = frozenset(
    {
        "api_keys:read", "api_keys:write", "channels:read", "channels:write", "contacts:read", "contacts:write",
        "conversations:read", "conversations:write", "metrics:read", "operations:read", "operations:write",
        "privacy:read", "privacy:write", "tenant:read", "tenant:write",
    }
)  # fmt: skip
"""Everything that can be allowed within a tenant."""

_SERVING: Final = frozenset(
    {"contacts:read", "contacts:write", "conversations:read", "conversations:write", "tenant:read"}
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
    Role.SUPERVISOR: _SERVING | {"channels:read", "metrics:read", "operations:read"},
    Role.AGENT: _SERVING,
    Role.DPO: frozenset(
        {"contacts:read", "conversations:read", "privacy:read", "privacy:write", "tenant:read", "api_keys:read"}
    ),
    Role.INTEGRATION: _SERVING | {"channels:read", "metrics:read"},
    Role.VIEWER: frozenset({"contacts:read", "conversations:read", "metrics:read", "tenant:read"}),
}
"""What each role may do at most; a key may be given less."""

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
