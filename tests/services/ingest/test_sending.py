"""What is queued leaves through the provider once, in order, and what becomes of it is told and never taken back."""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select, text, update

from services.ingest.app import service
from services.ingest.clients import Bounds, Gates, WhatsAppCloud
from services.ingest.handlers import Dispatch
from services.ingest.models import Send
from services.ingest.store.sends import ECHOED_WITHIN
from shared.db import DeadLetter, Waiting
from shared.events.conversation import MessageQueued
from shared.events.ingest import Address, Content, DeliveryChanged, Location, MessageReceived
from shared.events.privacy import NoticeQueued
from shared.http import outgoing_client
from shared.ids import new_id
from shared.jobs import Worker
from tests.support.accounts import Accounts
from tests.support.hearing import hear
from tests.support.meta import URL, Meta, id_of, refusal
from tests.support.waiting import until

WIDE = Bounds(rate=10_000, at_once=1000, failures=1000, pause=60)
MARIA = Address(kind="wa_phone", value="5511987654321")


@dataclass
class Clock:
    """Tells the time that it is set to."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Desk:
    """One channel account, its provider, and what sends through it."""

    accounts: Accounts
    meta: Meta
    http: httpx.AsyncClient
    channel: dict[str, Any]
    bounds: Bounds = WIDE
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        # What a process furnishes itself with; another desk is another process.
        kernel = self.accounts.served.app.state.counter.kernel
        gates, patience = Gates(self.bounds, self.clock), timedelta(hours=1)
        self.dispatch = Dispatch({"whatsapp": WhatsAppCloud(self.http)}, gates, kernel.sealer, patience)

    def worker(self, lease: float = 60) -> Worker:
        return Worker(service.does, self.accounts.database, self.dispatch, lease=lease)

    def queued(self, words: str = "Já saiu.", contact: UUID | None = None, **changes: Any) -> MessageQueued:
        """What conversation says when an agent has answered."""
        fields: dict[str, Any] = {
            "tenant_id": self.accounts.tenant_id,
            "conversation_id": new_id(),
            "contact_id": contact or new_id(),
            "channel_id": self.channel["id"],
            "channel_kind": "whatsapp",
            "message_id": new_id(),
            "attempt": 1,
            "recipient": [MARIA],
            "content": Content(type="text", text=words),
            "queued_at": datetime.now(UTC),
        }
        return MessageQueued(**fields | changes)

    async def queue(self, *events: MessageQueued) -> None:
        await hear(service, self.accounts.database, *events)

    async def work(self) -> None:
        """Do what is due, and what is due after that."""
        worker = self.worker()
        while await worker.do_due():
            pass

    async def send(self, words: str = "Já saiu.", **changes: Any) -> MessageQueued:
        event = self.queued(words, **changes)
        await self.queue(event)
        await self.work()
        return event

    async def skip_waiting(self) -> float:
        """Make due what was put off; how many seconds it would have waited at most."""
        async with self.accounts.database.unit_of_work(()) as uow:
            now = datetime.now(UTC)
            waits = [(due - now).total_seconds() for due in await uow.session.scalars(select(Waiting.due_at))]
            await uow.session.execute(update(Waiting).values(due_at=now - timedelta(seconds=1)))
        return max(waits)

    async def waiting(self) -> Sequence[Waiting]:
        async with self.accounts.database.unit_of_work(()) as uow:
            return (await uow.session.scalars(select(Waiting).order_by(Waiting.id))).all()

    async def row(self, event: MessageQueued) -> Send:
        async with self.accounts.database.unit_of_work([event.tenant_id]) as uow:
            query = select(Send).where(Send.message_id == event.message_id, Send.attempt == event.attempt)
            return (await uow.session.scalars(query)).one()

    async def told(self, event: MessageQueued | None = None) -> list[DeliveryChanged]:
        """What was told of all messages, or of one."""
        said = [one for one in await self.accounts.said() if isinstance(one, DeliveryChanged)]
        return [one for one in said if event is None or one.message_id == event.message_id]

    async def states(self, event: MessageQueued) -> list[tuple[int, str]]:
        return [(one.attempt, one.state) for one in await self.told(event)]

    async def report(self, *statuses: dict[str, Any]) -> None:
        """Meta posts statuses."""
        value = {"metadata": {"phone_number_id": "106540352242922"}, "statuses": statuses}
        change = {"field": "messages", "value": value}
        content = json.dumps({"object": "whatsapp_business_account", "entry": [{"changes": [change]}]}).encode()
        assert (await self.accounts.post(self.channel, content)).status_code == 200


def reference(event: MessageQueued) -> str:
    """What the provider gives back with what he tells of a message."""
    return f"{event.message_id}:{event.attempt}"


def status(event: MessageQueued, state: str, *, referring: bool = True) -> dict[str, Any]:
    """A status as Meta tells it; it need not give back what the send carried."""
    second = 1780324175 + ["sent", "delivered", "read", "played", "failed", "deleted", "accepted"].index(state)
    told: dict[str, Any] = {
        "id": id_of(reference(event)),
        "status": state,
        "timestamp": str(second),
        "recipient_id": "55",
    }
    if referring:
        told["biz_opaque_callback_data"] = reference(event)
    if state == "failed":
        told["errors"] = [{"code": 131047, "title": "Re-engagement message"}]
    return told


@pytest_asyncio.fixture(loop_scope="session")
async def desk(accounts: Accounts) -> AsyncIterator[Desk]:
    async with accounts.database.engine.begin() as connection:
        await connection.execute(text("DELETE FROM jobs"))
    meta = Meta()
    async with outgoing_client(URL, transport=meta.transport) as http:
        yield Desk(accounts, meta, http, await accounts.connect())


class TestSending:
    async def test_a_message_leaves_as_the_provider_wants_it(self, desk: Desk) -> None:
        event = await desk.send("Já saiu. 😀", reply_to="wamid.question")
        (taken,) = desk.meta.taken
        assert (taken.account, taken.token) == ("106540352242922", "EAAG-access-token")
        assert taken.body == {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "5511987654321",
            "type": "text",
            "text": {"preview_url": False, "body": "Já saiu. 😀"},
            "context": {"message_id": "wamid.question"},
            "biz_opaque_callback_data": reference(event),
        }
        (told,) = await desk.told(event)
        assert (told.state, told.provider_message_id, told.error_code) == ("sent", taken.id, None)
        assert (told.conversation_id, told.contact_id) == (event.conversation_id, event.contact_id)

    @pytest.mark.parametrize(
        ("recipient", "expected"),
        [
            ([Address(kind="wa_bsuid", value="BR.1A2b"), MARIA], {"to": MARIA.value}),
            ([Address(kind="wa_bsuid", value="BR.1A2b")], {"recipient": "BR.1A2b"}),
        ],
    )
    async def test_who_has_withheld_his_number_is_reached_by_his_user_id(
        self, desk: Desk, recipient: list[Address], expected: dict[str, str]
    ) -> None:
        await desk.send(recipient=recipient)
        (taken,) = desk.meta.taken
        assert {name: taken.body[name] for name in ("to", "recipient") if name in taken.body} == expected

    async def test_a_message_that_is_queued_repeatedly_leaves_once(self, desk: Desk) -> None:
        event = desk.queued()
        await desk.queue(event, event)
        await desk.queue(event)
        await desk.work()
        await desk.queue(event)
        await desk.work()
        assert len(desk.meta.taken) == 1
        assert await desk.states(event) == [(1, "sent")]

    async def test_workers_that_compete_send_each_message_once(self, desk: Desk) -> None:
        await desk.queue(*(desk.queued(str(number)) for number in range(40)))
        await asyncio.gather(*(desk.work() for _ in range(3)))
        await desk.work()
        assert sorted(taken.text for taken in desk.meta.taken) == sorted(map(str, range(40)))

    async def test_a_persons_messages_leave_in_order_though_one_has_to_wait(self, desk: Desk) -> None:
        contact, stranger = new_id(), new_id()
        desk.meta.answers.append(refusal(400, 131056))
        await desk.queue(*(desk.queued(str(number), contact) for number in range(3)))
        await desk.work()
        await desk.queue(desk.queued("to somebody else", stranger))
        await desk.work()
        assert [taken.text for taken in desk.meta.taken] == ["0", "to somebody else"]
        await desk.skip_waiting()
        await desk.work()
        assert [taken.text for taken in desk.meta.taken[2:]] == ["0", "1", "2"]

    async def test_what_was_sent_is_not_kept_here(self, desk: Desk) -> None:
        event = desk.queued()
        await desk.queue(event)
        assert (await desk.row(event)).content is not None
        await desk.work()
        row = await desk.row(event)
        assert (row.state, row.content, row.recipient) == ("sent", None, None)

    async def test_what_is_written_to_visitors_of_a_web_chat_needs_no_provider(self, desk: Desk) -> None:
        visitor = Address(kind="visitor", value=str(new_id()))
        await desk.send(channel_kind="web_chat", recipient=[visitor])
        assert not desk.meta.taken
        assert not await desk.waiting()

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"channel_kind": "pigeon"}, "no_such_channel"),
            ({"channel_id": UUID(int=7)}, "no_such_channel"),
            ({"recipient": [Address(kind="e164", value="+5511987654321")]}, "no_address"),
            ({"content": Content(type="location", location=Location(latitude=1, longitude=2))}, "content_unsupported"),
        ],
    )
    async def test_what_can_never_be_sent_fails_with_its_reason(
        self, desk: Desk, changes: dict[str, Any], code: str
    ) -> None:
        event = await desk.send(**changes)
        (told,) = await desk.told(event)
        assert (told.state, told.error_code) == ("failed", code)
        assert not desk.meta.taken
        assert not await desk.waiting()

    async def test_without_a_token_nothing_can_be_sent(self, desk: Desk) -> None:
        credentials = {"app_secret": "a-secret-of-meta", "verify_token": "a-token-of-ours"}
        path = f"/channels/{desk.channel['id']}"
        assert (await desk.accounts.admin.patch(path, json={"credentials": credentials})).status_code == 200
        event = await desk.send()
        assert (await desk.row(event)).error_code == "no_access_token"


class TestAnswers:
    @pytest.mark.parametrize(
        "answer",
        [
            httpx.ReadTimeout("late"),
            httpx.WriteTimeout("late"),
            httpx.ReadError("reset"),
            httpx.RemoteProtocolError("closed"),
            httpx.Response(500),
            httpx.Response(502, text="<html>Bad gateway</html>"),
            httpx.Response(503),
            httpx.Response(504),
            httpx.Response(408),
            refusal(500, 1),
            refusal(500, 1, is_transient=True),
            httpx.Response(200, json={}),
            httpx.Response(200, text="[["),
        ],
        ids=str,
    )
    async def test_what_does_not_tell_whether_it_was_taken_is_unknown_and_never_sent_again(
        self, desk: Desk, answer: httpx.Response | Exception
    ) -> None:
        desk.meta.answers.append(answer)
        event = await desk.send()
        await desk.work()
        assert await desk.states(event) == [(1, "unknown")]
        assert len(desk.meta.taken) == 1
        assert not await desk.waiting()

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.ConnectError("refused"),
            httpx.ConnectTimeout("no answer"),
            httpx.PoolTimeout("no connection is free"),
            httpx.Response(429),
            refusal(503, 131016),
            refusal(500, 131000),
            refusal(503, 2),
            *(refusal(400, code) for code in (4, 80007, 130429, 131048, 131056, 131064, 133016)),
        ],
        ids=str,
    )
    async def test_what_was_not_taken_is_sent_again_later(self, desk: Desk, answer: httpx.Response | Exception) -> None:
        desk.meta.answers.append(answer)
        event = await desk.send()
        assert not await desk.told(event), "it was told of a message that is still on its way"
        assert 0.5 < await desk.skip_waiting() < 3
        desk.clock.now += 60
        await desk.work()
        assert await desk.states(event) == [(1, "sent")]
        assert len(desk.meta.taken) == 2

    @pytest.mark.parametrize(("status_", "code"), [(400, 131047), (400, 131026), (401, 190), (400, 100), (500, 3)])
    async def test_what_was_refused_for_good_has_failed(self, desk: Desk, status_: int, code: int) -> None:
        desk.meta.answers.append(refusal(status_, code, message=f"(#{code}) Not for 5511987654321"))
        event = await desk.send()
        (told,) = await desk.told(event)
        assert (told.state, told.error_code, told.error_title) == ("failed", str(code), "Not for …")
        assert len(desk.meta.taken) == 1

    async def test_a_refusal_without_words_is_told_by_its_status(self, desk: Desk) -> None:
        desk.meta.answers.append(httpx.Response(404))
        assert (await desk.row(await desk.send())).error_code == "http_404"

    @pytest.mark.parametrize("code", [131056, 131016])
    async def test_the_wait_grows_from_refusal_to_refusal_and_begins_anew_after_one_that_was_taken(
        self, desk: Desk, code: int
    ) -> None:
        contact = new_id()
        base = 4 if code == 131056 else 2
        for _ in range(2):
            desk.meta.answers.extend(refusal(400, code) for _ in range(4))
            await desk.send(contact=contact)
            for refusals in range(4):
                assert base**refusals - 0.5 < await desk.skip_waiting() < 1.26 * base**refusals
                await desk.work()
        assert len(desk.meta.taken) == 10

    @pytest.mark.parametrize("code", [131056, 130429, 131016])
    @pytest.mark.parametrize("as_date", [False, True])
    async def test_the_provider_is_given_the_time_that_he_asks_for(
        self, desk: Desk, code: int, *, as_date: bool
    ) -> None:
        moment = datetime.now(UTC) + timedelta(seconds=300)
        value = moment.strftime("%a, %d %b %Y %H:%M:%S GMT") if as_date else "300"
        desk.meta.answers.append(refusal(429, code, headers={"Retry-After": value}))
        await desk.send()
        assert 290 < await desk.skip_waiting() <= 301

    async def test_no_header_keeps_a_persons_messages_back_for_ever(self, desk: Desk) -> None:
        desk.meta.answers.append(refusal(429, 131056, headers={"Retry-After": "999999999999"}))
        await desk.send()
        assert await desk.skip_waiting() <= 3600

    async def test_what_is_not_taken_for_too_long_has_failed(self, desk: Desk) -> None:
        desk.meta.answers.append(refusal(503, 131016))
        event = await desk.send(queued_at=datetime.now(UTC) - timedelta(hours=2))
        (told,) = await desk.told(event)
        assert (told.state, told.error_code, told.error_title) == ("failed", "131016", "Refused")

    async def test_a_call_whose_caller_died_is_unknown_until_the_provider_tells(self, desk: Desk) -> None:
        event = desk.queued()
        desk.meta.hold(reference(event))
        await desk.queue(event)
        dying = asyncio.create_task(desk.worker(lease=0.3).do_due())
        await until(lambda: asyncio.sleep(0, desk.meta.taken))
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        await asyncio.sleep(0.3)
        await desk.work()
        assert await desk.states(event) == [(1, "unknown")]
        assert len(desk.meta.taken) == 1
        await desk.report(status(event, "delivered"))
        assert await desk.states(event) == [(1, "unknown"), (1, "delivered")]


class TestConnections:
    """Over the transport of production, to a provider that drops connections."""

    @staticmethod
    @asynccontextmanager
    async def provider(answer: bytes) -> AsyncIterator[str]:
        """Reads a request, answers with these bytes and closes."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            yield f"http://127.0.0.1:{port}"

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"no HTTP\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n{",
        ],
    )
    async def test_a_connection_lost_after_the_request_leaves_it_unknown(self, desk: Desk, answer: bytes) -> None:
        async with self.provider(answer) as url, outgoing_client(url) as http:
            event = await replace(desk, http=http).send()
        assert await desk.states(event) == [(1, "unknown")]

    async def test_a_connection_that_never_was_leaves_it_to_be_sent(self, desk: Desk) -> None:
        async with self.provider(b"") as url:
            pass
        async with outgoing_client(url) as http:
            event = await replace(desk, http=http).send()
        assert not await desk.told(event)
        assert len(await desk.waiting()) == 1


