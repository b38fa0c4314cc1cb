"""Bytes at rest that only Balcão can read: AES-256-GCM under a key derived for one purpose."""

import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12


class SealBrokenError(Exception):
    """The sealed bytes were changed, moved to another context, or sealed under another key."""


class Sealer:
    """Seals and opens bytes for a purpose, bound to a context that must be the same at both times."""

    def __init__(self, root_key: bytes) -> None:
        self._root_key = root_key
        self._cipher = lru_cache(maxsize=1_000)(self._derive)

    def seal(self, plain: bytes, *, purpose: str, context: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher(purpose).encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, *, purpose: str, context: str) -> bytes:
        """The bytes as they were; raises `SealBrokenError`."""
        try:
            return self._cipher(purpose).decrypt(sealed[:_NONCE], sealed[_NONCE:], context.encode())
        except (InvalidTag, ValueError) as broken:  # ValueError: too short to have been sealed
            raise SealBrokenError(purpose) from broken

    def _derive(self, purpose: str) -> AESGCM:
        info = f"seal|v1|{purpose}".encode()
        return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._root_key))
