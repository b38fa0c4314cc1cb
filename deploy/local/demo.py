"""The demo tenant, set up through the gateway's public API like any other."""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx

from deploy.local.files import read_object, write_private
from deploy.local.keys import Keys
from deploy.local.simulator import access_token
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
_AGENTS: Final = ("Ana", "Bruno", "Carla")
_CAPACITY: Final = 3
_SECONDS: Final = 30
_HEARD_SECONDS: Final = 20
"""How long routing may take to hear of a user."""


async def demo_tenant(path: Path, gateway_url: str, keys: Keys) -> dict[str, Any]:
    """The demo tenant as the file describes it, set up now if its key does not answer; raises `StartError`.

    Its agents are online, and answer what they are offered without being asked.
    """
    async with httpx.AsyncClient(base_url=gateway_url, timeout=10) as client:
        known = read_object(path)
        demo = (known and await _still_answering(client, known)) or await _seeded(client, keys)
        demo["agents"] = [await _agent(client, demo, name, keys) for name in _AGENTS]
        await _put_to_work(client, demo)
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
            "credentials": {**signing, "access_token": access_token(keys)},
        },
    )
    whatsapp = {
        "id": channel["id"],
        "webhook_url": channel["webhook_url"],
        "phone_number_id": _PHONE_NUMBER_ID,
        "secrets": signing,
    }
    return {"tenant_id": tenant["id"], "admin_key": admin_key, "agents": [], "channels": {"whatsapp": whatsapp}}


async def _agent(client: httpx.AsyncClient, demo: Mapping[str, Any], name: str, keys: Keys) -> dict[str, Any]:
    """An agent as the file knows him, or made now."""
    email = f"{name.lower()}@demo.example"
    return await _known_agent(client, demo, email) or await _new_agent(client, demo["admin_key"], name, email, keys)


async def _known_agent(client: httpx.AsyncClient, demo: Mapping[str, Any], email: str) -> dict[str, Any] | None:
    for agent in demo["agents"]:
        if agent["email"] == email:
            answer = await _ask(client, "GET", "/v1/agents", agent["key"])
            return dict(agent) if answer.is_success else None
    return None


async def _new_agent(client: httpx.AsyncClient, admin_key: str, name: str, email: str, keys: Keys) -> dict[str, Any]:
    password = keys.derived(f"demo agent {email}")[:20]
    user = {"name": name, "email": email, "password": password, "role": "agent"}
    user_id = await _user(client, admin_key, email) or (await _created(client, "/v1/users", admin_key, user))["id"]
    key = await _created(client, "/v1/api-keys", admin_key, {"label": name, "role": "agent", "user_id": user_id})
    return {"id": user_id, "email": email, "password": password, "key": key["key"]}


async def _user(client: httpx.AsyncClient, admin_key: str, email: str) -> str | None:
    """The id of the user with this address, left by a run whose file is lost."""
    users = await _items(client, "/v1/users", admin_key)
    return next((user["id"] for user in users if user["email"] == email), None)


async def _put_to_work(client: httpx.AsyncClient, demo: Mapping[str, Any]) -> None:
    """Online, and with room; raises `StartError` when routing does not hear of them in time."""
    agents, admin_key = demo["agents"], demo["admin_key"]
    deadline = time.monotonic() + _HEARD_SECONDS
    unheard = {agent["id"] for agent in agents}
    while unheard := unheard - {heard["id"] for heard in await _items(client, "/v1/agents", admin_key)}:
        if time.monotonic() > deadline:
            raise StartError(f"routing has not heard of the demo agents in {_HEARD_SECONDS} s")
        await asyncio.sleep(0.1)
    for agent in agents:
        path, serving = f"/v1/agents/{agent['id']}", {"auto_accept": True, "capacity": _CAPACITY}
        _ensure_done(await _ask(client, "PATCH", path, admin_key, serving))
        _ensure_done(await _ask(client, "PUT", f"{path}/presence", agent["key"], {"status": "online"}))


async def _items(client: httpx.AsyncClient, path: str, key: str) -> list[dict[str, Any]]:
    answer = await _ask(client, "GET", f"{path}?limit=200", key)
    _ensure_done(answer)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def _created(client: httpx.AsyncClient, path: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = await _ask(client, "POST", path, key, body)
    _ensure_done(answer)
    created: dict[str, Any] = answer.json()
    return created


def _ensure_done(answer: httpx.Response) -> None:
    if not answer.is_success:
        request = answer.request
        raise StartError(
            f"the demo tenant cannot be set up: {request.method} {request.url.path} answered "
            f"{answer.status_code} {answer.text}\n`make reset` clears what an earlier run left"
        )


async def _ask(
    client: httpx.AsyncClient, method: str, path: str, key: str, body: Mapping[str, Any] | None = None
) -> httpx.Response:
    """The answer; one that only says "not yet" (503) is asked for again, for up to half a minute."""
    headers = {"Authorization": f"Bearer {key}"}
    if method == "POST":
        # The same for the same, so that what was cut short is not done twice.
        headers["Idempotency-Key"] = _fingerprint(path, body)
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            answer = await client.request(method, path, headers=headers, json=body)
        except httpx.TransportError as error:
            raise StartError(f"the gateway does not answer {method} {path}: {error!r}") from error
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(0.2)


def _fingerprint(path: str, body: Mapping[str, Any] | None) -> str:
    return hashlib.sha256(json.dumps([path, body]).encode()).hexdigest()