RECORDED = "recorded"


class TestStatuses:
    @pytest.mark.parametrize("referring", [True, False])
    @pytest.mark.parametrize(
        ("steps", "end"),
        [
            (["sent", "delivered", "read"], "read"),
            (["sent", "delivered", "delivered"], "delivered"),
            (["sent", "failed"], "failed"),
            (["sent", "failed", "delivered"], "delivered"),
            (["accepted", "played", "deleted"], "read"),
        ],
    )
    async def test_statuses_end_the_same_in_whatever_order_they_come(
        self, desk: Desk, steps: list[str], end: str, *, referring: bool
    ) -> None:
        orders = [(desk.queued(), order) for order in set(itertools.permutations([*steps, RECORDED]))]
        answers = {reference(event): desk.meta.hold(reference(event)) for event, _ in orders}
        await desk.queue(*(event for event, _ in orders))
        sending = asyncio.create_task(desk.work())
        await until(lambda: asyncio.sleep(0, len(desk.meta.taken) == len(orders)))
        for turn in range(len(steps) + 1):
            told = [(event, order[turn]) for event, order in orders if order[turn] != RECORDED]
            for _ in range(2):
                await desk.report(*(status(event, step, referring=referring) for event, step in told))
            for event, order in orders:
                if order[turn] == RECORDED:
                    answers.pop(reference(event)).set()
            await until(desk.waiting, lambda jobs: len(jobs) == len(answers))
        await sending
        for event, order in orders:
            row = await desk.row(event)
            assert (row.state, row.provider_message_id) == (end, id_of(reference(event))), order
            assert (row.error_code is not None) == (end == "failed")
        said = await desk.told()
        assert {one.message_id: one.state for one in said} == {event.message_id: end for event, _ in orders}
        assert len(said) == len({(one.message_id, one.state) for one in said}), "the same was told twice"

    async def test_statuses_of_many_messages_come_in_one_post(self, desk: Desk) -> None:
        events = [desk.queued(str(number)) for number in range(30)]
        await desk.queue(*events)
        await desk.work()
        await desk.report(*(status(event, state) for state in ("read", "delivered") for event in reversed(events)))
        assert {(await desk.row(event)).state for event in events} == {"read"}
        assert len(await desk.told()) == 60

    async def test_statuses_that_come_at_once_do_not_stand_in_each_others_way(self, desk: Desk) -> None:
        events = [desk.queued(str(number)) for number in range(20)]
        await desk.queue(*events)
        sending = asyncio.create_task(desk.work())
        turns = [events[place:] + events[:place] for place in range(0, 20, 4)]
        await asyncio.gather(
            *(
                desk.report(*(status(event, state, referring=False) for event in turn))
                for turn in turns
                for state in ("delivered", "sent")
            )
        )
        await sending
        assert {(await desk.row(event)).state for event in events} == {"delivered"}

    async def test_a_failure_that_is_told_later_has_the_providers_reason(self, desk: Desk) -> None:
        event = await desk.send()
        await desk.report(status(event, "failed"))
        told = (await desk.told(event))[-1]
        assert (told.state, told.error_code, told.error_title) == ("failed", "131047", "Re-engagement message")
        assert told.occurred_at == datetime.fromtimestamp(1780324179, UTC)

    async def test_statuses_of_other_programs_and_channels_change_nothing(self, desk: Desk) -> None:
        event = await desk.send()
        foreign = status(event, "read") | {"id": "wamid.other", "biz_opaque_callback_data": "order 7:1"}
        await desk.report(foreign)
        sibling = await desk.accounts.connect("200000000000042")
        value = {"metadata": {"phone_number_id": "200000000000042"}, "statuses": [status(event, "read")]}
        entry = {"changes": [{"field": "messages", "value": value}]}
        content = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
        assert (await desk.accounts.post(sibling, content)).status_code == 200
        assert await desk.states(event) == [(1, "sent")]


