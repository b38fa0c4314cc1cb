"""How long a customer will wait, told from how long others were handled."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt
from statistics import NormalDist
from typing import Final

ENOUGH: Final = 5
"""With fewer handling times nothing is said."""

LONGEST: Final = 30 * 86_400
"""Seconds; a longer wait is told as this one."""

MEDIAN: Final = 0.5
NINE_IN_TEN: Final = 0.9


@dataclass(frozen=True, slots=True)
class Eta:
    """A wait that half of the customers in this position, and nine in ten, do not exceed; in whole seconds."""

    p50_seconds: int
    p90_seconds: int


def estimate(ahead: int, slots: int, free: int, handling: Sequence[float]) -> Eta | None:
    """How long the next in line waits who has `ahead` others before him.

    `slots` places serve (what the agents who are there can hold at once, together), `free` of them are free now, and
    `handling` are past handling times in seconds; those that are not positive are no handling and do not count. A
    place that is free for him means no wait; otherwise None rather than a guess: when nobody serves, or with fewer than
    `ENOUGH` handling times. More ahead never shorten the wait, more places never prolong it.

    He waits for the (ahead - free + 1)-th departure from places that are all busy, each handling one conversation after
    the other with times such as those given, and each for nobody knows how long already: independent renewal
    processes in equilibrium (D. R. Cox, Renewal Theory, 1962). The law of the first departure follows from the given
    times exactly. A later one comes by a moment as often as that many departures do: their number has a known mean,
    its variance follows from the given times, and a gamma law of these two moments is inverted (Wilson and Hilferty,
    1931), which stays right for times that are all alike, for a few very long ones among many short ones, and for
    many places.
    """
    if ahead < free:
        return Eta(0, 0)
    history = _History(handling)
    if slots < 1 or len(history.times) < ENOUGH:
        return None
    departures = ahead - free + 1
    return Eta(history.wait(departures, slots, MEDIAN), history.wait(departures, slots, NINE_IN_TEN))


class _History:
    """The handling times, ready to be asked what a busy place does within a time."""

    def __init__(self, handling: Sequence[float]) -> None:
        self.times = sorted(time for time in handling if time > 0)
        self._sums = [0.0, *accumulate(self.times)]
        self._squares = [0.0, *accumulate(time * time for time in self.times)]

    def wait(self, departures: int, slots: int, share: float) -> int:
        """The first second by which so many departures have come in that share of all cases.

        Halving whole seconds between bounds that are always the same makes the answer monotone wherever `_come` is.
        """
        return bisect_left(range(LONGEST), True, key=lambda second: self._come(departures, slots, second, share))

    def _come(self, departures: int, slots: int, within: int, share: float) -> bool:
        """Whether so many departures come within so many seconds with that probability or a higher one."""
        done, dispersion = self._one_place(within)
        first = 1 - (1 - done) ** slots >= share
        if departures == 1 or not first:
            return first
        expected = within * slots * len(self.times) / self._sums[-1]
        return expected >= _gamma_quantile(departures, dispersion, share)

    def _one_place(self, within: int) -> tuple[float, float]:
        """What one busy place does: the probability that a first departure comes, and how its number scatters.

        With m the lesser of a handling time S and the time asked about, the probability is E[m]/E[S]. The index of
        dispersion, variance by mean, is E[m(2S - m)]/(E[S]E[m]) - 1 when the age of what is handled is taken to be at
        most the time asked about: 1 at once and for exponential times, E[S²]/E[S]² - 1 after a long time.
        """
        if not within:
            return 0.0, 1.0
        short = bisect_right(self.times, within)
        longer = len(self.times) - short
        total = self._sums[-1]
        seen = self._sums[short] + within * longer
        squares = self._squares[short] + 2 * within * (total - self._sums[short]) - within * within * longer
        return min(seen / total, 1.0), squares * len(self.times) / (total * seen) - 1


def _gamma_quantile(departures: int, dispersion: float, share: float) -> float:
    """The quantile of the time until the departure, in mean times between departures."""
    mean = departures + (dispersion - 1) / 2
    variance = departures * dispersion + (1 - dispersion) * (1 - 5 * dispersion) / 12
    relative = variance / mean**2
    deviation = NormalDist().inv_cdf(share)
    return mean * (1 - relative / 9 + deviation * sqrt(relative) / 3) ** 3
