"""Every client that leaves a process: httpx's interface over a fast transport, never without a time-out."""

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


def was_never_sent(error: Exception) -> bool:
    """Whether a request failed before any of it had left, so that to make it again is to make it once."""
    if not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol):
        return False
    # The transport calls every loss of a connection a failure to connect; only what lies behind it tells them apart.
    lost = error.__cause__
    return not isinstance(lost, aiohttp.ClientConnectionError) or isinstance(lost, _NOT_CONNECTED)
