"""What an API key looks like, and when it opens anything."""

from datetime import datetime

from shared.bearers import BearerSecret


class Key(BearerSecret):
    """An API key as its holder has it."""

    __slots__ = ()
    prefix = "blc_"


def is_good(now: datetime, *, expires_at: datetime | None, revoked_at: datetime | None) -> bool:
    """Whether a key opens anything at this moment."""
    return revoked_at is None and (expires_at is None or now < expires_at)
