"""The page that shows the public API: Swagger UI, every file of it served from here and no other host ever asked."""

import importlib.resources
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from starlette.responses import FileResponse

_OWN: Final = Path(__file__).parent
_SWAGGER_UI: Final = Path(str(importlib.resources.files("fastapi_swagger").joinpath("resources")))

# Nothing inline, nothing from elsewhere: a key that is tried out on the page can reach this gateway alone.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "max-age=3600",
}

docs_page = APIRouter(prefix="/docs", include_in_schema=False)


@docs_page.get("")
async def page() -> Response:
    """The page itself; it reads `/openapi.json`."""
    return FileResponse(_OWN / "docs_page.html", headers=_HEADERS)


@docs_page.get("/start.js")
async def start() -> Response:
    """What starts Swagger UI on the page."""
    return FileResponse(_OWN / "docs_page.js", headers=_HEADERS)


@docs_page.get("/swagger-ui.js")
async def script() -> Response:
    """Swagger UI."""
    return FileResponse(_SWAGGER_UI / "swagger-ui-bundle.js", headers=_HEADERS)


@docs_page.get("/swagger-ui.css")
async def style() -> Response:
    """How it looks."""
    return FileResponse(_SWAGGER_UI / "swagger-ui.css", headers=_HEADERS)
