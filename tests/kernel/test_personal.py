"""Personal data: all of it declared, none of it in logs, sealed at rest, referred to without being named."""

import io
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from typing import Annotated, Any
from uuid import UUID

import orjson
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import JSON, Column, LargeBinary, MetaData, String, Table
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db.tables import Kernel
from shared.events import EVENTS, Event
from shared.ids import new_id
from shared.personal import (
    BlindIndex,
    Personal,
    SealBrokenError,
    Sealer,
    not_personal,
    personal,
    personal_columns,
    personal_fields,
    redact,
    undeclared_columns,
    undeclared_fields,
)
from shared.personal.declarations import CATEGORIES
from shared.personal.redaction import learn_columns
from shared.telemetry import redaction, start_logging
from tests.support.events import message_received
from tests.support.services import SERVICES

METADATA: Mapping[str, MetaData] = {
    "kernel": Kernel.metadata,
    **{name: service.metadata for name, service in SERVICES.items()},
}
MARK = "Xq7zMaria"
"""What no log may ever hold."""

log = structlog.get_logger()
foreign = logging.getLogger("a.library")


class TestDeclarations:
    @pytest.mark.parametrize("name", METADATA)
    def test_every_column_that_may_hold_text_is_declared(self, name: str) -> None:
        assert undeclared_columns(METADATA[name]) == []

    @pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
    def test_every_field_of_an_event_is_declared(self, event: type[Event]) -> None:
        assert undeclared_fields(event) == []

    def test_a_column_or_field_that_nobody_looked_at_is_found(self) -> None:
        metadata = MetaData()
        kinds: dict[str, Any] = {
            "text": String,
            "json": JSON,
            "jsonb": JSONB,
            "bytes": LargeBinary,
            "list": ARRAY(String),
        }
        undeclared: list[Column[Any]] = [Column(name, kind) for name, kind in kinds.items()]
        declared = [Column("name", String, info=personal("contact.name")), Column("kind", String, info=not_personal())]
        Table("people", metadata, *undeclared, *declared)
        assert undeclared_columns(metadata) == [f"people.{name}" for name in kinds]

        class Planted(Event):
            type = "test.planted.v1"
            keyed_by = "tenant_id"

            forgotten: str
            nickname: Annotated[str, Personal("contact.name")]

        assert undeclared_fields(Planted) == ["forgotten"]

    @pytest.mark.parametrize("mark", [Personal, personal])
    def test_a_category_that_nobody_described_is_refused(self, mark: Callable[[str], object]) -> None:
        with pytest.raises(ValueError, match="no such category"):
            mark("contact.shoe-size")

    def test_every_category_is_held_somewhere(self) -> None:
        columns = {category for metadata in METADATA.values() for _, category in personal_columns(metadata)}
        fields = {category for event in EVENTS.values() for category in personal_fields(event).values()}
        assert columns | fields == set(CATEGORIES)

    @pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
    def test_what_orders_and_refers_is_not_itself_personal(self, event: type[Event]) -> None:
        referring = {event.keyed_by, event.about} - {None}
        assert referring <= set(event.model_fields)
        assert not referring & set(personal_fields(event))
        assert event.about or not personal_fields(event) or event.type == "gateway.api-key-changed.v1"


@pytest.fixture
def written() -> Iterator[Callable[[], str]]:
    """What was logged so far."""
    root, output = logging.getLogger(), io.StringIO()
    handlers = root.handlers
    with redirect_stdout(output):
        start_logging("test", "info", redaction(redact))
    yield output.getvalue
    root.handlers = handlers


class TestLogs:
    @pytest.mark.parametrize(
        "said",
        [
            {"message": message_received(new_id(), MARK)},
            {"events": [message_received(new_id(), MARK)]},
            {"text": MARK},
            {"secret": SecretStr(MARK)},
            {"anything": MARK.encode()},
            {"anything": [MARK.encode()]},
            {"request": {"headers": {"authorization": MARK}, "json": {"contact": {"display_name": MARK}}}},
            {"a": {"b": {"c": {"d": {"e": {"f": MARK}}}}}},
            {"anything": object.__new__(type(MARK, (), {}))},
            {"label": MARK},
            {"sender_name": MARK},
        ],
        ids="-".join,
    )
    def test_what_is_personal_is_cut(self, written: Callable[[], str], said: dict[str, Any]) -> None:
        for service in SERVICES.values():
            learn_columns(service.metadata)
        log.error("a line", **said)
        line = written()
        assert "a line" in line
        assert "[cut]" in line
        assert MARK not in line

    @pytest.mark.parametrize("speaker", [log, foreign], ids=["ours", "a library's"])
    def test_an_error_is_told_by_its_kind_and_place(self, written: Callable[[], str], speaker: Any) -> None:
        def misread() -> None:
            raise ValueError(f"{MARK} is no number")

        def misplace() -> None:
            raise KeyError(MARK)

        for fail in (misread, misplace):
            try:
                fail()
            except (ValueError, KeyError):
                speaker.exception("a line")
        lines = written()
        for part in ("a line", "ValueError", "KeyError", "test_personal.py", "misread", "misplace"):
            assert part in lines
        assert MARK not in lines

    def test_what_serves_to_find_a_fault_stays(self, written: Callable[[], str]) -> None:
        id_ = new_id()
        log.error("a line", id=id_, attempts=3, state="failed", places=[1, 2])
        told = orjson.loads(written())
        assert {"id": str(id_), "attempts": 3, "state": "failed", "places": [1, 2]}.items() <= told.items()

    @given(
        said=st.recursive(
            st.just(MARK.encode()) | st.just(SecretStr(MARK)) | st.integers() | st.none(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        )
    )
    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    def test_however_deep_it_lies(self, said: object) -> None:
        assert MARK not in repr(redact(said))


class TestSealing:
    def test_only_the_same_key_purpose_and_context_open_a_seal(self) -> None:
        sealer = Sealer(bytes(32))
        sealed = sealer.seal(b"plain", purpose="credentials", context="a")
        assert b"plain" not in sealed
        assert sealer.open(sealed, purpose="credentials", context="a") == b"plain"
        for other, purpose, context in (
            (sealer, "credentials", "b"),
            (sealer, "idempotency", "a"),
            (Sealer(b"1" * 32), "credentials", "a"),
        ):
            with pytest.raises(SealBrokenError):
                other.open(sealed, purpose=purpose, context=context)

    @given(sealed=st.binary(max_size=60))
    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    def test_what_was_never_sealed_is_a_broken_seal(self, sealed: bytes) -> None:
        with pytest.raises(SealBrokenError):
            Sealer(bytes(32)).open(sealed, purpose="credentials", context="a")

    def test_nothing_is_sealed_twice_alike(self) -> None:
        sealer = Sealer(bytes(32))
        assert len({sealer.seal(b"plain", purpose="credentials", context="a") for _ in range(10)}) == 10


class TestBlindIndex:
    def test_a_fingerprint_is_the_same_for_the_same_and_for_nobody_else(self) -> None:
        index = BlindIndex(bytes(32))
        one, other = UUID(int=1), UUID(int=2)
        alike = index.of(one, "phone", "5511987654321")
        assert BlindIndex(bytes(32)).of(one, "phone", "5511987654321") == alike
        others = {
            index.of(other, "phone", "5511987654321"),
            index.of(one, "email", "5511987654321"),
            index.of(one, "phone", "5511987654322"),
            BlindIndex(b"1" * 32).of(one, "phone", "5511987654321"),
        }
        assert len(others | {alike}) == 5
