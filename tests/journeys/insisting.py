"""What is asked of the public API by who does not give up: again while who should answer is away."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from tests.support.waiting import until

PATIENCE_SECONDS = 120


def path_of(conversation: Mapping[str, Any]) -> str:
    return f"/v1/conversations/{conversation['id']}"


async def insist(ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """The answer, asked for again while who should give it is away; raises `AssertionError` when it is a refusal."""

    async def once() -> httpx.Response | None:
        try:
            answer = await ask()
        except httpx.TransportError:
            return None
        return None if _is_away(answer) else answer

    found = await until(once, lambda answer: answer is not None, seconds=PATIENCE_SECONDS)
    assert found is not None
    assert found.is_success, f"{found.status_code} {found.text}"
    return found


def _is_away(answer: httpx.Response) -> bool:
    if answer.status_code == 409:
        return bool(answer.json()["type"] == "/problems/idempotency-in-progress")
    return answer.status_code in {429, 503}