class TestAttempts:
    async def test_a_message_that_failed_is_sent_again_when_an_agent_wants_it(self, desk: Desk) -> None:
        desk.meta.answers.append(refusal(400, 131047))
        first = await desk.send()
        second = first.model_copy(update={"attempt": 2})
        await desk.queue(second)
        await desk.work()
        assert [taken.reference for taken in desk.meta.taken] == [reference(first), reference(second)]
        assert await desk.states(first) == [(1, "failed"), (2, "sent")]

    async def test_an_older_attempt_counts_only_where_it_proves_that_it_arrived(self, desk: Desk) -> None:
        desk.meta.answers.append(httpx.ReadTimeout("late"))
        first = await desk.send()
        second = first.model_copy(update={"attempt": 2})
        await desk.queue(second)
        await desk.work()
        await desk.report(status(first, "sent"), status(first, "failed"))
        assert await desk.states(first) == [(1, "unknown"), (2, "sent")]
        await desk.report(status(first, "delivered"))
        assert (await desk.states(first))[2:] == [(1, "delivered")]

    async def test_what_has_arrived_after_all_is_not_sent_again(self, desk: Desk) -> None:
        desk.meta.answers.append(httpx.ReadTimeout("late"))
        first = await desk.send()
        await desk.queue(first.model_copy(update={"attempt": 2}))
        await desk.report(status(first, "delivered"))
        await desk.work()
        assert len(desk.meta.taken) == 1
        assert (await desk.states(first))[-1] == (2, "delivered")


