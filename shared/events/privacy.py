"""What privacy says: what a person asked for, what all services must hand over for it, and what he is to be told."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.events.base import Event
from shared.events.ingest import Address
from shared.personal import Personal, Plain

SUBJECT_KINDS = ["contact", "user"]


class SubjectDataRequested(Event):
    """Every process is to deposit what it holds about a person (LGPD art. 19 II, GDPR art. 15)."""

    type = "privacy.subject-data-requested.v1"
    keyed_by = "request_id"
    about = "subject_id"

    request_id: Plain[UUID]
    subject_id: Plain[UUID]
    attempt: Plain[int]
    """1 at first; a higher one asks those again who were silent."""
    services: Plain[list[str]]
    """Who is asked; the others have answered."""
    references: Plain[dict[str, list[str]]] = Field(
        examples=[{"contact": ["0197…"], "sender": ["5f1c…"], "visitor": ["0197…"]}]
    )
    """Under what the person is found, by kind of reference (`shared.personal.REFERENCES`); none of them names him."""
    sealed_key: Plain[str]
    """The key of this one request, sealed under the root key, in base64: deposits are encrypted with it."""
    requested_at: Plain[datetime]


class NoticeQueued(Event):
    """A person is to be told something by Balcão outside of any conversation, where only he reads it."""

    type = "privacy.notice-queued.v1"
    keyed_by = "subject_id"
    about = "subject_id"

    notice_id: Plain[UUID]
    request_id: Plain[UUID]
    subject_id: Plain[UUID]
    kind: Plain[str] = Field(examples=["proof_code", "package_ready", "rejected", "extended"])
    channel_id: Plain[UUID]
    channel_kind: Plain[str]
    recipient: Annotated[list[Address], Personal("contact.address")] = Field(min_length=1)
    text: Annotated[str, Personal("message.content")]
    queued_at: Plain[datetime]


class PrivacyRequestChanged(Event):
    """A request of a person's is in another state, or has another deadline; nobody is named."""

    type = "privacy.request-changed.v1"
    keyed_by = "request_id"

    request_id: Plain[UUID]
    right: Plain[str] = Field(examples=["access"])
    state: Plain[str] = Field(examples=["received", "triage", "collecting", "completed"])
    due_at: Plain[datetime]
    legal_latest_at: Plain[datetime]
    silent: Plain[list[str]] = Field([])
    """The services that have not handed over what they hold."""
    changed_at: Plain[datetime]


class DeadlineNeared(Event):
    """So much of the time for a request has passed, and it is not settled; from 1 on it is overdue."""

    type = "privacy.deadline-neared.v1"
    keyed_by = "request_id"

    request_id: Plain[UUID]
    right: Plain[str]
    share: Plain[float] = Field(examples=[0.5, 0.75, 0.9, 1.0])
    due_at: Plain[datetime]
    legal_latest_at: Plain[datetime]
    neared_at: Plain[datetime]
