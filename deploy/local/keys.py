"""The secrets of one local run, made once and kept in its folder."""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from deploy.local.files import read_object, write_private
from deploy.local.supervisor import StartError


@dataclass(frozen=True, slots=True)
class Keys:
    """What the processes of one run share: PEM, base64 and plain strings, as the environment carries them."""

    root_key: str
    caller_private_key: str
    platform_key: str
    derivation_secret: str

    @classmethod
    def of(cls, root: Path) -> Self:
        """The keys kept in `root`, made now if there are none; raises `StartError` when data lack theirs."""
        path = root / "secrets.json"
        kept = read_object(path)
        if kept is not None and kept.keys() == {each.name for each in fields(cls)}:
            return cls(**kept)
        if path.exists() or (root / "postgres").exists():
            raise StartError(
                f"{path} is missing or damaged, and without its keys the data beside it cannot be read;\n"
                "put it back, or clear them with `make reset`"
            )
        keys = cls(
            root_key=base64.b64encode(secrets.token_bytes(32)).decode(),
            caller_private_key=_new_private_key(),
            platform_key=f"blc_platform_{secrets.token_urlsafe(32)}",
            derivation_secret=secrets.token_hex(32),
        )
        write_private(path, json.dumps(asdict(keys), indent=2))
        return keys

    @property
    def caller_public_key(self) -> str:
        private = load_pem_private_key(self.caller_private_key.encode(), password=None)
        return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def derived(self, purpose: str) -> str:
        """64 hex digits for one purpose, such as a role's password; what joins later has its own too."""
        return hmac.digest(self.derivation_secret.encode(), purpose.encode(), hashlib.sha256).hex()


def _new_private_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