class TestGates:
    async def test_a_provider_that_is_down_is_left_alone_and_tried_by_one_message(self, desk: Desk) -> None:
        desk = replace(desk, bounds=Bounds(rate=10_000, at_once=100, failures=3, pause=60))
        worker = desk.worker()
        desk.meta.by_account["106540352242922"] = httpx.ConnectError("refused")
        contact = new_id()
        await desk.queue(desk.queued("first", contact))
        for _ in range(6):
            await worker.do_due()
            await desk.skip_waiting()
        assert len(desk.meta.taken) == 3, "it was called though it counts as down"
        await desk.queue(*(desk.queued(str(number)) for number in range(10)))
        desk.clock.now += 61
        await worker.do_due()
        assert len(desk.meta.taken) == 4, "more than one tried whether it is back"
        del desk.meta.by_account["106540352242922"]
        desk.clock.now += 61
        while await desk.waiting():
            await desk.skip_waiting()
            await worker.do_due()
        assert len(desk.meta.taken) == 15

    async def test_a_provider_that_has_had_enough_of_an_account_is_left_alone_by_all_of_it(self, desk: Desk) -> None:
        desk.meta.answers.append(refusal(429, 130429, headers={"Retry-After": "120"}))
        await desk.send()
        await desk.send()
        assert len(desk.meta.taken) == 1
        assert 115 < await desk.skip_waiting() <= 121
        desk.clock.now += 121
        await desk.work()
        assert len(desk.meta.taken) == 3

    async def test_what_waits_too_long_for_a_provider_that_is_down_has_failed(self, desk: Desk) -> None:
        desk = replace(desk, bounds=Bounds(rate=10_000, at_once=100, failures=1, pause=60))
        desk.meta.answers.append(httpx.ConnectError("refused"))
        await desk.send()
        event = await desk.send(queued_at=datetime.now(UTC) - timedelta(hours=2))
        assert (await desk.row(event)).error_code == "provider_unreachable"
        assert len(desk.meta.taken) == 1

    async def test_a_broken_channel_holds_up_no_other(self, desk: Desk) -> None:
        desk = replace(desk, bounds=Bounds(rate=10_000, at_once=4, failures=3, pause=60))
        other = await desk.accounts.connect("200000000000042")
        desk.meta.by_account["106540352242922"] = httpx.ReadTimeout("late")
        await desk.queue(*(desk.queued(f"broken {number}") for number in range(40)))
        await desk.queue(*(desk.queued(f"well {number}", channel_id=UUID(other["id"])) for number in range(5)))
        worker = desk.worker()
        for _ in range(3):
            await worker.do_due()
        texts = [taken.text for taken in desk.meta.taken]
        assert len([one for one in texts if one.startswith("broken")]) <= 4
        assert len([one for one in texts if one.startswith("well")]) == 5

    async def test_no_account_is_called_faster_than_its_rate(self, desk: Desk) -> None:
        desk = replace(desk, bounds=Bounds(rate=40, at_once=100, failures=3, pause=60))
        await desk.queue(*(desk.queued(str(number)) for number in range(20)))
        worker = desk.worker()
        await worker.do_due()
        assert len(desk.meta.taken) == 4
        for calls in (8, 12, 16, 20):
            await desk.skip_waiting()
            desk.clock.now += 0.125
            await worker.do_due()
            assert len(desk.meta.taken) == calls
        assert not await desk.waiting()


