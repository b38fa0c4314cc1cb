"""The map of events: who says what, and who hears it."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from shared.service import Service

BEGIN: Final = "<!-- events:begin -->"
END: Final = "<!-- events:end -->"


def event_map(cards: Sequence[Service[Any]]) -> str:
    """The map as a table in Markdown."""
    return "\n".join(["| says | event | hear it |", "|---|---|---|", *_rows(cards)])


def _rows(cards: Sequence[Service[Any]]) -> Iterator[str]:
    for speaker in cards:
        for event in speaker.says:
            listeners = ", ".join(card.name for card in cards if event in card.listens_to)
            yield f"| {speaker.name} | `{event.__name__}` | {listeners} |"


def with_event_map(text: str, cards: Sequence[Service[Any]]) -> str:
    """The text with the map between its two marks; raises `ValueError` when it has no marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the marks {BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n{event_map(cards)}\n{END}{after}"
