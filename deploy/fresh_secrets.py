"""Prints fresh secrets for docker-compose.yml: `python -m deploy.fresh_secrets > .env`."""

import base64
import secrets
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from deploy.processes import PROCESSES


def fresh_secrets() -> Mapping[str, str]:
    """A new value for every secret that the compose file asks for."""
    caller_key = Ed25519PrivateKey.generate()
    private = caller_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = caller_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    passwords = [f"{process.upper()}{role}_PASSWORD" for process in PROCESSES for role in ("", "_OWNER")]
    return {
        **{name: secrets.token_hex(24) for name in ("POSTGRES_PASSWORD", *passwords)},
        "ROOT_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "CALLER_PRIVATE_KEY": private.decode(),
        "CALLER_PUBLIC_KEY": public.decode(),
        "PLATFORM_KEY": f"blc_platform_{secrets.token_urlsafe(32)}",
    }


def main() -> None:
    for name, value in fresh_secrets().items():
        # A PEM has several lines; in double quotes \n stands for the end of one.
        print(f'{name}="{value}"'.replace("\n", "\\n"))


if __name__ == "__main__":
    main()