async def test_a_job_without_its_send_becomes_a_dead_letter(desk: Desk) -> None:
    event = desk.queued()
    await desk.queue(event)
    async with desk.accounts.database.unit_of_work([event.tenant_id]) as uow:
        await uow.session.execute(text("DELETE FROM sends"))
    await desk.work()
    async with desk.accounts.database.unit_of_work([event.tenant_id]) as uow:
        (letter,) = (await uow.session.scalars(select(DeadLetter))).all()
    assert (letter.reason, letter.headers) == ("there is no such send", {"called": False})


CODE = "O seu código é 123456."


@dataclass(frozen=True)
class Counter:
    """Where persons are told something outside of their conversations."""

    desk: Desk

    def notice(self, words: str = CODE, **changes: Any) -> NoticeQueued:
        """What privacy says when a person is to be told something."""
        fields: dict[str, Any] = {
            "tenant_id": self.desk.accounts.tenant_id,
            "notice_id": new_id(),
            "request_id": new_id(),
            "subject_id": new_id(),
            "kind": "proof_code",
            "channel_id": self.desk.channel["id"],
            "channel_kind": "whatsapp",
            "recipient": [MARIA],
            "text": words,
            "queued_at": datetime.now(UTC),
        }
        return NoticeQueued(**fields | changes)

    async def row(self, notice: NoticeQueued) -> Send:
        return await self.desk.row(self.sent_as(notice))

    def sent_as(self, notice: NoticeQueued) -> MessageQueued:
        """The message as which the provider knows a notice."""
        return self.desk.queued(message_id=notice.notice_id)

    async def echo(self, id_: str, words: str = CODE) -> None:
        """The provider tells what was sent from the account."""
        echo = {"from": "551133224455", "to": MARIA.value, "id": id_, "timestamp": "1780324175"}
        value = {
            "metadata": {"phone_number_id": "106540352242922"},
            "message_echoes": [echo | {"type": "text", "text": {"body": words}}],
        }
        change = {"field": "smb_message_echoes", "value": value}
        content = json.dumps({"object": "whatsapp_business_account", "entry": [{"changes": [change]}]}).encode()
        assert (await self.desk.accounts.post(self.desk.channel, content)).status_code == 200

    async def heard(self) -> list[str | None]:
        """What was told to have been written, by whomever."""
        return [one.content.text for one in await self.desk.accounts.said() if isinstance(one, MessageReceived)]


