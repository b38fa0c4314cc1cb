"""Identifiers that sort by the time of their making (UUIDv7, RFC 9562)."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A fresh UUIDv7."""
    return uuid7()


def earliest_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 that can have been made at `moment`: all ids below it are older."""
    milliseconds = int(moment.astimezone(UTC).timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (0x2 << 62))
