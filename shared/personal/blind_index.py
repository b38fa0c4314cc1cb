"""A keyed fingerprint of an address, so that a person can be referred to without being named."""

import hmac
from functools import lru_cache
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class BlindIndex:
    """Fingerprints under a key of the tenant's own, so that two tenants' fingerprints never match."""

    def __init__(self, root_key: bytes) -> None:
        self._root_key = root_key
        self._tenant_key = lru_cache(maxsize=10_000)(self._derive)

    def of(self, tenant_id: UUID, field: str, value: str) -> str:
        """32 hexadecimal digits that stand for `value` of `field` at this tenant."""
        key = self._tenant_key(tenant_id, field)
        return hmac.digest(key, value.encode(), "sha256").hex()[:32]

    def of_address(self, tenant_id: UUID, channel_id: UUID, kind: str, value: str) -> str:
        """What stands for an address on a channel account: the `sender_ref` of what comes from it."""
        return self.of(tenant_id, "channel-address", f"{channel_id}|{kind}|{value}")

    def _derive(self, tenant_id: UUID, field: str) -> bytes:
        info = f"blind-index|v1|{tenant_id}|{field}".encode()
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._root_key)