@pytest.fixture
def counter(desk: Desk) -> Counter:
    return Counter(desk)


class TestNotices:
    async def test_a_notice_leaves_once_and_nobody_is_told_what_became_of_it(self, counter: Counter) -> None:
        notice, desk = counter.notice(), counter.desk
        await hear(service, desk.accounts.database, notice, notice)
        assert (await counter.row(notice)).content == {"type": "text", "text": CODE}
        await desk.work()
        await hear(service, desk.accounts.database, notice)
        await desk.work()
        (taken,) = desk.meta.taken
        assert (taken.body["to"], taken.text, taken.reference) == (MARIA.value, CODE, f"{notice.notice_id}:1")
        row = await counter.row(notice)
        assert (row.state, row.conversation_id, row.contact_id) == ("sent", None, notice.subject_id)
        assert (row.content, row.recipient) == (None, None)
        assert await desk.accounts.said() == []

    async def test_a_notice_waits_its_turn_among_a_persons_messages(self, counter: Counter) -> None:
        desk, person = counter.desk, new_id()
        desk.meta.answers.append(refusal(400, 131056))
        await desk.queue(desk.queued("first", person))
        await hear(service, desk.accounts.database, counter.notice("second", subject_id=person))
        await desk.queue(desk.queued("third", person))
        await desk.work()
        await desk.skip_waiting()
        await desk.work()
        assert [taken.text for taken in desk.meta.taken] == ["first", "first", "second", "third"]

    async def test_what_the_provider_tells_of_a_notice_is_kept_and_told_nobody(self, counter: Counter) -> None:
        notice, desk = counter.notice(), counter.desk
        await hear(service, desk.accounts.database, notice)
        await desk.work()
        sent = counter.sent_as(notice)
        await desk.report(status(sent, "read"), status(sent, "delivered", referring=False))
        row = await counter.row(notice)
        assert (row.state, row.provider_message_id) == ("read", id_of(reference(sent)))
        assert len(await desk.accounts.statuses()) == 2
        assert await desk.accounts.said() == []

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"channel_kind": "pigeon"}, "no_such_channel"),
            ({"channel_id": UUID(int=7)}, "no_such_channel"),
            ({"recipient": [Address(kind="e164", value="+5511987654321")]}, "no_address"),
        ],
    )
    async def test_a_notice_that_can_never_be_sent_fails_quietly(
        self, counter: Counter, changes: dict[str, Any], code: str
    ) -> None:
        notice, desk = counter.notice(**changes), counter.desk
        await hear(service, desk.accounts.database, notice)
        await desk.work()
        row = await counter.row(notice)
        assert (row.state, row.error_code, row.content, row.recipient) == ("failed", code, None, None)
        assert await desk.accounts.said() == []
        assert not await desk.waiting()

    async def test_a_notice_whose_outcome_is_not_known_is_not_sent_again(self, counter: Counter) -> None:
        notice, desk = counter.notice(), counter.desk
        desk.meta.answers.append(httpx.ReadTimeout("too slow"))
        await hear(service, desk.accounts.database, notice)
        await desk.work()
        row = await counter.row(notice)
        assert (row.state, row.content, len(desk.meta.taken)) == ("unknown", None, 1)
        assert await desk.accounts.said() == []

    async def test_the_echo_of_a_notice_is_no_message_of_a_conversation(self, counter: Counter) -> None:
        notice, desk = counter.notice(), counter.desk
        await hear(service, desk.accounts.database, notice)
        await counter.echo("wamid.before-the-answer")
        await desk.work()
        await counter.echo(id_of(reference(counter.sent_as(notice))))
        assert await counter.heard() == []
        assert [(row.state, row.body) for row in await desk.accounts.raw_events()] == [("kept", b"{}")] * 2

    async def test_the_echo_of_a_notice_whose_outcome_is_not_known_is_none_either(self, counter: Counter) -> None:
        notice, desk = counter.notice(), counter.desk
        desk.meta.answers.append(httpx.ReadTimeout("too slow"))
        await hear(service, desk.accounts.database, notice)
        await desk.work()
        await counter.echo("wamid.never-told")
        assert (await counter.row(notice)).state == "unknown"
        assert await counter.heard() == []
        assert [(row.state, row.body) for row in await desk.accounts.raw_events()] == [("kept", b"{}")]

    async def test_what_says_the_same_long_after_a_notice_is_no_echo_of_it(self, counter: Counter) -> None:
        notice, desk = counter.notice(), counter.desk
        desk.meta.answers.append(httpx.ReadTimeout("too slow"))
        await hear(service, desk.accounts.database, notice)
        await desk.work()
        async with desk.accounts.database.unit_of_work([notice.tenant_id]) as uow:
            await uow.session.execute(update(Send).values(changed_at=uow.now - ECHOED_WITHIN))
        await counter.echo("wamid.much-later")
        assert await counter.heard() == [CODE]

    async def test_what_was_written_in_another_app_is_told_though_a_notice_is_on_its_way(
        self, counter: Counter
    ) -> None:
        await hear(service, counter.desk.accounts.database, counter.notice())
        await counter.echo("wamid.by-hand", "Bom dia!")
        await counter.desk.work()
        await counter.echo("wamid.copied", CODE)
        assert await counter.heard() == ["Bom dia!", CODE]

    async def test_no_log_holds_what_a_notice_says(self, counter: Counter, capsys: pytest.CaptureFixture[str]) -> None:
        desk = counter.desk
        desk.meta.answers.extend([httpx.ReadTimeout("too slow"), refusal(400, 100), httpx.ConnectError("away")])
        await hear(service, desk.accounts.database, *(counter.notice() for _ in range(3)))
        await desk.work()
        told = capsys.readouterr()
        assert not {"123456", MARIA.value} & set(re.findall(r"\d+", told.out + told.err))
