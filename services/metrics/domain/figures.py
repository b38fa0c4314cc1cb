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


class Source(Enum):
    """Where a figure is read."""

    FACTS = "things that happened are counted, at once"
    MEASURES = "the same things are counted once they are measured, which tells whose they are"
    DURATIONS = "how long things took, once they are measured"
    STOCK = "conversations that were in a state at a moment"
    STOCK_BY_DAY = "conversations that were in it at the end of each day"


@dataclass(frozen=True, slots=True)
class Figure:
    """What a metric means."""

    definition: str
    read: Mapping[Grouping | None, Source]
    """Where it is read as one number, and by each of the groupings that it has."""
    facts: tuple[FactKind, ...] = ()
    """Those that are counted, if any are."""

    @property
    def groupings(self) -> tuple[Grouping, ...]:
        """By what it can be grouped."""
        return tuple(grouping for grouping in self.read if grouping is not None)

    @property
    def lasts(self) -> bool:
        """Whether it tells how long something took."""
        return self.read[None] is Source.DURATIONS

    @property
    def unit(self) -> str | None:
        """Of a count there is none."""
        return "seconds" if self.lasts else None


_CYCLE: Final = (
    "A conversation that is reopened begins anew: with the message of the customer for which it was, or if there is"
    " none, with the reopening itself."
)
_ANEW: Final = "In a conversation that is reopened it is told anew, of what the customer wrote since its resolution."
_HUMAN: Final = "a human is one of the staff, an API key, or whoever wrote in the provider's own app"

_MESSAGES: Final[dict[Grouping | None, Source]] = dict.fromkeys((None, Grouping.CHANNEL, Grouping.DAY), Source.FACTS)
# Only with the life of a conversation is it known who answered it, and where it was.
_EVENTS: Final = _MESSAGES | {
    Grouping.QUEUE: Source.MEASURES,
    Grouping.LABEL: Source.MEASURES,
}
_ANYWHERE: Final[tuple[Grouping | None, ...]] = (None, Grouping.CHANNEL, Grouping.QUEUE, Grouping.LABEL, Grouping.DAY)
_DURATION: Final = dict.fromkeys(_ANYWHERE, Source.DURATIONS)
_OF_SOMEBODY: Final = _DURATION | {Grouping.AGENT: Source.DURATIONS}

FIGURES: Final[Mapping[Metric, Figure]] = {
    Metric.MESSAGES_RECEIVED: Figure(
        "Messages from customers, by the provider's time.",
        _MESSAGES,
        (FactKind.MESSAGE_RECEIVED,),
    ),
    Metric.MESSAGES_SENT: Figure(
        "Messages to customers, by the time of sending, whoever wrote them; by author, those of humans and those that"
        f" Balcão said by itself stand apart: {_HUMAN}.",
        _MESSAGES | {Grouping.AGENT: Source.FACTS, Grouping.AUTHOR: Source.FACTS},
        (FactKind.MESSAGE_SENT, FactKind.AUTOMATIC_MESSAGE_SENT),
    ),
    Metric.AUTOMATIC_MESSAGES_SENT: Figure(
        "Messages to customers that Balcão said by itself, by the time of sending.",
        _MESSAGES,
        (FactKind.AUTOMATIC_MESSAGE_SENT,),
    ),
    Metric.CONVERSATIONS_OPENED: Figure(
        "Conversations that began.",
        _EVENTS,
        (FactKind.CONVERSATION_OPENED,),
    ),
    Metric.CONVERSATIONS_REOPENED: Figure(
        "Resolved conversations that went on.",
        _EVENTS,
        (FactKind.CONVERSATION_REOPENED,),
    ),
    Metric.CONVERSATIONS_RESOLVED: Figure(
        "Resolutions of conversations; one that is resolved again after it was reopened counts again. The agent is the"
        " one to whom it was given last.",
        _EVENTS | {Grouping.AGENT: Source.MEASURES},
        (FactKind.CONVERSATION_RESOLVED,),
    ),
    Metric.BACKLOG: Figure(
        "Conversations that had been opened or reopened and were not resolved at the end of the span, which is now at"
        " the latest; by day, at the end of each day.",
        dict.fromkeys(_ANYWHERE, Source.STOCK) | {Grouping.DAY: Source.STOCK_BY_DAY},
    ),
    Metric.FIRST_REPLY_TIME: Figure(
        f"From the first message of the customer to the first reply of a human to it: {_HUMAN}. Where the staff wrote"
        f" first, nothing counts until the customer has written. {_ANEW} It counts at the time of the reply, for who"
        " wrote it, in the queue in which the conversation was then.",
        _OF_SOMEBODY,
    ),
    Metric.FIRST_AUTOMATIC_REPLY_TIME: Figure(
        "From the first message of the customer to the first thing that Balcão said by itself after it."
        f" {_ANEW} It counts at the time of the reply.",
        _DURATION,
    ),
    Metric.NEXT_REPLY_TIME: Figure(
        "After the first reply: from each message of the customer, the first of several in a row, to the next reply of"
        f" a human; {_HUMAN}. It counts at the time of the reply, for who wrote it, in the queue in which the"
        " conversation was then.",
        _OF_SOMEBODY,
    ),
    Metric.WAITING_TIME: Figure(
        "From when a conversation is open and has no agent, because it was opened, reopened or taken back, or is open"
        " again after it was snoozed or pending, to when an agent is given it; each time anew. Waiting that ends"
        " without an agent, because the conversation is snoozed, pending or resolved, does not count. It counts when"
        " the agent is given it.",
        _DURATION,
    ),
    Metric.HANDLING_TIME: Figure(
        "From when an agent was given a conversation to when he answered it no more, or it was resolved; each time"
        " anew, and with the time in which it was snoozed or pending. It counts at its end.",
        _OF_SOMEBODY,
    ),
    Metric.RESOLUTION_TIME: Figure(
        "From the first message of the customer, or if there is none, from the opening of the conversation, to its"
        f" resolution. {_CYCLE} It counts at the resolution, for the agent to whom it was given last.",
        _OF_SOMEBODY,
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

DAYS: Final = 366
"""So many days are told of unless the span is given; a backlog by day is of ten times as many at most."""


def check(figure: Figure, question: Question) -> None:
    """Raise `NoAnswerError` for what makes no sense."""
    if question.since is not None and question.until is not None and question.since >= question.until:
        raise NoAnswerError("to", "must be later than from")
    if question.group_by not in figure.read:
        raise NoAnswerError("group_by", f"this figure is grouped by {', '.join(figure.groupings)}")
    if question.business_hours and not figure.lasts:
        raise NoAnswerError("business_hours", "a count does not last")


def span(figure: Figure, question: Question, now: datetime) -> tuple[datetime | None, datetime | None]:
    """From when until before when a figure is told of, None being ever; `NoAnswerError` for too many days.

    A count that is not grouped is of all time unless it is asked otherwise.
    """
    source = figure.read[question.group_by]
    if source is Source.FACTS and question.group_by is None:
        return question.since, question.until
    until, days = min(question.until or now, now), timedelta(days=DAYS)
    since = question.since or (until - days if until - _EARLIEST > days else _EARLIEST)
    if source not in {Source.STOCK, Source.STOCK_BY_DAY}:
        return since, question.until
    since = max(since, _EARLIEST)
    if source is Source.STOCK_BY_DAY and until - since > 10 * days:
        raise NoAnswerError("from", f"a backlog is told of {10 * DAYS} days at most")
    return since, until
