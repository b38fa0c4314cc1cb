"""Figures, their targets and how they are shown."""

from math import isnan

import pytest

from tests.bench.figures import Circumstances, Figure, Target, as_json, percentile, table
from tests.bench.steps.saturation import growth

LEAST = Target(0.4, at_least=True, of_bare=True)
RATE = Figure("rate", "messages", 1200, "/s", LEAST, "bare-rate")
BARE = Figure("bare-rate", "bare: messages", 3000, "/s")
WAIT = Figure("wait-p99", "wait", 120.5, "ms", Target(100))


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    assert percentile(range(1, 201), 99) == 198
    assert percentile([3, 1, 2], 50) == 2
    assert percentile([7], 99) == 7
    assert isnan(percentile([], 50))


def test_a_target_of_the_bare_chain_is_met_by_the_ratio() -> None:
    assert LEAST.met(1200, 3000) is True
    assert LEAST.met(1199, 3000) is False
    assert LEAST.met(1200, None) is None
    assert Target(100).met(100, None) is True


def test_the_table_shows_each_figure_with_its_target_and_the_bare_one_beside_it() -> None:
    _, rate, wait = table([RATE, WAIT, BARE])
    assert rate.split() == ["messages", "1,200", "/s", "≥", "0.4", "×", "bare", "3,000", "0.40", "met"]
    assert wait.split() == ["wait", "120", "ms", "≤", "100", "MISSED"]


def test_the_file_keeps_all_figures_by_name() -> None:
    kept = as_json([RATE, WAIT, BARE])
    assert kept["rate"] == {"value": 1200, "unit": "/s", "target": "≥ 0.4 × bare", "met": True, "baseline": 3000}
    assert kept["wait-p99"] == {"value": 120.5, "unit": "ms", "target": "≤ 100", "met": False, "baseline": None}
    assert kept["bare-rate"]["target"] is None


@pytest.mark.parametrize(("later", "bare_later", "met"), [(450, 200, True), (470, 200, False), (500, 250, True)])
def test_a_message_may_grow_dearer_with_the_machine_but_not_with_the_history(
    later: float, bare_later: float, met: bool
) -> None:
    measured = {"first": (400, 200), "later": (later, bare_later)}
    figures = [
        Figure(f"{chain}{when}-{kind}", kind, value, "µs")
        for when, values in measured.items()
        for chain, value in zip(("", "bare-"), values, strict=True)
        for kind in ("python", "postgres", "broker")
    ]
    kept = as_json([*figures, *growth(figures)])
    assert kept["growth-python"]["value"] == pytest.approx(later / 400)
    assert kept["growth-python"]["met"] is met
    assert not list(growth(figures[:6]))


def test_a_step_that_was_disturbed_says_so() -> None:
    assert "other tenants" not in str(Circumstances(17, stolen=0.03, foreign=0.4))
    assert "other tenants" in str(Circumstances(17, stolen=0.2, foreign=0))
