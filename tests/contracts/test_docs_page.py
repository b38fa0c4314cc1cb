"""The page that shows the API asks no host but its own."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from gateway.docs_page import docs_page


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.include_router(docs_page)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


async def test_everything_on_the_page_comes_from_the_gateway(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    wanted = re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text)
    assert len(wanted) == 3
    for address in wanted:
        assert (await browser.get(f"/{address}")).is_success
    assert "//" not in page.text


@pytest.mark.parametrize("path", ["/docs", "/docs/start.js", "/docs/swagger-ui.js", "/docs/swagger-ui.css"])
async def test_nothing_inline_and_nothing_foreign_is_allowed(browser: httpx.AsyncClient, path: str) -> None:
    policy = (await browser.get(path)).headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*", policy)
