"""How the simulated provider behaves: what becomes of each send is decided by a seed and its place alone."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.http import Body

Status = Literal["sent", "delivered", "read"]
Answer = Literal["accepted", "timed_out", "error", "throttled"]

STATUSES: Final[tuple[Status, ...]] = ("sent", "delivered", "read")
"""In the order in which they come about."""
LONGEST_DELAY: Final = 3600

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_DELAY)]


class Behaviour(Body):
    """What goes wrong, and how often; shares are of the sends that are well-formed and authorised."""

    seed: int = Field(0, examples=[7])
    time_out_share: Share = Field(0, description="Accepted, told of by statuses, and never answered.", examples=[0.05])
    error_share: Share = Field(0, description="Answered 500, code 131000, and not accepted.", examples=[0.05])
    throttle_share: Share = Field(0, description="Answered 429, code 130429 or 131056.", examples=[0.1])
    retry_after_seconds: int = Field(1, ge=0, le=LONGEST_DELAY, description="What a 429 tells in `Retry-After`.")
    duplicate_share: Share = Field(0, description="Webhooks that are posted twice.", examples=[0.2])
    shuffle: bool = Field(False, description="Whether a send's statuses are posted in any order.")
    delay_seconds: tuple[Seconds, Seconds] = Field(
        (0.0, 0.2),
        description="At least and at most: how long each status, and each answer of a customer, keeps one waiting.",
        examples=[[0.5, 3]],
    )
    read_share: Share = Field(1, description="Sends that are read; the others stay at delivered.", examples=[0.8])
    down: bool = Field(False, description="Whether every send is answered 503; these take no place in the order.")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.time_out_share + self.error_share + self.throttle_share > 1:
            raise ValueError("time_out_share, error_share and throttle_share are more than 1 together")
        if self.delay_seconds[0] > self.delay_seconds[1]:
            raise ValueError("delay_seconds are the least and the most, in this order")
        return self


class Answers(Body):
    """What simulated customers write back, and to what share of that which reaches them."""

    share: Share = Field(0, examples=[0.5])
    texts: list[Annotated[str, StringConstraints(min_length=1, max_length=4096)]] = Field(
        [], max_length=1000, examples=[["Obrigada!", "E quanto custa a entrega?"]]
    )

    @model_validator(mode="after")
    def _has_words(self) -> Self:
        if self.share and not self.texts:
            raise ValueError("texts are missing")
        return self


@dataclass(frozen=True, slots=True)
class Step:
    """One webhook about a status; seconds count from when the send was accepted."""

    status: Status
    happened_after: float
    posted_after: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What the customer writes back, so many seconds after the last status."""

    text: str
    after: float


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one send."""

    answer: Answer
    code: int = 0
    """Meta's, where it is not accepted."""
    steps: tuple[Step, ...] = ()
    """In the order of posting."""
    reply: Reply | None = None

    @property
    def is_accepted(self) -> bool:
        return self.answer in {"accepted", "timed_out"}


def fate_of(behaviour: Behaviour, answers: Answers, phone_number_id: str, place: int) -> Fate:
    """What becomes of the send that is the `place`-th to arrive for this account; the same whenever it is asked."""
    draw = _drawing(behaviour, phone_number_id, place)
    answer, code = _answer(behaviour, draw)
    if code:
        return Fate(answer, code)
    return Fate(answer, steps=tuple(_steps(behaviour, draw)), reply=_reply(behaviour, answers, draw))


def is_posted_twice(behaviour: Behaviour, message_id: str) -> bool:
    """Whether the webhook with this message of a customer's comes twice."""
    return _drawing(behaviour, message_id).random() < behaviour.duplicate_share


def _drawing(behaviour: Behaviour, *what: object) -> random.Random:
    return random.Random("/".join(map(str, (behaviour.seed, *what))))  # noqa: S311 - fates are no secrets


def _answer(behaviour: Behaviour, draw: random.Random) -> tuple[Answer, int]:
    bounds = accumulate((behaviour.time_out_share, behaviour.error_share, behaviour.throttle_share))
    throttle = draw.choice((130429, 131056))
    outcomes: tuple[tuple[Answer, int], ...] = (("timed_out", 0), ("error", 131000), ("throttled", throttle))
    lot = draw.random()
    return next((outcome for bound, outcome in zip(bounds, outcomes, strict=True) if lot < bound), ("accepted", 0))


def _steps(behaviour: Behaviour, draw: random.Random) -> Iterator[Step]:
    reached = STATUSES if draw.random() < behaviour.read_share else STATUSES[:-1]
    posted = [status for status in reached for _ in range(1 + (draw.random() < behaviour.duplicate_share))]
    if behaviour.shuffle:
        draw.shuffle(posted)
    at = list(accumulate(draw.uniform(*behaviour.delay_seconds) for _ in posted))
    for status, posted_after in zip(posted, at, strict=True):
        # What is told first has happened by then, and so has all that comes before it.
        rank = STATUSES.index(status)
        known = (when for other, when in zip(posted, at, strict=True) if STATUSES.index(other) >= rank)
        yield Step(status, happened_after=min(known), posted_after=posted_after)


def _reply(behaviour: Behaviour, answers: Answers, draw: random.Random) -> Reply | None:
    if draw.random() >= answers.share:
        return None
    return Reply(draw.choice(answers.texts), draw.uniform(*behaviour.delay_seconds))
