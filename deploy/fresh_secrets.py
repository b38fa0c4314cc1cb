"""Writes fresh secrets for docker-compose.yml, a file each: `python -m deploy.fresh_secrets .secrets`."""

import base64
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from deploy.processes import PROCESSES


def fresh_secrets() -> Mapping[str, str]:
    """A new value for every secret that the compose file names."""
    caller_key = Ed25519PrivateKey.generate()
    private = caller_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = caller_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    admin_password = _password()
    return {
        "postgres_password": admin_password,
        "postgres_admin_url": f"postgresql://postgres:{admin_password}@postgres:5432/postgres",
        **{f"{process}_database_url": _url(process, "") for process in PROCESSES},
        **{f"{process}_owner_database_url": _url(process, "_owner") for process in PROCESSES},
        "root_key": base64.b64encode(secrets.token_bytes(32)).decode(),
        "caller_private_key": private.decode(),
        "caller_public_key": public.decode(),
        "platform_key": f"blc_platform_{secrets.token_urlsafe(32)}",
        "grafana_password": _password(),
    }


def write_secrets(folder: Path) -> None:
    """Write them into a new folder, readable by its owner alone; raises `FileExistsError` when it is there."""
    folder.mkdir(mode=0o700)
    for name, secret in fresh_secrets().items():
        path = folder / name
        path.write_text(secret, "utf-8")
        # Containers are shown the file without the folder, and read it as somebody else than its owner.
        path.chmod(0o444)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("say where to: python -m deploy.fresh_secrets .secrets")
    try:
        write_secrets(Path(sys.argv[1]))
    except FileExistsError:
        sys.exit(f"{sys.argv[1]} is there already; without the secrets of old, data of old cannot be read")


def _url(process: str, role: str) -> str:
    return f"postgresql://balcao_{process}{role}:{_password()}@postgres:5432/balcao_{process}"


def _password() -> str:
    return secrets.token_hex(24)


if __name__ == "__main__":
    main()
