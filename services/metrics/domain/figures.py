"""What can be measured: each figure with its meaning in words, and by what it can be grouped."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from typing import Final

from services.metrics.domain.facts import FactKind


class Metric(StrEnum):
    MESSAGES_RECEIVED = "messages-received"
    MESSAGES_SENT = "messages-sent"
    AUTOMATIC_MESSAGES_SENT = "automatic-messages-sent"
    CONVERSATIONS_OPENED = "conversations-opened"
    CONVERSATIONS_REOPENED = "conversations-reopened"
    CONVERSATIONS_RESOLVED = "conversations-resolved"
    BACKLOG = "backlog"
    FIRST_REPLY_TIME = "first-reply-time"
    FIRST_AUTOMATIC_REPLY_TIME = "first-automatic-reply-time"
    NEXT_REPLY_TIME = "next-reply-time"
    WAITING_TIME = "waiting-time"
    HANDLING_TIME = "handling-time"
    RESOLUTION_TIME = "resolution-time"


class Grouping(StrEnum):
    CHANNEL = "channel"
    QUEUE = "queue"
    AGENT = "agent"
    LABEL = "label"
    DAY = "day"
    AUTHOR = "author"


class Kind(Enum):
    """How a figure is come by."""

    MESSAGES = "messages that are counted"
    EVENTS = "things in the life of conversations that are counted"
    STOCK = "conversations that are in a state at a moment"
    DURATION = "how long something took"


@dataclass(frozen=True, slots=True)
class Figure:
    """What a metric means."""

    kind: Kind
    definition: str
    groupings: tuple[Grouping, ...]
    facts: tuple[FactKind, ...] = ()
    """Those that are counted, if any are."""

    @property
    def unit(self) -> str | None:
        """Of a count there is none."""
        return "seconds" if self.kind is Kind.DURATION else None


_CYCLE: Final = (
    "A conversation that is reopened begins anew: with the first message of the customer since then, or if there is"
    " none, with the reopening itself."
)
_BEGINNING: Final = "From the first message of the customer, or if there is none, from the opening of the conversation,"
_HUMAN: Final = "a human is one of the staff, an API key, or whoever wrote in the provider's own app"

_ANYWHERE: Final = (Grouping.CHANNEL, Grouping.QUEUE, Grouping.LABEL, Grouping.DAY)
_BY_SOMEBODY: Final = (Grouping.CHANNEL, Grouping.QUEUE, Grouping.AGENT, Grouping.LABEL, Grouping.DAY)

FIGURES: Final[Mapping[Metric, Figure]] = {
    Metric.MESSAGES_RECEIVED: Figure(
        Kind.MESSAGES,
        "Messages from customers, by the provider's time.",
        (Grouping.CHANNEL, Grouping.DAY),
        (FactKind.MESSAGE_RECEIVED,),
    ),
    Metric.MESSAGES_SENT: Figure(
        Kind.MESSAGES,
        "Messages to customers, by the time of sending, whoever wrote them; by author, those of humans and those that"
        f" Balcão said by itself stand apart: {_HUMAN}.",
        (Grouping.CHANNEL, Grouping.AGENT, Grouping.DAY, Grouping.AUTHOR),
        (FactKind.MESSAGE_SENT, FactKind.AUTOMATIC_MESSAGE_SENT),
    ),
    Metric.AUTOMATIC_MESSAGES_SENT: Figure(
        Kind.MESSAGES,
        "Messages to customers that Balcão said by itself, by the time of sending.",
        (Grouping.CHANNEL, Grouping.DAY),
        (FactKind.AUTOMATIC_MESSAGE_SENT,),
    ),
    Metric.CONVERSATIONS_OPENED: Figure(
        Kind.EVENTS,
        "Conversations that began.",
        _ANYWHERE,
        (FactKind.CONVERSATION_OPENED,),
    ),
    Metric.CONVERSATIONS_REOPENED: Figure(
        Kind.EVENTS,
        "Resolved conversations that went on.",
        _ANYWHERE,
        (FactKind.CONVERSATION_REOPENED,),
    ),
    Metric.CONVERSATIONS_RESOLVED: Figure(
        Kind.EVENTS,
        "Resolutions of conversations; one that is resolved again after it was reopened counts again. The agent is who"
        " answered last.",
        _BY_SOMEBODY,
        (FactKind.CONVERSATION_RESOLVED,),
    ),
    Metric.BACKLOG: Figure(
        Kind.STOCK,
        "Conversations that had begun and were not resolved at the end of the span, which is now at the latest; by day,"
        " at the end of each day.",
        _ANYWHERE,
    ),
    Metric.FIRST_REPLY_TIME: Figure(
        Kind.DURATION,
        f"{_BEGINNING} to the first reply of a human: {_HUMAN}. {_CYCLE} It counts at the time of the reply, for who"
        " wrote it.",
        _BY_SOMEBODY,
    ),
    Metric.FIRST_AUTOMATIC_REPLY_TIME: Figure(
        Kind.DURATION,
        f"{_BEGINNING} to the first thing that Balcão said by itself. {_CYCLE} It counts at the time of the reply.",
        _ANYWHERE,
    ),
    Metric.NEXT_REPLY_TIME: Figure(
        Kind.DURATION,
        "After the first reply: from each message of the customer, the first of several in a row, to the next reply of"
        f" a human; {_HUMAN}. It counts at the time of the reply, for who wrote it.",
        _BY_SOMEBODY,
    ),
    Metric.WAITING_TIME: Figure(
        Kind.DURATION,
        "From when a conversation was queued, or taken back from its agent, to when an agent was given it; each time"
        " anew. It counts when the agent was given it.",
        _ANYWHERE,
    ),
    Metric.HANDLING_TIME: Figure(
        Kind.DURATION,
        "From when an agent was given a conversation to when he answered it no more, or it was resolved; each time"
        " anew. It counts at its end.",
        _BY_SOMEBODY,
    ),
    Metric.RESOLUTION_TIME: Figure(
        Kind.DURATION,
        f"{_BEGINNING} to its resolution. {_CYCLE} It counts at the resolution, for the agent who answered last.",
        _BY_SOMEBODY,
    ),
}


@dataclass(frozen=True, slots=True)
class Question:
    """Of which time a figure is wanted, and how: from `since` until before `until`."""

    since: datetime | None = None
    until: datetime | None = None
    group_by: Grouping | None = None
    business_hours: bool = False
    """Whether only the time is counted in which it was open."""


class NoAnswerError(ValueError):
    """A figure cannot be asked so: the parameter that is at fault, and why."""

    def __init__(self, parameter: str, why: str) -> None:
        super().__init__(why)
        self.parameter = parameter
        self.why = why


# The very first moment stands for no beginning at all, to the driver.
_EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)

STOCK_DAYS: Final = 366
"""So many days a stock is told of unless the span is given, which may be ten times as long."""


def check(figure: Figure, question: Question) -> None:
    """Raise `NoAnswerError` for what makes no sense."""
    if question.since is not None and question.until is not None and question.since >= question.until:
        raise NoAnswerError("to", "must be later than from")
    if question.group_by is not None and question.group_by not in figure.groupings:
        raise NoAnswerError("group_by", f"this figure is grouped by {', '.join(figure.groupings)}")
    if question.business_hours and figure.kind is not Kind.DURATION:
        raise NoAnswerError("business_hours", "a count does not last")


def stock_span(question: Question, now: datetime) -> tuple[datetime, datetime]:
    """From when until when a stock is told of; raises `NoAnswerError` where that is too long to go day by day."""
    until, days = min(question.until or now, now), timedelta(days=STOCK_DAYS)
    since = max(question.since or (until - days if until - _EARLIEST > days else _EARLIEST), _EARLIEST)
    if question.group_by is Grouping.DAY and until - since > 10 * days:
        raise NoAnswerError("from", f"a backlog is told of {10 * STOCK_DAYS} days at most")
    return since, until
