"""Every client that leaves a process: httpx's interface over a fast transport, never without a time-out."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

TIMEOUT = httpx.Timeout(10.0, connect=2.0)

_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


def outgoing_client(base_url: str = "", *, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client that follows no redirect and keeps its connections; tests give it `httpx.MockTransport`."""
    return httpx.AsyncClient(
        base_url=base_url,
        transport=transport or AiohttpTransport(),
        timeout=TIMEOUT,
        follow_redirects=False,
        trust_env=False,
    )


class Passage:
    """The way to one service for what is passed on to it, without what httpx's client does for whoever browses: to
    follow, to keep cookies, to log in. That takes more than all the rest.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport, *, timeout: httpx.Timeout = TIMEOUT) -> None:
        self._base_url = base_url.rstrip("/")
        self._transport = transport
        self._extensions = {"timeout": timeout.as_dict()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.aclose()

    async def ask(self, method: str, path: str, *, headers: Mapping[str, str], content: bytes) -> httpx.Response:
        """An answer whose body is still to come; to be closed.

        Raises `httpx.HTTPError`, and `httpx.InvalidURL` or `UnicodeError` for what cannot be sent.
        """
        question = httpx.Request(
            method,
            self._base_url + path,
            headers=headers,
            content=content,
            extensions=self._extensions,
        )
        return await self._transport.handle_async_request(question)


def was_never_sent(error: Exception) -> bool:
    """Whether a request failed before any of it had left, so that to make it again is to make it once."""
    if not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol):
        return False
    # The transport calls every loss of a connection a failure to connect; only what lies behind it tells them apart.
    lost = error.__cause__
    return not isinstance(lost, aiohttp.ClientConnectionError) or isinstance(lost, _NOT_CONNECTED)
