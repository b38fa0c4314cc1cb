"""Posts webhooks as Meta does: signed, and again until they are acknowledged."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from weakref import WeakValueDictionary

import httpx
import structlog
from pydantic import Field, HttpUrl, StringConstraints

from deploy.simulator.ledger import Posted
from deploy.simulator.whatsapp import signed
from shared.http import Body

log = structlog.get_logger()

MOST_STORIES: Final = 20_000
_CONNECTIONS: Final = 32

Secret = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Account(Body):
    """Whom to call back about a business number, and by which secrets both sides know each other."""

    webhook_url: HttpUrl = Field(
        examples=["http://127.0.0.1:8001/webhooks/whatsapp/0197f0a4-7d1c-7000-8000-000000000000"]
    )
    app_secret: Secret = Field(examples=["0f1e2d3c4b5a69788796a5b4c3d2e1f0"])
    access_token: Secret = Field(examples=["EAAG-access-token"])


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a webhook is tried, in seconds."""

    answer: float = 10
    """For an answer to one attempt."""
    first_pause: float = 0.2
    """Before the second attempt; each pause is twice the one before."""
    longest_pause: float = 5
    altogether: float = 900
    """Then it is given up; Meta takes days."""


METAS_PATIENCE: Final = Patience()


class Webhooks:
    """Everything that is still to be told, each story in an order of its own."""

    def __init__(self, client: httpx.AsyncClient, accounts: Mapping[str, Account], patience: Patience) -> None:
        self._client = client
        self._accounts = accounts
        self._patience = patience
        self._connections = asyncio.Semaphore(_CONNECTIONS)
        self._stories: set[asyncio.Task[None]] = set()
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def has_room(self, stories: int = 1) -> bool:
        return len(self._stories) + stories <= MOST_STORIES

    def tell(self, story: Coroutine[Any, Any, None]) -> None:
        """Let a story go on by itself; it awaits `post` as often as it has something to tell."""
        task = asyncio.create_task(story)
        self._stories.add(task)
        task.add_done_callback(self._ended)

    async def aclose(self) -> None:
        """Tell nothing any more."""
        stories = list(self._stories)
        for story in stories:
            story.cancel()
        await asyncio.gather(*stories, return_exceptions=True)

    def _ended(self, story: asyncio.Task[None]) -> None:
        self._stories.discard(story)
        if not story.cancelled() and (failure := story.exception()):
            log.critical("a story was not told to its end", exc_info=failure)

    def turn(self, phone_number_id: str, customer: str) -> asyncio.Lock:
        """Held while a customer's message is told, so that his next one does not overtake it."""
        return self._turns.setdefault((phone_number_id, customer), asyncio.Lock())

    async def post(self, body: bytes, record: Posted) -> None:
        """Post until it is answered 200 or given up; `record` tells which."""
        give_up_at, pause = time.monotonic() + self._patience.altogether, self._patience.first_pause
        while not await self._attempt(body, record):
            if time.monotonic() + pause > give_up_at:
                record.given_up = True
                log.warning("a webhook was given up", phone_number_id=record.phone_number_id, n=record.n)
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._patience.longest_pause)
        record.acknowledged_at = datetime.now(UTC)

    async def _attempt(self, body: bytes, record: Posted) -> bool:
        account = self._accounts[record.phone_number_id]
        record.attempts += 1
        try:
            async with self._connections, asyncio.timeout(self._patience.answer):
                answer = await self._client.post(
                    str(account.webhook_url), content=body, headers=signed(body, account.app_secret)
                )
        except (httpx.TransportError, TimeoutError):
            return False
        return answer.status_code == httpx.codes.OK
