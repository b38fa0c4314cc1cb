"""What the services say to each other, in the past tense; one file a speaker."""

from shared.events.base import HEADERS_READ, Envelope, Event, Record, UnreadableRecordError
from shared.events.catalogue import EVENTS, TOPICS, Topic, read

__all__ = ["EVENTS", "HEADERS_READ", "TOPICS", "Envelope", "Event", "Record", "Topic", "UnreadableRecordError", "read"]
