"""The door to everything else: who comes in, and what is passed on to whom."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
from fastapi import APIRouter, Request, Response
from httpx_aiohttp import AiohttpTransport
from starlette.responses import FileResponse

from gateway.authentication import Authenticator
from gateway.handlers import Entrance
from gateway.passwords import Passwords
from gateway.proxy import PATIENCE, STREAMS, Proxy
from gateway.realtime import Realtime
from gateway.routes import pattern
from gateway.settings import Settings
from shared.http import ContextSigner, Declared, Door, Passage, straight
from shared.service import Kernel

_ANSWERS: Final = 100
"""Connections to one service besides those of streams."""


@asynccontextmanager
async def furnish(kernel: Kernel[Settings]) -> AsyncIterator[None]:
    """The door, for as long as the process runs."""
    settings = kernel.settings
    authenticator: Authenticator = kernel.app.state.desk.callers
    async with AsyncExitStack() as stack:
        passages = {name: await stack.enter_async_context(_passage(url)) for name, url in settings.services.items()}
        signer = ContextSigner(settings.caller_private_key.get_secret_value())
        kernel.app.state.proxy = Proxy(passages, authenticator, signer)
        kernel.app.state.entrance = Entrance(
            kernel.database, kernel.blind_index, await Passwords.ready(), authenticator.tokens
        )
        kernel.app.state.openapi = settings.openapi
        kernel.app.state.realtime = Realtime(settings, authenticator.holder)
        if "api" in settings.parts:
            kernel.start(kernel.app.state.realtime.run)
        yield


def callers(kernel: Kernel[Settings]) -> Authenticator:
    return Authenticator(kernel.settings, kernel.database)


def _passage(url: str) -> Passage:
    limits = httpx.Limits(max_connections=_ANSWERS + STREAMS)
    return Passage(url, AiohttpTransport(limits=limits), timeout=PATIENCE)


door = APIRouter(include_in_schema=False)


@door.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The whole public API in one document."""
    document: Path = request.app.state.openapi
    return FileResponse(document, media_type="application/json")


async def pass_on(request: Request) -> Response:
    """What another service answers."""
    proxy: Proxy = request.app.state.proxy
    return await proxy.pass_on(request)


def _match(path: str) -> tuple[Declared, dict[str, str]] | None:
    declared = pattern(path)
    return (Declared(declared), {}) if declared else None


# What a method is good for, who answers says; `OPTIONS` is what pages ask before they call what is open to everyone.
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
passing = Door(straight(_match, dict.fromkeys(_METHODS, pass_on)))
