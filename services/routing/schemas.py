"""The shapes that routing's API takes and gives."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StrictBool, StrictInt, StringConstraints

from services.routing.domain import Tone
from shared.http import Body, Present, Words

Status = Literal["online", "away", "offline"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
QueueName = Annotated[Words, StringConstraints(min_length=1, max_length=100)]
Skill = Annotated[Words, StringConstraints(min_length=1, max_length=50, strip_whitespace=True)]
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]

_AN_ID = "019aa0b6-7b80-7000-8000-000000000009"


def _once_each(ids: list[UUID]) -> list[UUID]:
    return list(dict.fromkeys(ids))


Ids = Annotated[list[UUID], Field(max_length=200), AfterValidator(_once_each)]
Skills = Annotated[list[Skill], Field(max_length=50), AfterValidator(lambda skills: list(dict.fromkeys(skills)))]


class WaitingShown(BaseModel):
    count: int = Field(description="Conversations whose customer waits for an answer.")
    oldest_since: datetime | None = Field(description="Since when the first of them waits.")


class NewQueue(Body):
    name: QueueName = Field(examples=["Financeiro"])
    channel_ids: Ids = Field([], description="The channels whose conversations wait here.", examples=[[_AN_ID]])
    priority: StrictInt = Field(
        0, ge=0, le=100, description="A queue with a higher one is served first.", examples=[10]
    )


class QueueChange(Body):
    """What is to be changed; what is left out stays."""

    name: Present[QueueName] = Field(None, examples=["Financeiro"])
    channel_ids: Present[Ids] = Field(None, description="All of them; those left out are gone.", examples=[[_AN_ID]])
    priority: Present[Annotated[StrictInt, Field(ge=0, le=100)]] = Field(None, examples=[10])


class QueueShown(BaseModel):
    id: UUID
    name: str
    channel_ids: list[UUID] = Field(description="The channels whose conversations wait here.")
    priority: int = Field(description="A queue with a higher one is served first.")
    is_default: bool = Field(description="Whether conversations wait here whose channel no queue names.")
    created_at: datetime
    updated_at: datetime


class AgentShown(BaseModel):
    id: UUID = Field(description="The user's id.")
    status: Status
    capacity: int = Field(description="A message takes 1 of it, a call 3.")
    load: int = Field(description="How much of it is taken, by conversations and by open offers.")
    auto_accept: bool = Field(description="Whether conversations are assigned to him without asking.")
    skills: list[str]
    queue_ids: list[UUID] = Field(description="The queues that he serves; none means all.")
    updated_at: datetime


class AgentChange(Body):
    """What is to be changed; what is left out stays."""

    capacity: Present[Annotated[StrictInt, Field(ge=0, le=100)]] = Field(
        None, description="Below the load, nothing is taken away and nothing new given.", examples=[5]
    )
    auto_accept: Present[StrictBool] = Field(None, examples=[True])
    skills: Present[Skills] = Field(None, description="All of them.", examples=[["billing", "fr"]])
    queue_ids: Present[Ids] = Field(None, description="All of them; none means all queues.", examples=[[]])


class Presence(Body):
    status: Status = Field(
        description="Away gets nothing new and keeps what he has; offline gives all back.", examples=["online"]
    )


class OfferShown(BaseModel):
    id: UUID
    conversation_id: UUID
    agent_id: UUID
    state: str = Field(examples=["open", "accepted", "declined", "expired", "withdrawn"])
    offered_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class OfferAnswer(Body):
    state: Literal["accepted", "declined"] = Field(examples=["accepted"])


class Assignee(Body):
    agent_id: UUID | None = Field(description="Who answers; null gives it back to its queue.", examples=[_AN_ID])


class AssignmentShown(BaseModel):
    conversation_id: UUID
    queue_id: UUID | None
    agent_id: UUID | None = Field(description="Who answers; null while nobody does.")
    queued_at: datetime | None = Field(description="Since when it waits, or waited, for an agent.")
    assigned_at: datetime | None


class EtaShown(BaseModel):
    p50_seconds: int = Field(description="Half of the customers in this position wait no longer.")
    p90_seconds: int = Field(description="Nine in ten wait no longer.")


class QueuePositionShown(BaseModel):
    position: int | None = Field(description="1 is next; null when it does not wait for an agent.")
    eta: EtaShown | None = Field(description="null where there is nothing to tell it from, or nobody is there.")
    opens_at: datetime | None = Field(description="When it opens; null while it is open, or when that is not foreseen.")


class Hours(BaseModel):
    """From `start` on, until just before `end`."""

    start: ClockTime = Field(examples=["09:00"])
    end: ClockTime = Field(description="00:00 is the midnight after.", examples=["18:00"])


class IntervalGiven(Body, Hours):
    pass


Intervals = Annotated[list[IntervalGiven], Field(max_length=10)]

_WEEK = {"monday": [{"start": "09:00", "end": "12:00"}, {"start": "13:00", "end": "18:00"}]}
_CHRISTMAS_EVE = {"2026-12-24": [{"start": "09:00", "end": "12:00"}]}


class BusinessHoursGiven(Body):
    """By the clock of the tenant's time zone."""

    week: dict[Weekday, Intervals] = Field(description="A day that is left out is closed.", examples=[_WEEK])
    exceptions: Annotated[dict[date, Intervals], Field(max_length=400)] = Field(
        {}, description="Days that are otherwise; no intervals mean closed.", examples=[_CHRISTMAS_EVE]
    )
    holidays: StrictBool = Field(
        False, description="Closed on the public holidays of the tenant's country.", examples=[True]
    )


class BusinessHoursShown(BaseModel):
    queue_id: UUID | None = Field(description="null for those of the whole tenant.")
    week: dict[Weekday, list[Hours]]
    exceptions: dict[date, list[Hours]]
    holidays: bool
    updated_at: datetime


class AutoRepliesGiven(Body):
    greeting: StrictBool = Field(description="Greet once, when a conversation begins in hours.", examples=[True])
    out_of_hours: StrictBool = Field(
        description="Tell once an absence that nobody is there, and when somebody will be.", examples=[True]
    )
    tone: Tone = Field("formal", examples=["friendly"])


class AutoRepliesShown(BaseModel):
    greeting: bool
    out_of_hours: bool
    tone: Tone
