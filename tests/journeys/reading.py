"""The gateway's public API as a patient reader uses it: what is away is asked for again, lists are read to the end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from deploy.local.running import RunningSet
from tests.journeys.whole_set import LISTENERS

PATIENCE_SECONDS = 20
_PAUSE = 0.1
_LONGEST_PAGE = 200
_METRICS = ("messages-received", "conversations-opened")


class Reader:
    """Reads with one API key."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str, **query: Any) -> Any:
        """What a path answers; raises `AssertionError` when that is no success, or 503 for longer than 20 s."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = await self._client.get(path, params=query)
            except httpx.TransportError as error:
                told, away = repr(error), True
            else:
                if answer.is_success:
                    return answer.json()
                told, away = f"{answer.status_code} {answer.text}", answer.status_code == 503
            assert away, f"GET {path} {query}: {told}"
            assert time.monotonic() < deadline, f"GET {path} {query} for {PATIENCE_SECONDS} s: {told}"
            await asyncio.sleep(_PAUSE)

    async def items(self, path: str, *, limit: int = _LONGEST_PAGE, **query: Any) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(path, limit=limit, **query, **cursor)
            assert len(page["items"]) <= limit, f"{path} gave {len(page['items'])} items on a page of {limit}"
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = {"cursor": page["next_cursor"]}

    async def figures(self) -> dict[str, int]:
        """What those who only listen have counted, by what they count."""
        metrics = {
            name: await self.get(f"/v1/metrics/{name}") for name in ("messages-received", "conversations-opened")
        }
        return {
            **{name: sum(item["count"] for item in figure["items"]) for name, figure in metrics.items()},
            "waiting": (await self.get("/v1/waiting"))["count"],
            # Who works for the tenant is a person with rights as well, and not counted here.
            "subjects": (await self.get("/v1/privacy/register"))["subject_count"] - len(await self.items("/v1/users")),
        }

    async def dead_letters(self) -> list[dict[str, Any]]:
        """The dead letters of all services."""
        lists = [await self.items(f"/v1/operations/{service}/dead-letters") for service in LISTENERS]
        return [letter for letters in lists for letter in letters]

    async def contact_of(self, sender: str) -> dict[str, Any] | None:
        """The contact who has this number; None while there is none."""
        for contact in await self.items("/v1/contacts"):
            if sender in {address["value"] for address in contact["addresses"]}:
                return contact
        return None

    async def all_messages(self) -> list[dict[str, Any]]:
        """Those of all conversations."""
        return [
            message
            for conversation in await self.items("/v1/conversations")
            for message in await self.items(f"/v1/conversations/{conversation['id']}/messages")
        ]

    async def messages_of(self, sender: str) -> list[dict[str, Any]]:
        """What a sender wrote, in his one conversation; nothing while there is none."""
        contact = await self.contact_of(sender)
        conversations = [] if contact is None else await self.items("/v1/conversations", contact_id=contact["id"])
        assert len(conversations) <= 1, f"{sender} has {len(conversations)} conversations"
        return [
            message
            for conversation in conversations
            for message in await self.items(f"/v1/conversations/{conversation['id']}/messages")
        ]


@asynccontextmanager
async def gateway(running: RunningSet, key: str) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway, with an API key."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=running.gateway_url, headers=headers, timeout=20) as client:
        yield client


@asynccontextmanager
async def reading(running: RunningSet) -> AsyncIterator[Reader]:
    """A reader with the demo tenant's key."""
    async with gateway(running, running.demo["admin_key"]) as client:
        yield Reader(client)
