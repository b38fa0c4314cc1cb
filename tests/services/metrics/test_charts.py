"""A picture of a figure: whoever cannot see it can have it read aloud, and nothing in it acts."""

import re
from collections.abc import Callable, Sequence
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics.domain import Point, bar_chart, line_chart

SVG = "{http://www.w3.org/2000/svg}"
Draw = Callable[[Sequence[Point]], ElementTree.Element]


def parsed(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)  # noqa: S314 - our own


def bars(points: Sequence[Point], unit: str | None = None) -> ElementTree.Element:
    return parsed(bar_chart("Backlog, by queue", "What is open.", points, unit=unit))


def line(points: Sequence[Point], unit: str | None = None) -> ElementTree.Element:
    return parsed(line_chart("Backlog, by day", "What is open.", points, unit=unit))


def texts(picture: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in picture.iter(f"{SVG}text")]


def lengths(picture: ElementTree.Element) -> list[float]:
    return [float(rect.attrib["width"]) for rect in picture.iter(f"{SVG}rect") if rect.get("class") == "m"]


@pytest.mark.parametrize("draw", [bars, line])
def test_it_can_be_read_aloud(draw: Draw) -> None:
    picture = draw([Point("sales", 3), Point("repairs", 12)])
    assert picture.attrib["role"] == "img"
    named = {element.get("id"): element.text or "" for element in picture if element.get("id")}
    assert list(named) == picture.attrib["aria-labelledby"].split()
    assert named["title"].startswith("Backlog")
    assert named["desc"] == "What is open. sales: 3; repairs: 12"


@pytest.mark.parametrize("draw", [bars, line])
def test_it_is_seen_in_the_light_and_in_the_dark(draw: Draw) -> None:
    (style,) = draw([Point("sales", 3)]).iter(f"{SVG}style")
    assert "prefers-color-scheme:dark" in (style.text or "")


def test_a_bar_is_as_long_as_its_value() -> None:
    short, long, none = lengths(bars([Point("sales", 3), Point("repairs", 12), Point("rest", 0)]))
    assert long == pytest.approx(4 * short)
    assert none == 0


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.5, "0.5 s"), (90, "90 s"), (600, "10 min"), (9000, "2.5 h"), (864_000, "10 d"), (0, "0 s")],
)
def test_times_are_told_in_a_unit_that_fits(seconds: float, told: str) -> None:
    assert told in texts(bars([Point("sales", seconds)], unit="seconds"))


def test_the_scale_has_round_numbers() -> None:
    assert texts(bars([Point("sales", 37)]))[1:6] == ["0", "10", "20", "30", "40"]


def test_a_line_goes_through_every_day_and_names_some() -> None:
    picture = line([Point(f"2026-11-{day:02}", day) for day in range(1, 31)])
    (polyline,) = picture.iter(f"{SVG}polyline")
    assert len(polyline.attrib["points"].split()) == len(list(picture.iter(f"{SVG}circle"))) == 30
    assert 5 <= sum(text.startswith("2026-11-") for text in texts(picture)) <= 6


def test_of_too_many_groups_it_is_told_how_many_there_are() -> None:
    picture = bars([Point(f"queue {number}", number) for number in range(40)])
    assert len(lengths(picture)) == 30
    assert "and 10 more" in texts(picture)


@pytest.mark.parametrize("draw", [bars, line])
def test_where_there_is_nothing_it_says_so(draw: Draw) -> None:
    assert "There is nothing yet." in texts(draw([]))


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(st.one_of(st.text(), st.just("</text><script>alert(1)</script>")), max_size=5),
    value=st.floats(0, 1e12),
    unit=st.sampled_from([None, "seconds"]),
)
def test_whatever_the_groups_are_called_it_is_a_picture_and_does_nothing(
    names: list[str], value: float, unit: str | None
) -> None:
    points = [Point(name, value) for name in names]
    for picture in (bars(points, unit), line(points, unit)):
        assert {element.tag.removeprefix(SVG) for element in picture.iter()} <= {
            "svg", "title", "desc", "style", "rect", "line", "text", "g", "polyline", "circle",
        }  # fmt: skip
        attributes = {name for element in picture.iter() for name in element.attrib}
        assert not [name for name in attributes if re.match(r"on|href|\{", name)]
