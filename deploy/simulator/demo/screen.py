"""What the terminal shows of a moment."""

from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deploy.simulator.demo.watch import Agent, Sent, Talk, View

_PRESENCE: Final = {"online": "green", "away": "yellow", "offline": "bright_black"}
_STATUS: Final = {"accepted": "white", "sent": "cyan", "delivered": "green", "read": "bright_blue"}


def screen(view: View) -> RenderableType:
    """Everything, from the top of the terminal to its bottom."""
    halves = Table.grid(padding=(0, 2), expand=True)
    halves.add_column(ratio=4)
    halves.add_column(ratio=5)
    halves.add_row(
        Group(_agents(view.agents), "", _waiting(view), "", _answered(view.answered)),
        Group(_figures(view), "", _sends(view.sends)),
    )
    return Group(_head(view), halves)


def _head(view: View) -> RenderableType:
    colour = "red" if view.provider_is_down else "green"
    bar = ProgressBar(total=1, completed=view.share, complete_style=colour, finished_style=colour)
    return Panel(Group(Text(view.caption, style=f"bold {colour}"), bar), title="A morning at the counter")


def _table(title: str, *columns: str, wide: int) -> Table:
    """A table whose `wide` column takes the room that the others leave."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, expand=True, pad_edge=False)
    for place, column in enumerate(columns):
        ratio = 1 if place == wide else None
        table.add_column(column, ratio=ratio, no_wrap=True, overflow="ellipsis", header_style="bright_black")
    return table


def _agents(agents: list[Agent]) -> RenderableType:
    table = _table("Agents", "", "presence", "in hand", wide=0)
    for agent in agents:
        in_hand = "●" * round(agent.load) + "○" * max(0, round(agent.capacity - agent.load))
        table.add_row(agent.name, Text(agent.presence, style=_PRESENCE.get(agent.presence, "")), in_hand)
    return table


def _figures(view: View) -> RenderableType:
    table = _table("So far", "", "", wide=0)
    for name, figure in (
        ("customers wrote", view.written),
        ("agents answered", view.answers),
        ("the provider accepted", view.accepted),
        *((f"… and refused for now, code {code}", count) for code, count in sorted(view.refused.items())),
    ):
        table.add_row(name, str(figure))
    table.add_row("accepted twice", str(view.twice), style="red" if view.twice else "green")
    return table


def _waiting(view: View) -> RenderableType:
    table = _table(f"Waiting: {view.waiting_count}", "", "customer", "half within", "nine in ten", wide=1)
    for talk in view.waiting:
        half, most = map(_duration, talk.eta_seconds) if talk.eta_seconds else ("…", "…")
        table.add_row(str(talk.position or "…"), talk.customer, half, most)
    return table


def _answered(talks: list[Talk]) -> RenderableType:
    table = _table("Being answered", "customer", "by", "messages", wide=0)
    for talk in talks:
        table.add_row(talk.customer, talk.agent or "…", str(talk.messages))
    return table


def _sends(sends: list[Sent]) -> RenderableType:
    table = _table("Leaving through the provider", "to", "", "status", wide=1)
    for sent in reversed(sends):
        table.add_row(sent.to, sent.text, Text(sent.status, style=_STATUS[sent.status]))
    return table


def _duration(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} min"
