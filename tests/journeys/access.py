"""The right of access as persons and the staff use it by the public API, from the form to the package."""

import io
import re
import zipfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.waiting import until

SECONDS = 60


@dataclass(frozen=True, repr=False)
class Package:
    """What a person was given."""

    files: Mapping[str, str]
    again: int
    """How a second download was answered."""
    request: Mapping[str, Any]
    """As it ended."""
    evidence: Mapping[str, Any]


async def ask(client: httpx.AsyncClient, method: str, path: str, body: Any = None, **more: Any) -> Any:
    """What is answered; raises `AssertionError` when that is a refusal."""
    answer = await client.request(method, path, json=body, **more)
    assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def code_in(texts: Iterable[str | None]) -> str | None:
    """The last code that stands in these texts."""
    codes = [code for text in texts for code in re.findall(r"\b[0-9]{6}\b", text or "")]
    return codes[-1] if codes else None


async def ask_oneself(
    client: httpx.AsyncClient, slug: str, wanted: Mapping[str, Any], code: Callable[[], Awaitable[str | None]]
) -> Package:
    """A person asks by the public form, proves who he is by the code that he is sent, and takes his package."""
    requests = f"/v1/public/{slug}/privacy/requests"
    taken = await ask(client, "POST", requests, {"type": "access"} | dict(wanted))
    own, headers = f"{requests}/{taken['id']}", {"X-Tracking-Token": taken["tracking_token"]}
    given = await until(code, seconds=SECONDS)
    guess = await client.post(f"{own}/verification", json={"code": _another(given)}, headers=headers)
    assert guess.status_code == 422, guess.text
    await ask(client, "POST", f"{own}/verification", {"code": given}, headers=headers)
    await ask(client, "POST", f"/v1/privacy/requests/{taken['id']}/approval")
    return await _take(client, taken["id"], f"{own}/package-links", headers)


async def ask_for_another(client: httpx.AsyncClient, wanted: Mapping[str, Any]) -> Package:
    """The staff asks for a person whom it has seen itself."""
    taken = await ask(client, "POST", "/v1/privacy/requests", {"type": "access"} | dict(wanted))
    request = f"/v1/privacy/requests/{taken['id']}"
    await ask(client, "POST", f"{request}/verification", {"method": "in_person"})
    await ask(client, "POST", f"{request}/approval")
    return await _take(client, taken["id"], f"{request}/package-links", {})


async def _take(client: httpx.AsyncClient, request_id: str, links: str, headers: Mapping[str, str]) -> Package:
    request = f"/v1/privacy/requests/{request_id}"

    async def is_there() -> bool:
        return bool((await ask(client, "GET", request))["state"] == "delivering")

    await until(is_there, seconds=SECONDS)
    link = (await ask(client, "POST", links, headers=headers))["url"]
    package = await client.get(link)
    assert package.status_code == 200, package.text
    with zipfile.ZipFile(io.BytesIO(package.content)) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    return Package(
        files=files,
        again=(await client.get(link)).status_code,
        request=await ask(client, "GET", request),
        evidence=await ask(client, "GET", f"{request}/evidence"),
    )


def _another(code: str | None) -> str:
    return f"{(int(code or 0) + 1) % 1_000_000:06}"
