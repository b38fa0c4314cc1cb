"""A picture of a figure: whoever cannot see it can have it read aloud, and nothing in it acts."""

import re
from collections.abc import Callable, Sequence
from datetime import date
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
    picture = draw([Point("2026-11-20", 12), Point("2026-11-21", 3)])
    assert picture.attrib["role"] == "img"
    named = {element.get("id"): element.text or "" for element in picture if element.get("id")}
    assert list(named) == picture.attrib["aria-labelledby"].split()
    assert named["title"].startswith("Backlog")
    assert named["desc"] == "What is open. 2026-11-20: 12; 2026-11-21: 3"


@pytest.mark.parametrize("draw", [bars, line])
def test_it_is_seen_in_the_light_and_in_the_dark(draw: Draw) -> None:
    (style,) = draw([Point("2026-11-20", 3)]).iter(f"{SVG}style")
    assert "prefers-color-scheme:dark" in (style.text or "")


def test_a_bar_is_as_long_as_its_value_the_longest_first() -> None:
    long, short, none = lengths(bars([Point("sales", 3), Point("repairs", 12), Point("rest", 0)]))
    assert long == pytest.approx(4 * short)
    assert none == 0


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.5, "0.5 s"), (90, "90 s"), (600, "10 min"), (9000, "2.5 h"), (864_000, "10 d"), (0, "0 s")],
)
def test_times_are_told_in_a_unit_that_fits(seconds: float, told: str) -> None:
    assert told in texts(bars([Point("sales", seconds)], unit="seconds"))


@pytest.mark.parametrize(
    ("most", "unit", "labels"),
    [
        (0, None, "0, 1"),
        (1, None, "0, 1"),
        (2, None, "0, 1, 2"),
        (3, None, "0, 1, 2, 3"),
        (5, None, "0, 2, 4, 6"),
        (9, None, "0, 5, 10"),
        (37, None, "0, 10, 20, 30, 40"),
        (90, None, "0, 25, 50, 75, 100"),
        (1e9, None, "0, 250 000 000, 500 000 000, 750 000 000, 1 000 000 000"),
        (0.004, "seconds", "0.000 s, 0.001 s, 0.002 s, 0.003 s, 0.004 s"),
        (0.09, "seconds", "0.000 s, 0.025 s, 0.050 s, 0.075 s, 0.100 s"),
        (5, "seconds", "0 s, 2 s, 4 s, 6 s"),
        (9000, "seconds", "0 h, 1 h, 2 h, 3 h"),
    ],
)
def test_the_scale_has_round_numbers_each_at_its_value(most: float, unit: str | None, labels: str) -> None:
    for draw, along in ((bars, "x"), (line, "y")):
        picture = draw([Point("2026-11-20", most)], unit)
        axis = [text for text in picture.iter(f"{SVG}text") if text.get("class") == "a"]
        axis = [text for text in axis if text.get("text-anchor") == ("middle" if along == "x" else "end")]
        assert [text.text for text in axis] == labels.split(", ")
        ways = [float(text.attrib[along]) for text in axis]
        values = [float(str(text.text).removesuffix(" s").removesuffix(" h").replace(" ", "")) for text in axis]
        share = (ways[1] - ways[0]) / values[1]
        assert ways == pytest.approx([ways[0] + share * value for value in values], abs=0.2)


def test_a_value_is_where_the_scale_says() -> None:
    picture = bars([Point("sales", 20), Point("repairs", 40)])
    ends = {text.text: float(text.attrib["x"]) for text in picture.iter(f"{SVG}text") if text.get("class") == "a"}
    assert lengths(picture) == pytest.approx([ends["40"] - ends["0"], ends["20"] - ends["0"]])


def spots(picture: ElementTree.Element) -> list[list[tuple[float, float]]]:
    """Of each unbroken line."""
    lines = [polyline.attrib["points"].split() for polyline in picture.iter(f"{SVG}polyline")]
    return [[(float(x), float(y)) for x, y in (spot.split(",") for spot in one)] for one in lines]


def test_a_line_goes_through_every_day_and_names_some() -> None:
    picture = line([Point(f"2026-11-{day:02}", day) for day in range(1, 31)])
    (drawn,) = spots(picture)
    assert len(drawn) == len(list(picture.iter(f"{SVG}circle"))) == 30
    assert 5 <= sum(text.startswith("2026-11-") for text in texts(picture)) <= 6


def test_on_days_that_are_left_out_nothing_was_counted() -> None:
    (drawn,) = spots(line([Point("2026-11-01", 8), Point("2026-11-03", 4), Point("2026-11-11", 8)]))
    left, bottom, right = drawn[0][0], max(y for _, y in drawn), drawn[-1][0]
    days = [round(1 + (x - left) / (right - left) * 10, 1) for x, _ in drawn]
    assert days == [1, 2, 3, 4, 10, 11]
    assert [y == bottom for _, y in drawn] == [False, True, False, True, True, False]


def test_a_line_is_broken_where_nothing_took_any_time() -> None:
    days = [Point(f"2026-11-{day:02}", 60) for day in (1, 2, 5)]
    assert [len(one) for one in spots(line(days, "seconds"))] == [2, 1]


def test_of_too_many_groups_the_largest_are_drawn_and_the_others_told_together() -> None:
    points = [Point(f"queue {number}", number) for number in range(1, 41)]
    counted, timed = bars(points), bars(points, "seconds")
    assert len(lengths(counted)) == 31
    assert texts(counted)[-2:] == ["10 others", "55"]
    assert len(lengths(timed)) == 30
    assert texts(timed)[-1] == "and 10 others"
    assert "queue 10" not in texts(counted) + texts(timed)


@pytest.mark.parametrize("name", ["W" * 200, "字" * 200, "019a9f3e-0000-7000-8000-00000000000a", "x" * 25])
def test_no_name_is_longer_than_the_room_it_has(name: str) -> None:
    (drawn,) = (text for text in bars([Point(name, 1)]).iter(f"{SVG}text") if str(text.text)[:2] == name[:2])
    assert float(drawn.attrib["textLength"]) < float(drawn.attrib["x"])
    assert len(str(drawn.text)) <= 36


def test_no_group_is_taken_for_that_of_what_has_none() -> None:
    picture = bars([Point("no label", 1), Point("no label", 1, nameless=True)])
    assert [text.get("class") for text in picture.iter(f"{SVG}text") if text.text == "no label"] == [None, "n"]


@pytest.mark.parametrize("draw", [bars, line])
def test_where_there_is_nothing_it_says_so(draw: Draw) -> None:
    assert "There is nothing yet." in texts(draw([]))


@settings(max_examples=40, deadline=None)
@given(
    names=st.lists(st.text(max_size=40), max_size=3),
    value=st.floats(0, 1e12),
    unit=st.sampled_from([None, "seconds"]),
    days=st.lists(st.dates(), max_size=3, unique=True),
)
def test_whatever_the_groups_are_called_it_is_a_picture_and_does_nothing(
    names: list[str], value: float, unit: str | None, days: list[date]
) -> None:
    points = [Point(name, value) for name in [*names, "</text><script>alert(1)</script>"]]
    for picture in (bars(points, unit), line([Point(day.isoformat(), value) for day in sorted(days)], unit)):
        assert {element.tag.removeprefix(SVG) for element in picture.iter()} <= {
            "svg", "title", "desc", "style", "rect", "line", "text", "g", "polyline", "circle",
        }  # fmt: skip
        attributes = {name for element in picture.iter() for name in element.attrib}
        assert not [name for name in attributes if re.match(r"on|href|\{", name)]
