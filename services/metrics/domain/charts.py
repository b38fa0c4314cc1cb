"""A figure as a picture (SVG 1.1) that can be read aloud, in light and in dark; nothing in it can act."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final
from xml.sax.saxutils import escape

BARS: Final = 30
"""So many groups are drawn; of the others it is told how many there are."""

_WIDTH, _LEFT, _RIGHT, _TOP = 720, 180, 90, 64
_ROW, _PLOT, _BOTTOM = 26, 220, 44
_GRID: Final = 4
_LETTERS: Final = 22
_LEAST: Final = 0.001
_DAYS_TOLD: Final = 6

# Characters that no XML document may hold (XML 1.0, §2.2).
_UNSPEAKABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STYLE: Final = """\
text{font:12px system-ui,sans-serif;fill:#1f2933}.h{font-size:16px;font-weight:600}.a{fill:#52606d}\
.g{stroke:#d9e2ec}.m{fill:#2563a8}.l{fill:none;stroke:#2563a8;stroke-width:2}.b{fill:#fff}\
@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.a{fill:#9aa5b1}.g{stroke:#3e4c59}.m{fill:#7cb8f2}\
.l{stroke:#7cb8f2}.b{fill:#1a1f24}}"""

# From which value on a length of time is told in this unit.
_UNITS: Final = ((2 * 86_400, 86_400, "d"), (2 * 3_600, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a figure, and whose it is."""

    name: str
    value: float
    """In seconds where the figure is a duration."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to lengths, with round numbers on the way."""

    top: float
    length: float
    divisor: float
    unit: str

    def at(self, value: float) -> float:
        return value / self.top * self.length

    def told(self, value: float) -> str:
        number = f"{value / self.divisor:,.1f}".removesuffix(".0").replace(",", " ")
        return f"{number} {self.unit}".rstrip()

    @property
    def steps(self) -> list[float]:
        return [self.top * step / _GRID for step in range(_GRID + 1)]


def bar_chart(title: str, description: str, points: Sequence[Point], *, unit: str | None) -> str:
    """A bar for each point, one below the other."""
    shown = points[:BARS]
    scale = _scale(shown, _WIDTH - _LEFT - _RIGHT, unit)
    height = _TOP + _ROW * max(1, len(shown)) + _BOTTOM
    return _picture(title, description, points, scale, height, _bars(shown, len(points), scale, height))


def line_chart(title: str, description: str, points: Sequence[Point], *, unit: str | None) -> str:
    """A line from point to point, from left to right; as many as come are drawn, some are named below."""
    scale = _scale(points, _PLOT, unit)
    height = _TOP + _PLOT + _BOTTOM
    return _picture(title, description, points, scale, height, _line(points, scale, height))


def _picture(
    title: str, description: str, points: Sequence[Point], scale: _Scale, height: int, parts: Iterator[str]
) -> str:
    told = "; ".join(f"{point.name}: {scale.told(point.value)}" for point in points[:BARS]) or "There is nothing yet."
    more = f"; and {len(points) - BARS} more" if len(points) > BARS else ""
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">',
            f'<title id="title">{_text(title)}</title><desc id="desc">{_text(f"{description} {told}{more}")}</desc>',
            f'<style>{_STYLE}</style><rect class="b" width="100%" height="100%"/>',
            f'<text class="h" x="16" y="28">{_text(title)}</text>',
            *(parts if points else ['<text class="a" x="16" y="52">There is nothing yet.</text>']),
            "</svg>",
        )
    )


def _bars(points: Sequence[Point], among: int, scale: _Scale, height: int) -> Iterator[str]:
    bottom = height - _BOTTOM
    for value in scale.steps:
        x = _LEFT + scale.at(value)
        yield f'<line class="g" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 8}" y2="{bottom}"/>'
        yield f'<text class="a" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{_text(scale.told(value))}</text>'
    for place, point in enumerate(points):
        y, length, told = _TOP + _ROW * place, scale.at(point.value), scale.told(point.value)
        yield f"<g><title>{_text(f'{point.name}: {told}')}</title>"
        yield f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{_text(_short(point.name))}</text>'
        yield f'<rect class="m" x="{_LEFT}" y="{y + 2}" width="{length:.1f}" height="{_ROW - 10}" rx="2"/>'
        yield f'<text x="{_LEFT + length + 6:.1f}" y="{y + 14}">{_text(told)}</text></g>'
    if among > len(points):
        told = f"and {among - len(points)} more"
        yield f'<text class="a" x="{_WIDTH - 16}" y="{height - 8}" text-anchor="end">{told}</text>'


def _line(points: Sequence[Point], scale: _Scale, height: int) -> Iterator[str]:
    bottom, left = height - _BOTTOM, 90
    for value in scale.steps:
        y = bottom - scale.at(value)
        yield f'<line class="g" x1="{left}" x2="{_WIDTH - 24}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="a" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{_text(scale.told(value))}</text>'
    step = (_WIDTH - 40 - left) / max(1, len(points) - 1)
    spots = [(left + step * place, bottom - scale.at(point.value), point) for place, point in enumerate(points)]
    yield f'<polyline class="l" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y, _ in spots)}"/>'
    every = ceil(len(points) / _DAYS_TOLD)
    for place, (x, y, point) in enumerate(spots):
        told = _text(f"{point.name}: {scale.told(point.value)}")
        yield f'<circle class="m" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{told}</title></circle>'
        if place % every == 0:
            name = _text(_short(point.name))
            yield f'<text class="a" x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{name}</text>'


def _scale(points: Sequence[Point], length: float, unit: str | None) -> _Scale:
    most = max((point.value for point in points), default=0)
    divisor, name = 1, ""
    if unit == "seconds":
        divisor, name = next((divisor, name) for least, divisor, name in _UNITS if most >= least)
    return _Scale(_round(most / divisor) * divisor, length, divisor, name)


def _round(most: float) -> float:
    """The next number that four steps of a round length reach."""
    if most < _LEAST:
        return _GRID
    power = 10.0 ** floor(log10(most / _GRID))
    return next(step * power * _GRID for step in (1, 2, 2.5, 5, 10) if step * power * _GRID >= most)


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


def _text(value: str) -> str:
    return escape(_UNSPEAKABLE.sub("�", value))
