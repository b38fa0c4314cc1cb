"""What a process hands over about a person: parts, sealed with the key of the one request they are for.

The parts of a service are numbered from 1 on, anew in each attempt. Each holds rows of one table; the last tells that
there are no more.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.personal import SealBrokenError

PARTICIPANTS: Final = ("conversation", "gateway", "ingest", "metrics", "privacy", "routing")
"""Every process that keeps rows, by name: each is asked, and none of them can be forgotten."""

PART_BYTES: Final = 400_000
"""How long a sealed part may be."""

KEY_BYTES: Final = 32
KEY_PURPOSE: Final = "request-key"
"""For what a request's key is sealed under the root key; the context is the request's id."""

PIECE: Final = "$piece"
"""A row too long for one part comes as several, one after the other: `{"$piece": [2, 3], "json": "…"}` is the second
of three, and their texts, put together, are the row in JSON."""

_NONCE: Final = 12
_TAG: Final = 16
PLAIN_BYTES: Final = PART_BYTES - _NONCE - _TAG
"""How long a part may be before it is sealed."""

NO_PARTS: Final = bytes(hashlib.sha256().digest_size)
"""The digest over no part at all."""

Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part belongs; it opens nowhere else."""

    tenant_id: UUID
    request_id: UUID
    service: str
    attempt: int
    """The request's, from 1 on: what was sealed in one opens in no other."""
    number: int

    @property
    def path(self) -> str:
        """The door at which it is put down."""
        return f"/deposits/{self.tenant_id}/{self.request_id}/{self.service}/{self.attempt}/{self.number}"

    @property
    def sealed_for(self) -> bytes:
        """What is sealed along with a part, and must be the same when it is opened."""
        return f"{self.tenant_id}|{self.request_id}|{self.service}|{self.attempt}|{self.number}".encode()


class Part(BaseModel):
    """Rows of a table, as they are kept: each column with its value, in JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    rows: list[dict[str, Any]]


class TableGiven(BaseModel):
    """What was handed over of a table: how many rows, and the personal columns, each with its category."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: Count
    categories: dict[str, str]


class Completion(BaseModel):
    """All that a service handed over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: Count
    """How many came before: this one's number is one higher, and what was deposited under any other does not count."""
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Over these parts, in their order (`digest_over`); in hexadecimal."""
    tables: dict[str, TableGiven]
    """Of every table that may be about the person, also where nothing was found."""


class Complete(BaseModel):
    """The last part of a service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    complete: Completion


def read_part(plain: bytes) -> Part | Complete:
    """The part that was sealed; raises `ValueError` for what is none."""
    try:
        shape = orjson.loads(plain)
        return Complete.model_validate(shape) if "complete" in shape else Part.model_validate(shape)
    except (orjson.JSONDecodeError, ValidationError, TypeError) as broken:
        raise ValueError("this is no part") from broken


def digest_of(plain: bytes) -> bytes:
    """SHA-256 of a part before it is sealed."""
    return hashlib.sha256(plain).digest()


def digest_over(digests: Iterable[bytes], *, after: bytes = NO_PARTS) -> bytes:
    """The digest over parts: from one to the next, SHA-256 over what came before and the part's own digest."""
    for digest in digests:
        after = hashlib.sha256(after + digest).digest()
    return after


def seal_part(key: bytes, plain: bytes, place: Place) -> bytes:
    """`plain` under AES-256-GCM, the nonce first; it opens in its own place alone."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, place.sealed_for)


def open_part(key: bytes, sealed: bytes, place: Place) -> bytes:
    """The part as it was; raises `SealBrokenError` for what this service did not seal for this place."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.sealed_for)
    except (InvalidTag, ValueError) as broken:  # ValueError: too short to have been sealed
        raise SealBrokenError(f"{place.service} {place.number}") from broken
