"""The simulated provider as one more process of the local run, which always knows whom to call back."""

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from typing import Any

import httpx

from deploy.local.keys import Keys
from deploy.local.plan import HOST, Ports
from deploy.local.supervisor import Program, StartError
from deploy.processes import REPOSITORY

_SECONDS = 5


def access_token(keys: Keys) -> str:
    """What the demo channel sends with, and the simulator expects."""
    return keys.derived("demo whatsapp access_token")


class Simulator:
    """It remembers nothing, so whenever it starts it is told of the accounts again."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._accounts: dict[str, Mapping[str, str]] = {}

    def program(self) -> Program:
        port = str(self._ports["simulator"])
        return Program(
            name="simulator",
            command=[sys.executable, "-m", "deploy.simulator", "--host", HOST, "--port", port],
            directory=REPOSITORY,
            up=self._up,
            environment={"PYTHONUNBUFFERED": "1"},
        )

    async def connect(self, channel: Mapping[str, Any], keys: Keys) -> None:
        """Make a WhatsApp channel's number known, now and at every later start; raises `StartError`."""
        account = {
            "webhook_url": channel["webhook_url"],
            "app_secret": channel["secrets"]["app_secret"],
            "access_token": access_token(keys),
        }
        self._accounts[channel["phone_number_id"]] = account
        try:
            async with self._client() as client:
                await self._register(client)
        except httpx.HTTPError as error:
            raise StartError(f"the provider simulator does not take the demo channel: {error!r}") from error

    async def _up(self) -> None:
        async with self._client() as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    await self._register(client)
                    return
                await asyncio.sleep(0.1)

    async def _register(self, client: httpx.AsyncClient) -> None:
        (await client.get("/live")).raise_for_status()
        for phone_number_id, account in self._accounts.items():
            (await client.put(f"/accounts/{phone_number_id}", json=account)).raise_for_status()

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._ports.url("simulator"), timeout=_SECONDS)
