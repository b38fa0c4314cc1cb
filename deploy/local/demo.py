"""The demo tenant, set up through the gateway's public API like any other."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx

from deploy.local.files import read_object, write_private
from deploy.local.keys import Keys
from deploy.local.supervisor import StartError

_TENANT: Final = {
    "name": "Demo",
    "slug": "demo",
    "country": "BR",
    "time_zone": "America/Sao_Paulo",
    "locale": "pt-BR",
    "legal_regime": "lgpd",
    "role": "controller",
}
_PHONE_NUMBER_ID: Final = "100000000000001"
_SECONDS: Final = 30


async def demo_tenant(path: Path, gateway_url: str, keys: Keys) -> dict[str, Any]:
    """The demo tenant as the file describes it, set up now if its key does not answer; raises `StartError`."""
    async with httpx.AsyncClient(base_url=gateway_url, timeout=10) as client:
        known = read_object(path)
        demo = (known and await _still_answering(client, known)) or await _seeded(client, keys)
    write_private(path, json.dumps(demo, indent=2))
    return demo


async def _still_answering(client: httpx.AsyncClient, demo: dict[str, Any]) -> dict[str, Any] | None:
    try:
        whatsapp = demo["channels"]["whatsapp"]
        id_, key = str(UUID(whatsapp["id"])), str(demo["admin_key"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    answer = await _ask(client, "GET", f"/v1/channels/{id_}", key)
    if not answer.is_success:
        return None
    # The ports may have moved since.
    whatsapp["webhook_url"] = answer.json()["webhook_url"]
    return demo


async def _seeded(client: httpx.AsyncClient, keys: Keys) -> dict[str, Any]:
    tenant = await _created(client, "/v1/tenants", keys.platform_key, _TENANT)
    admin_key = tenant["admin_key"]["key"]
    # Derived, so that a seeding that was cut short asks for exactly the same when it is repeated.
    signing = {name: keys.derived(f"demo whatsapp {name}")[:32] for name in ("app_secret", "verify_token")}
    channel = await _created(
        client,
        "/v1/channels",
        admin_key,
        {
            "kind": "whatsapp",
            "name": "WhatsApp",
            "settings": {"phone_number_id": _PHONE_NUMBER_ID},
            "credentials": {**signing, "access_token": keys.derived("demo whatsapp access_token")},
        },
    )
    whatsapp = {
        "id": channel["id"],
        "webhook_url": channel["webhook_url"],
        "phone_number_id": _PHONE_NUMBER_ID,
        "secrets": signing,
    }
    return {"tenant_id": tenant["id"], "admin_key": admin_key, "agents": [], "channels": {"whatsapp": whatsapp}}


async def _created(client: httpx.AsyncClient, path: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = await _ask(client, "POST", path, key, body)
    if not answer.is_success:
        raise StartError(
            f"the demo tenant cannot be set up: POST {path} answered {answer.status_code} {answer.text}\n"
            "`make reset` clears what an earlier run left"
        )
    created: dict[str, Any] = answer.json()
    return created


async def _ask(
    client: httpx.AsyncClient, method: str, path: str, key: str, body: Mapping[str, Any] | None = None
) -> httpx.Response:
    """The answer; one that only says "not yet" (503) is asked for again, for up to half a minute."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"demo{path.replace('/', '-')}"}
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            answer = await client.request(method, path, headers=headers, json=body)
        except httpx.TransportError as error:
            raise StartError(f"the gateway does not answer {method} {path}: {error!r}") from error
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(0.5)
