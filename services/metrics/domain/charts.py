"""A figure as a picture (SVG 1.1) that can be read aloud, in light and in dark; nothing in it can act."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise
from math import ceil
from typing import Final
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

BARS: Final = 30
"""So many groups are drawn, the largest ones; of the others it is told how many there are."""

_WIDTH, _LEFT, _RIGHT, _TOP = 720, 280, 90, 64
_ROW, _PLOT, _BOTTOM = 26, 220, 44
_LINE_LEFT, _LINE_RIGHT = 100, 40
_GRID: Final = 4
_LEAST: Final = Decimal("0.001")
_DAYS_TOLD: Final = 6
_DAY: Final = timedelta(days=1)

# So many letters of a name are drawn, an id among them; from so many on they are pressed into the room that there is.
_LETTERS, _LOOSE, _ROOM = 36, 24, _LEFT - 16

# Characters that no XML document may hold (XML 1.0, §2.2).
_UNSPEAKABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STYLE: Final = """\
text{font:12px system-ui,sans-serif;fill:#1f2933}.h{font-size:16px;font-weight:600}.a{fill:#52606d}\
.g{stroke:#d9e2ec}.m{fill:#2563a8}.l{fill:none;stroke:#2563a8;stroke-width:2}.b{fill:#fff}\
@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.a{fill:#9aa5b1}.g{stroke:#3e4c59}.m{fill:#7cb8f2}\
.l{stroke:#7cb8f2}.b{fill:#1a1f24}}.n{font-style:italic}"""

# From which value on a length of time is told in this unit.
_UNITS: Final = ((2 * 86_400, 86_400, "d"), (2 * 3_600, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a figure, and whose it is."""

    name: str
    value: float
    """In seconds where the figure is a duration."""
    nameless: bool = False
    """Whether it is of no group, or of several, and must not be taken for one that is called so."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to lengths, in whole steps of a round number."""

    step: Decimal
    """In the unit."""
    count: int
    """How many there are of them."""
    length: float
    divisor: int
    unit: str

    def at(self, value: float) -> float:
        return value / self.divisor / float(self.step * self.count) * self.length

    def told(self, value: float) -> str:
        """With a digit more than the steps have, where there are fractions."""
        number = f"{value / self.divisor:,.{max(1, self._decimals + 1)}f}".rstrip("0").removesuffix(".")
        return self._in_unit(number)

    @property
    def steps(self) -> Iterator[tuple[float, str]]:
        """How long the way is to each step, and what is written there."""
        for place in range(self.count + 1):
            yield place / self.count * self.length, self._in_unit(f"{self.step * place:,.{self._decimals}f}")

    @property
    def _decimals(self) -> int:
        exponent = self.step.normalize().as_tuple().exponent
        return max(0, -exponent) if isinstance(exponent, int) else 0

    def _in_unit(self, number: str) -> str:
        return f"{number.replace(',', ' ')} {self.unit}".rstrip()


def bar_chart(title: str, description: str, points: Sequence[Point], *, unit: str | None) -> str:
    """A bar for each point, the largest first; of counts, what is not drawn is one bar more."""
    largest = sorted(points, key=lambda point: -point.value)
    shown, others = largest[:BARS], largest[BARS:]
    told = f"{len(others)} others" if others else None
    if others and unit is None:
        # There is no median of medians.
        shown, told = [*shown, Point(f"{len(others)} others", sum(one.value for one in others), nameless=True)], None
    scale = _scale(shown, _WIDTH - _LEFT - _RIGHT, unit)
    height = _TOP + _ROW * max(1, len(shown)) + _BOTTOM
    parts = _bars(shown, scale, height, f"and {told}" if told else "")
    return _picture(title, _described(description, shown, told, scale), shown, height, parts)


def line_chart(title: str, description: str, points: Sequence[Point], *, unit: str | None) -> str:
    """A line over the days that are the names of the points (ISO 8601), from the first to the last of them.

    On days between them nothing was counted; of a duration there is none, and no line.
    """
    days = sorted((date.fromisoformat(point.name), point.value) for point in points)
    runs = [_with_zeros(days)] if unit is None else _unbroken(days)
    scale = _scale(points, _PLOT, unit)
    height = _TOP + _PLOT + _BOTTOM
    parts = _line(days, runs, scale, height) if days else iter(())
    before = f"{len(points) - BARS} days before" if len(points) > BARS else None
    return _picture(title, _described(description, points[-BARS:], before, scale), points, height, parts)


_Day = tuple[date, float]


def _with_zeros(days: Sequence[_Day]) -> list[_Day]:
    """With the first and the last day of each gap, between which the line runs along the bottom."""
    gaps = [(before[0] + _DAY, after[0] - _DAY) for before, after in pairwise(days)]
    return sorted([*days, *((day, 0.0) for first, last in gaps if first <= last for day in {first, last})])


def _unbroken(days: Sequence[_Day]) -> list[list[_Day]]:
    """In runs of days that follow each other."""
    runs: list[list[_Day]] = []
    for day in days:
        if runs and day[0] - runs[-1][-1][0] == _DAY:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _described(description: str, shown: Sequence[Point], others: str | None, scale: _Scale) -> str:
    told = [f"{point.name}: {scale.told(point.value)}" for point in shown] or ["There is nothing yet."]
    return f"{description} {'; '.join([*told, *([f'and {others}'] if others else [])])}"


def _picture(title: str, description: str, points: Sequence[Point], height: int, parts: Iterator[str]) -> str:
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">',
            f'<title id="title">{_text(title)}</title><desc id="desc">{_text(description)}</desc>',
            f'<style>{_STYLE}</style><rect class="b" width="100%" height="100%"/>',
            f'<text class="h" x="16" y="28">{_text(title)}</text>',
            *(parts if points else ['<text class="a" x="16" y="52">There is nothing yet.</text>']),
            "</svg>",
        )
    )


def _bars(points: Sequence[Point], scale: _Scale, height: int, others: str) -> Iterator[str]:
    bottom = height - _BOTTOM
    for length, told in scale.steps:
        x = _LEFT + length
        yield f'<line class="g" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 8}" y2="{bottom}"/>'
        yield f'<text class="a" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{_text(told)}</text>'
    for place, point in enumerate(points):
        y, length, told = _TOP + _ROW * place, scale.at(point.value), scale.told(point.value)
        yield f"<g><title>{_text(f'{point.name}: {told}')}</title>"
        style = ' class="n"' if point.nameless else ""
        # No name is longer than the room that there is.
        pressed = f' textLength="{_ROOM}" lengthAdjust="spacingAndGlyphs"' if _wide(point.name) > _LOOSE else ""
        name = _text(_short(point.name))
        yield f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end"{style}{pressed}>{name}</text>'
        yield f'<rect class="m" x="{_LEFT}" y="{y + 2}" width="{length:.1f}" height="{_ROW - 10}" rx="2"/>'
        yield f'<text x="{_LEFT + length + 6:.1f}" y="{y + 14}">{_text(told)}</text></g>'
    if others:
        yield f'<text class="a" x="{_WIDTH - 16}" y="{height - 8}" text-anchor="end">{_text(others)}</text>'


def _line(days: Sequence[_Day], runs: Iterable[Sequence[_Day]], scale: _Scale, height: int) -> Iterator[str]:
    bottom, first = height - _BOTTOM, days[0][0]
    last = (days[-1][0] - first).days
    a_day = (_WIDTH - _LINE_RIGHT - _LINE_LEFT) / max(1, last)
    for length, told in scale.steps:
        y = bottom - length
        yield f'<line class="g" x1="{_LINE_LEFT}" x2="{_WIDTH - 24}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="a" x="{_LINE_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_text(told)}</text>'
    for run in runs:
        spots = [(_LINE_LEFT + a_day * (day - first).days, bottom - scale.at(value), day, value) for day, value in run]
        yield f'<polyline class="l" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in spots)}"/>'
        for x, y, day, value in spots:
            told = _text(f"{day}: {scale.told(value)}")
            yield f'<circle class="m" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{told}</title></circle>'
    for passed in range(0, last + 1, ceil((last + 1) / _DAYS_TOLD)):
        x, name = _LINE_LEFT + a_day * passed, first + passed * _DAY
        yield f'<text class="a" x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{name}</text>'


def _scale(points: Iterable[Point], length: float, unit: str | None) -> _Scale:
    most = max((point.value for point in points), default=0.0)
    divisor, name = 1, ""
    if unit == "seconds":
        divisor, name = next((divisor, name) for least, divisor, name in _UNITS if most >= least)
    reach = Decimal(repr(most / divisor))
    step = _step(reach, whole=unit is None)
    return _Scale(step, max(1, ceil(reach / step)), length, divisor, name)


def _step(reach: Decimal, *, whole: bool) -> Decimal:
    """The least round number of which four reach so far."""
    if reach < (1 if whole else _LEAST):
        return Decimal(1)
    power = (reach / _GRID).adjusted()
    steps = [Decimal(step).scaleb(power - 1) for step in (10, 20, 25, 50, 100, 200)]
    return next(step for step in steps if step * _GRID >= reach and not (whole and step % 1))


def _short(name: str) -> str:
    if _wide(name) <= _LETTERS:
        return name
    ends = accumulate(map(_wide, name))
    return f"{name[: sum(end < _LETTERS for end in ends)]}…"


def _wide(letters: str) -> int:
    """How many letters they are as wide as: some scripts take the room of two for each."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in letters)


def _text(value: str) -> str:
    return escape(_UNSPEAKABLE.sub("�", value))
