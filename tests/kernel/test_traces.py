"""A trace goes through events: what a request caused, and what that caused, belongs to it."""

from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import pytest

from shared.events.conversation import ContactAdded
from shared.ids import new_id
from shared.settings import ServiceSettings
from shared.telemetry import current_trace, is_sampled, span, start_tracing
from tests.support.events import message_received
from tests.support.machine import BrokerAddress, Machine
from tests.support.outbox import said
from tests.support.services import SERVICES
from tests.support.serving import serving

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_what_a_request_says_carries_its_trace(
    machine: Machine, broker_address: BrokerAddress, tenant_id: UUID
) -> None:
    settings = machine.settings(ServiceSettings, "conversation", broker_address, runs="api")
    database = machine.database("conversation")
    async with serving(SERVICES["conversation"], settings) as served:
        headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        answer = await served.caller(tenant_id).post("/contacts", json={"name": "Maria"}, headers=headers)
    assert answer.status_code == 201
    (event,) = await said(database, tenant_id)
    assert isinstance(event, ContactAdded)
    assert _trace_of([event.envelope.trace]) == {TRACE}
    await database.close()


async def test_what_an_event_causes_carries_its_trace(machine: Machine, tenant_id: UUID) -> None:
    start_tracing("test", 1.0, None)
    database = machine.database("conversation")
    (append,) = SERVICES["conversation"].hears[type(message_received(tenant_id))]
    async with database.unit_of_work([tenant_id]) as uow:
        received = message_received(tenant_id)
        uow.emit(received, trace=f"00-{TRACE}-00f067aa0ba902b7-01")
        uow.forget()
        await append([received], uow)
    events = await said(database, tenant_id)
    assert _trace_of([event.envelope.trace for event in events]) == {TRACE}
    assert {event.envelope.caused_by for event in events} == {received.envelope.id}
    await database.close()


@pytest.fixture
def tracing() -> Iterator[Callable[[float], None]]:
    """Traces by a process that does not trust its callers, until the test ends."""

    def begin(share: float) -> None:
        start_tracing("test", share, None, trusting=False)

    yield begin
    start_tracing("test", 0.0, None)


def test_what_is_recorded_here_is_when_it_comes_back(tracing: Callable[[float], None]) -> None:
    tracing(0.05)
    recorded = 0
    for _ in range(2_000):
        with span("a request") as root:
            trace = current_trace()
            assert root.is_recording() == is_sampled(trace)
        with span("what it caused, heard again", parent=trace) as followed:
            assert followed.is_recording() == is_sampled(trace)
            assert _trace_of([current_trace()]) == _trace_of([trace])
        recorded += is_sampled(trace)
    assert 40 < recorded < 200


def test_who_is_not_trusted_does_not_decide_what_is_recorded(tracing: Callable[[float], None]) -> None:
    tracing(0.0)
    with span("a stranger's", parent=f"00-{TRACE}-00f067aa0ba902b7-01") as own:
        assert not own.is_recording()
        assert current_trace() == f"00-{TRACE}-00f067aa0ba902b7-00"
    tracing(1.0)
    with span("a stranger's", parent=f"00-{TRACE}-00f067aa0ba902b7-00") as own:
        assert not own.is_recording()


def _trace_of(traceparents: Sequence[str | None]) -> set[str]:
    return {(traceparent or "").split("-")[1] for traceparent in traceparents}


def test_ids_sort_by_the_time_of_their_making() -> None:
    ids = [new_id() for _ in range(100)]
    assert ids == sorted(ids)
