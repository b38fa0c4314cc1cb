"""What was measured: figures with their targets, the table that shows them, and the file that keeps them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, nan
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure must reach, by itself or as a multiple `of_bare`."""

    limit: float
    at_least: bool = False
    of_bare: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:,g}{' × bare' if self.of_bare else ''}"

    def met(self, value: float, baseline: float | None) -> bool | None:
        """None while the figure that it is compared with is missing."""
        if self.of_bare and baseline is None:
            return None
        reached = value / baseline if self.of_bare and baseline else value
        return reached >= self.limit if self.at_least else reached <= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One number."""

    name: str
    what: str
    value: float
    unit: str
    target: Target | None = None
    """None for what only explains the figure above it."""
    bare: str | None = None
    """The figure of the bare chain that stands beside it."""


_QUIET: Final = 0.05
"""The stolen share up to which figures are ours: with a fifth stolen, half of what the machine can was reached."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Under what a step's figures were measured."""

    seconds: float
    stolen: float
    """The share of the machine's CPU time that the hypervisor gave to others."""
    foreign: float
    """The share that programs took which are not of this run."""
    generator: float | None = None
    """The share of one core that the load generator used while it posted."""
    late: float = 0
    """By how many seconds it posted later than its rate wanted, at the most."""

    def __str__(self) -> str:
        generator = "" if self.generator is None else f", generator {self.generator:.0%} of a core"
        late = f" and at most {self.late * 1000:.0f} ms late" if self.late else ""
        shares = f"stolen {self.stolen:.1%}, other programs {self.foreign:.1%}"
        warning = "; its figures tell of the machine's other tenants" if self.stolen > _QUIET else ""
        return f"{self.seconds:>4.0f} s, {shares}{generator}{late}{warning}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that so many percent of them do not exceed; NaN of none."""
    return sorted(values)[max(ceil(len(values) * percent / 100), 1) - 1] if values else nan


def latency(name: str, what: str, waits: Sequence[float], targets: Mapping[int, Target | None]) -> Iterator[Figure]:
    """Percentiles in milliseconds of waits in seconds."""
    for percent, target in targets.items():
        yield Figure(f"{name}-p{percent}", f"{what}, p{percent}", percentile(waits, percent) * 1000, "ms", target)


def beside(bare: str, percentiles: Iterable[Figure]) -> Iterator[Figure]:
    """These percentiles with the same ones of the bare chain, whose names begin so."""
    for figure in percentiles:
        yield replace(figure, bare=f"{bare}-{figure.name.rpartition('-')[2]}")


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """The lines that show them: those with a target, indented those that explain them, and bare ones only beside."""
    values = {figure.name: figure.value for figure in figures}
    beside_others = {figure.bare for figure in figures}
    yield f"{'':<72}{'figure':>10} {'':<6}{'target':>14}{'bare':>10}{'ratio':>7}"
    for figure in (each for each in figures if each.name not in beside_others):
        baseline = _baseline(figure, values)
        ratio = f"{figure.value / baseline:>7.2f}" if baseline else ""
        bare = "" if baseline is None else f"{baseline:>10,.4g}{ratio}"
        sign = {True: "  met", False: "  MISSED", None: ""}[_met(figure, baseline)]
        what = figure.what if figure.target else f"  {figure.what}"
        target = "" if figure.target is None else str(figure.target)
        yield f"{what:<72}{_shown(figure.value):>10} {figure.unit:<6}{target:>14}{bare:<17}{sign}".rstrip()


def as_json(figures: Sequence[Figure]) -> dict[str, dict[str, Any]]:
    """By name: the value, its unit, the target, whether that is met, and what the bare chain reached."""
    values = {figure.name: figure.value for figure in figures}
    return {
        figure.name: {
            "value": figure.value,
            "unit": figure.unit,
            "target": figure.target and str(figure.target),
            "met": _met(figure, _baseline(figure, values)),
            "baseline": _baseline(figure, values),
        }
        for figure in figures
    }


def _baseline(figure: Figure, values: Mapping[str, float]) -> float | None:
    return values.get(figure.bare) if figure.bare else None


def _met(figure: Figure, baseline: float | None) -> bool | None:
    return None if figure.target is None else figure.target.met(figure.value, baseline)


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
