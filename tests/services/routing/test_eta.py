"""How long a customer will wait."""

import heapq
import random
from collections.abc import Sequence
from statistics import quantiles

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.domain.eta import ENOUGH, LONGEST, Eta, estimate

fuzz = settings(max_examples=100, deadline=None, derandomize=True, database=None)

handling_times = st.lists(st.floats(0.001, 100_000), min_size=ENOUGH, max_size=40)
positions = st.integers(0, 200)
places = st.integers(1, 60)


def made(seed: int, law: str) -> list[float]:
    draw = random.Random(seed)
    laws = {
        "nearly constant": lambda: draw.gauss(300, 30),
        "exponential": lambda: draw.expovariate(1 / 300),
        "log-normal": lambda: draw.lognormvariate(5.4, 0.8),
        "a few very long": lambda: draw.lognormvariate(5.4, 1.2),
        "short or long": lambda: draw.gauss(60, 8) if draw.random() < 0.6 else draw.gauss(900, 100),
    }
    return [laws[law]() for _ in range(300)]


def simulated(departures: int, slots: int, handling: Sequence[float], runs: int = 3000) -> tuple[float, float]:
    """The median and the ninth decile of that departure from places that have long been busy."""
    draw = random.Random(departures * 1000 + slots)
    waits = []
    for _ in range(runs):
        # Who looks at a busy place finds a long handling more often than a short one, at any point of it.
        busy = [time * draw.random() for time in draw.choices(handling, weights=handling, k=slots)]
        heapq.heapify(busy)
        for time in draw.choices(handling, k=departures - 1):
            heapq.heapreplace(busy, busy[0] + time)
        waits.append(busy[0])
    deciles = quantiles(waits, n=10)
    return deciles[4], deciles[8]


@pytest.mark.parametrize(("law", "bound"), [
    ("nearly constant", 0.15), ("exponential", 0.07), ("log-normal", 0.07), ("a few very long", 0.2),
    ("short or long", 0.15),
])  # fmt: skip
@pytest.mark.parametrize(("ahead", "slots"), [(0, 1), (2, 1), (1, 2), (3, 3), (0, 5), (11, 5), (19, 20), (9, 100)])
def test_the_estimate_comes_close_to_a_simulation(law: str, bound: float, ahead: int, slots: int) -> None:
    handling = made(7, law)
    half, most = simulated(ahead + 1, slots, handling)
    eta = estimate(ahead, slots, 0, handling)
    assert eta is not None
    assert eta.p50_seconds == pytest.approx(half, rel=bound, abs=1.5)
    assert eta.p90_seconds == pytest.approx(most, rel=bound, abs=1.5)


def test_the_first_departure_from_one_place_follows_from_the_times_themselves() -> None:
    # At any moment of a handling of 100 s there remain up to 100 s, each as likely as the other.
    assert estimate(0, 1, 0, [100.0] * 5) == Eta(50, 90)
    # Of eleven equal parts of the time ten belong to the long handling: half of all moments find 450 s or more to go.
    assert estimate(0, 1, 0, [100.0, 1000.0] * 3) == Eta(450, 890)


def test_a_free_place_means_no_wait_and_needs_no_history() -> None:
    assert estimate(ahead=0, slots=4, free=1, handling=[]) == Eta(0, 0)
    assert estimate(ahead=2, slots=4, free=3, handling=[60.0] * 10) == Eta(0, 0)


def test_free_places_are_taken_by_those_ahead() -> None:
    handling = made(1, "log-normal")
    assert estimate(ahead=5, slots=4, free=3, handling=handling) == estimate(2, 4, 0, handling)
    assert estimate(ahead=3, slots=4, free=3, handling=handling) == estimate(0, 4, 0, handling)


def test_nothing_is_guessed() -> None:
    assert estimate(ahead=0, slots=0, free=0, handling=[60.0] * 10) is None
    assert estimate(ahead=0, slots=3, free=0, handling=[60.0] * 4) is None
    assert estimate(ahead=0, slots=3, free=0, handling=[60.0] * 4 + [0.0, 0.0]) is None
    assert estimate(ahead=0, slots=3, free=0, handling=[60.0] * 5) is not None


def test_the_order_of_the_handling_times_says_nothing() -> None:
    handling = made(3, "short or long")
    assert estimate(4, 3, 0, handling) == estimate(4, 3, 0, sorted(handling))


def test_a_wait_beyond_all_measure_is_told_as_the_longest() -> None:
    assert estimate(ahead=100_000, slots=1, free=0, handling=[3600.0] * 5) == Eta(LONGEST, LONGEST)


@given(ahead=positions, more=st.integers(1, 50), slots=places, handling=handling_times)
@fuzz
def test_more_ahead_never_shorten_the_wait(ahead: int, more: int, slots: int, handling: list[float]) -> None:
    near, far = estimate(ahead, slots, 0, handling), estimate(ahead + more, slots, 0, handling)
    assert near is not None
    assert far is not None
    assert near.p50_seconds <= far.p50_seconds
    assert near.p90_seconds <= far.p90_seconds


@given(ahead=positions, more=st.integers(1, 20), slots=places, free=st.integers(0, 60), handling=handling_times)
@fuzz
def test_more_places_never_prolong_the_wait(
    ahead: int, more: int, slots: int, free: int, handling: list[float]
) -> None:
    free = min(free, slots)
    few, many = estimate(ahead, slots, free, handling), estimate(ahead, slots + more, free, handling)
    freer = estimate(ahead, slots + more, free + more, handling)
    assert few is not None
    assert many is not None
    assert freer is not None
    assert freer.p50_seconds <= many.p50_seconds <= few.p50_seconds
    assert freer.p90_seconds <= many.p90_seconds <= few.p90_seconds


@given(ahead=positions, slots=places, handling=handling_times)
@fuzz
def test_nine_in_ten_wait_at_least_as_long_as_half_of_all(ahead: int, slots: int, handling: list[float]) -> None:
    eta = estimate(ahead, slots, 0, handling)
    assert eta is not None
    assert 0 < eta.p50_seconds <= eta.p90_seconds <= LONGEST
