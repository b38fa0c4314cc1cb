"""The providers' APIs as ingest calls them, and when it may: never faster than they allow, nor while they are down."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

import httpx
import structlog

from services.ingest.channels.sending import UNKNOWN, Cause, NotNow, Order, Outcome, UnsendableError
from services.ingest.channels.whatsapp import sending as whatsapp
from shared.http import was_never_sent

log = structlog.get_logger()


class Client(Protocol):
    """The API of one provider."""

    async def send(self, order: Order) -> Outcome | NotNow:
        """Try once to send a message; raises `UnsendableError` for what this channel cannot send."""


class WhatsAppCloud:
    """Meta's WhatsApp Cloud API; `http` has its address, with the version of the Graph API."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def send(self, order: Order) -> Outcome | NotNow:
        """See `Client.send`. A time-out, or a connection lost once the request was on its way, is unknown."""
        token = order.secrets.get("access_token")
        if token is None:
            raise UnsendableError("no_access_token", "The channel has no access token to send with.")
        body, bearer = whatsapp.body_of(order), {"Authorization": f"Bearer {token}"}
        try:
            answer = await self._http.post(f"/{order.account}/messages", json=body, headers=bearer)
            return whatsapp.read_answer(answer.status_code, answer.headers, answer.content, datetime.now(UTC))
        except Exception as error:
            if was_never_sent(error):
                return NotNow(Cause.OUTAGE, "provider_unreachable", "The provider could not be reached.")
            # Whatever else it is, the message may have left, and must not leave twice.
            log.warning("an answer was lost", account=order.account, exc_info=error)
            return UNKNOWN


@dataclass(frozen=True, slots=True)
class Bounds:
    """How a channel account may be used by one process."""

    rate: float
    """Calls a second."""
    at_once: int
    """Calls that wait for their answer, so that a slow provider leaves room for the others."""
    failures: int
    """As many in a row, and the provider counts as down."""
    pause: float
    """Seconds until one call tries whether he is back."""


class Gate:
    """Lets the calls of one channel account through, or says when to come again.

    A token bucket that holds a tenth of a second's calls, and a breaker: after too many failures in a row it is shut
    for the pause, then lets one call through and stays shut until that has ended well.
    """

    def __init__(self, channel_id: UUID, bounds: Bounds, clock: Callable[[], float]) -> None:
        self._channel_id = channel_id
        self._bounds = bounds
        self._clock = clock
        self._most_tokens = max(1.0, bounds.rate / 10)
        self._tokens = self._most_tokens
        self._filled_at = clock()
        self._inside = 0
        self._failures = 0
        self._throttled = 0
        self._shut_until = 0.0
        self._turn = 0.0

    def enter(self) -> float:
        """0 lets a call in, which must `leave`; otherwise the seconds after which to ask again."""
        now = self._clock()
        self._tokens = min(self._most_tokens, self._tokens + (now - self._filled_at) * self._bounds.rate)
        self._filled_at = now
        if self.is_shut or self._tokens < 1 or self._inside >= self._bounds.at_once:
            return self.turn()
        self._tokens -= 1
        self._inside += 1
        if self._failures >= self._bounds.failures:
            self.shut(self._bounds.pause)
        return 0.0

    def turn(self) -> float:
        """In how many seconds to come again: turns are as far apart as the rate has it, first come, first served."""
        now = self._clock()
        self._turn = max(self._turn, self._shut_until, now) + 1 / self._bounds.rate
        return self._turn - now

    def leave(self) -> None:
        """The end of a call that was let in."""
        self._inside -= 1

    def succeed(self) -> None:
        """The provider is there, and takes what comes from this account."""
        if self._failures >= self._bounds.failures:
            self._shut_until = 0.0
        self._failures = self._throttled = 0

    def fail(self, seconds: float | None = None) -> None:
        """The provider is not there, or not well; he may have said for how long."""
        self._failures += 1
        is_down = self._failures >= self._bounds.failures
        self.shut(max(self._bounds.pause if is_down else 0.0, seconds or 0.0))
        if is_down:
            log.warning("a provider counts as down", channel_id=self._channel_id, failures=self._failures)

    def throttle(self, seconds: float | None = None) -> None:
        """The provider has had enough from this account: for as long as he says, else twice as long each time."""
        if not self.is_shut:
            self._throttled += 1
        self.shut(seconds or min(self._bounds.pause, 2.0 ** (self._throttled - 1)))

    def shut(self, seconds: float) -> None:
        """Let nobody in for a while."""
        self._shut_until = max(self._shut_until, self._clock() + seconds)

    @property
    def is_shut(self) -> bool:
        return self._clock() < self._shut_until


class Gates:
    """The gates of all channel accounts that this process has sent through."""

    def __init__(self, bounds: Bounds, clock: Callable[[], float] = time.monotonic) -> None:
        self._bounds = bounds
        self._clock = clock
        self._gates: dict[UUID, Gate] = {}

    def of(self, channel_id: UUID) -> Gate:
        gate = self._gates.get(channel_id)
        if gate is None:
            gate = self._gates[channel_id] = Gate(channel_id, self._bounds, self._clock)
        return gate


Clients = Mapping[str, Client]
"""By the kind of channel."""
