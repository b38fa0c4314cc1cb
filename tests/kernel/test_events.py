"""Events on the wire: what is personal apart, CloudEvents around it, and nothing but one error for what is no event."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import EVENTS, Envelope, Event, UnreadableRecordError, read
from shared.events.conversation import ContactAdded
from shared.events.gateway import ApiKeyChanged, TenantChanged
from shared.events.ingest import MessageReceived
from shared.events.routing import PresenceChanged
from shared.ids import earliest_id, new_id
from tests.support.events import NOON, message_received

fuzz = settings(max_examples=150, deadline=None, derandomize=True, database=None)

TENANT = UUID(int=7)
ENVELOPE = Envelope(UUID(int=1), NOON.astimezone(timezone(timedelta(hours=-3))), UUID(int=2), "00-trace-01")


def test_what_is_personal_travels_apart_from_the_rest() -> None:
    event = message_received(
        TENANT, sender_name="Maria", username="@maria", sender_ref="a-fingerprint", provider_message_id="wamid.A"
    )
    record = event.in_envelope(ENVELOPE).to_record()
    assert set(orjson.loads(record.value)) == {"data", "personal"}
    assert set(orjson.loads(record.personal or b"")) == {"sender", "sender_name", "username", "content"}
    for secret in ("Maria", "maria", "4321", "text 0"):
        assert secret not in record.data.decode()
        assert secret not in "".join(record.headers.values())


def test_an_event_without_personal_fields_has_no_personal_part() -> None:
    presence = PresenceChanged(tenant_id=TENANT, agent_id=UUID(int=3), status="online", changed_at=ENVELOPE.occurred_at)
    record = presence.in_envelope(ENVELOPE).to_record()
    assert record.personal is None
    assert set(orjson.loads(record.value)) == {"data"}
    assert "ce_datakey" not in record.headers


def test_the_headers_are_those_of_cloudevents_with_subject_and_tenant() -> None:
    record = message_received(TENANT).in_envelope(ENVELOPE).to_record()
    assert record.headers == {
        "ce_specversion": "1.0",
        "ce_id": str(UUID(int=1)),
        "ce_type": "ingest.message-received.v1",
        "ce_source": "/ingest",
        "ce_time": "2026-11-20T12:00:00Z",
        "ce_tenantid": str(TENANT),
        "ce_partitionkey": "ref-5511987654321",
        "ce_causedby": str(UUID(int=2)),
        "ce_traceparent": "00-trace-01",
        "ce_datakey": "none",
        "ce_datasubject": "ref-5511987654321",
        "content-type": "application/json",
    }
    assert (record.topic, record.key) == ("ingest.events", "ref-5511987654321")


@pytest.mark.parametrize(
    "event",
    [
        message_received(TENANT),
        ContactAdded(tenant_id=TENANT, contact_id=UUID(int=3)),
        ApiKeyChanged(
            tenant_id=TENANT, api_key_id=UUID(int=3), label="CRM", role="agent", scopes=["a"], created_at=NOON
        ),
    ],
    ids=lambda event: event.type,
)
def test_what_is_read_is_what_was_said(event: Event) -> None:
    record = event.in_envelope(ENVELOPE).to_record()
    heard = read(record.headers, record.value)
    assert heard == event
    assert heard.envelope == ENVELOPE


def test_a_listener_accepts_fields_and_values_of_tomorrow() -> None:
    record = message_received(TENANT).in_envelope(ENVELOPE).to_record()
    parts = orjson.loads(record.value)
    parts["data"] |= {"mood": "good", "channel_kind": "pigeon"}
    parts["personal"]["content"] |= {"type": "hologram", "depth": 3}
    parts["seal"] = "none"
    heard = read(record.headers | {"ce_mood": "good"}, orjson.dumps(parts))
    assert isinstance(heard, MessageReceived)
    assert (heard.channel_kind, heard.content.type) == ("pigeon", "hologram")


def test_an_event_cannot_be_changed_and_has_no_envelope_before_it_is_said() -> None:
    event = message_received(TENANT)
    with pytest.raises(ValueError, match="frozen"):
        event.channel_kind = "email"  # type: ignore[misc]
    with pytest.raises(LookupError):
        _ = event.envelope


GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)


@given(
    value=st.binary()
    | st.builds(lambda data, personal: orjson.dumps({"data": data, "personal": personal}), GARBAGE, GARBAGE)
)
@fuzz
def test_a_value_that_is_no_event_is_unreadable_and_nothing_else(value: bytes) -> None:
    for kind in (MessageReceived, ContactAdded, TenantChanged):
        record = message_received(TENANT).in_envelope(ENVELOPE).to_record()
        with pytest.raises(UnreadableRecordError):
            read(record.headers | {"ce_type": kind.type}, value)


@given(
    headers=st.dictionaries(st.sampled_from(["ce_id", "ce_time", "ce_causedby", "ce_type"]), st.text(max_size=40)),
    missing=st.sets(st.sampled_from(["ce_id", "ce_time", "ce_type"])),
)
@fuzz
def test_headers_that_are_no_events_are_unreadable_and_nothing_else(headers: dict[str, str], missing: set[str]) -> None:
    record = message_received(TENANT).in_envelope(ENVELOPE).to_record()
    given_headers = {name: value for name, value in (record.headers | headers).items() if name not in missing}
    try:
        heard = read(given_headers, record.value)
    except UnreadableRecordError:
        return
    assert heard.key == record.key


@given(place=st.sampled_from(["sent_at", "tenant_id", "channel_id", "sender_ref", "content", "sender"]), part=GARBAGE)
@fuzz
def test_a_reason_never_quotes_what_was_sent(place: str, part: object) -> None:
    record = message_received(TENANT).in_envelope(ENVELOPE).to_record()
    parts = orjson.loads(record.value)
    parts["personal" if place in parts["personal"] else "data"][place] = {"Xq7z": part}
    with pytest.raises(UnreadableRecordError) as unreadable:
        read(record.headers, orjson.dumps(parts))
    assert "Xq7z" not in str(unreadable.value)


def test_all_events_of_a_type_are_read_by_their_type() -> None:
    assert {kind.type: kind for kind in EVENTS.values()} == EVENTS
    with pytest.raises(UnreadableRecordError):
        read({"ce_type": "ingest.message-received.v2"}, b"{}")


@given(moment=st.datetimes(datetime(2020, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001 - hypothesis wants naive bounds
@fuzz
def test_ids_sort_by_the_time_of_their_making(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    assert earliest_id(moment) <= earliest_id(moment + timedelta(milliseconds=1))
    assert (earliest_id(moment) < new_id()) == (moment < datetime.now(UTC))
