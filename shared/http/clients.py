"""Every client that leaves a process: httpx's interface over a fast transport, never without a time-out."""

import httpx
from httpx_aiohttp import AiohttpTransport

TIMEOUT = httpx.Timeout(10.0, connect=2.0)


def outgoing_client(base_url: str = "", *, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client that follows no redirect and keeps its connections; tests give it `httpx.MockTransport`."""
    return httpx.AsyncClient(
        base_url=base_url,
        transport=transport or AiohttpTransport(),
        timeout=TIMEOUT,
        follow_redirects=False,
        trust_env=False,
    )
