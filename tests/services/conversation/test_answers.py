"""Answers: each takes its number, waits to be sent, and shows what became of it, never backwards and never twice."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any, TypeVar
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError

from services.conversation import handlers
from services.conversation.app import service
from services.conversation.domain import MessageStatus, in_order_of_use, settles
from services.conversation.handlers import AppendEcho
from services.conversation.handlers.arrivals import ECHO_WAITS
from services.conversation.models import ContactAddress
from shared.db import Database, is_conflict
from shared.events import Event
from shared.events.conversation import MessageAdded, MessageQueued, MessageStatusChanged
from shared.events.ingest import (
    Address,
    AddressChanged,
    Content,
    DeliveryChanged,
    FromChannel,
    MessageReceived,
    MessageRevoked,
    ReactionChanged,
)
from shared.events.routing import AutoReplyDecided
from shared.ids import new_id
from shared.jobs import Worker
from tests.support.events import NOON, message_received
from tests.support.hearing import hear
from tests.support.outbox import said
from tests.support.serving import Served

E = TypeVar("E", bound=Event)

PHONE, OTHER_PHONE = Address(kind="wa_phone", value="5511987654321"), Address(kind="wa_phone", value="351912345678")
BSUID = Address(kind="wa_bsuid", value="BR.1a2b")


class Counter:
    """One conversation of one contact, with an agent who answers in it."""

    def __init__(self, agent: httpx.AsyncClient, database: Database, shown: dict[str, Any]) -> None:
        self.agent = agent
        self.database = database
        self.shown = shown
        self.path = f"/conversations/{shown['id']}"

    async def answer(self, text: str = "Bom dia!", **fields: Any) -> httpx.Response:
        return await self.agent.post(f"{self.path}/messages", json={"text": text, **fields})

    async def answered(self, text: str = "Bom dia!", **fields: Any) -> dict[str, Any]:
        answer = await self.answer(text, **fields)
        assert answer.status_code == 201
        shown: dict[str, Any] = answer.json()
        return shown

    async def send_again(self, message: dict[str, Any]) -> httpx.Response:
        return await self.agent.post(f"{self.path}/messages/{message['id']}/attempts")

    async def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.agent.get(f"{self.path}/messages")).json()["items"]
        return found

    async def message(self, message: dict[str, Any]) -> dict[str, Any]:
        (found,) = [one for one in await self.messages() if one["id"] == message["id"]]
        return found

    def delivery(self, message: dict[str, Any], state: str, *, attempt: int = 1, **fields: Any) -> DeliveryChanged:
        whose = {name: self.shown[name] for name in ("contact_id", "channel_id")}
        told = {"attempt": attempt, "state": state, "occurred_at": NOON, **fields}
        return DeliveryChanged(
            tenant_id=self._tenant_id, conversation_id=self.shown["id"], message_id=message["id"], **whose, **told
        )

    def auto_reply(self, reply_id: UUID | None = None, text: str = "Já lhe respondemos.") -> AutoReplyDecided:
        return AutoReplyDecided(
            tenant_id=self._tenant_id,
            conversation_id=self.shown["id"],
            contact_id=self.shown["contact_id"],
            channel_id=self.shown["channel_id"],
            reply_id=reply_id or new_id(),
            kind="greeting",
            text=text,
            decided_at=NOON,
        )

    async def hear(self, *events: Event) -> None:
        await hear(service, self.database, *events)

    async def said(self, kind: type[E]) -> list[E]:
        return [event for event in await said(self.database, self._tenant_id) if isinstance(event, kind)]

    @property
    def _tenant_id(self) -> UUID:
        # As in the events that ingest is made to say here.
        return UUID(int=UUID(self.shown["channel_id"]).int ^ 1)


@pytest.fixture
async def counter(agent: httpx.AsyncClient, database: Database, tenant_id: UUID) -> Counter:
    return await begun(agent, database, message_received(tenant_id))


async def begun(agent: httpx.AsyncClient, database: Database, *messages: MessageReceived) -> Counter:
    await hear(service, database, *messages)
    (shown,) = (await agent.get("/conversations")).json()["items"]
    return Counter(agent, database, shown)


def about(message: MessageReceived) -> dict[str, Any]:
    return {name: getattr(message, name) for name in FromChannel.model_fields}


async def test_an_answer_takes_its_number_and_waits_to_be_sent(counter: Counter) -> None:
    shown = await counter.answered("Bom dia!")
    assert {name: shown[name] for name in ("seq", "direction", "status", "attempt", "text", "author")} == {
        "seq": 2,
        "direction": "outbound",
        "status": "queued",
        "attempt": 1,
        "text": "Bom dia!",
        "author": {"kind": "agent", "id": "caller"},
    }
    assert await counter.message(shown) == shown
    (queued,) = await counter.said(MessageQueued)
    assert (str(queued.message_id), queued.attempt, queued.content) == (
        shown["id"],
        1,
        Content(type="text", text="Bom dia!"),
    )
    assert (queued.recipient, queued.reply_to) == ([PHONE], None)
    added = (await counter.said(MessageAdded))[-1]
    assert (added.seq, added.direction, added.author_kind, added.author_id) == (2, "outbound", "agent", "caller")


async def test_an_answer_leaves_version_and_status_and_tells_of_a_change(counter: Counter) -> None:
    await counter.agent.patch(counter.path, json={"status": "pending"})
    before = await counter.agent.get(counter.path)
    await counter.answered()
    after = await counter.agent.get(counter.path)
    assert (after.headers["etag"], after.json()["status"]) == (before.headers["etag"], "pending")
    assert (after.json()["message_count"], after.json()["updated_at"] > before.json()["updated_at"]) == (2, True)


async def test_what_a_contact_wrote_is_his_and_has_no_status(counter: Counter) -> None:
    (shown,) = await counter.messages()
    assert (shown["author"], shown["status"], shown["attempt"]) == ({"kind": "contact", "id": None}, None, None)
    (added,) = await counter.said(MessageAdded)
    assert (added.author_kind, added.author_id) == ("contact", None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/text"),
        ({"text": ""}, "/text"),
        ({"text": " \n\t"}, "/text"),
        ({"text": None}, "/text"),
        ({"text": "x" * 4097}, "/text"),
        ({"text": "a\x00b"}, "/text"),
        ({"text": "a", "attachments": []}, "/attachments"),
        ({"text": "a", "template": {}}, "/template"),
        ({"text": "a", "reply_to": "no id"}, "/reply_to"),
        ({"text": "a", "reply_to": str(new_id())}, "/reply_to"),
    ],
)
async def test_an_answer_that_cannot_be_is_refused_with_a_pointer(
    counter: Counter, body: dict[str, Any], pointer: str
) -> None:
    answer = await counter.agent.post(f"{counter.path}/messages", json=body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert len(await counter.messages()) == 1


async def test_each_channel_has_its_own_longest_text(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    visitor = [Address(kind="visitor", value="v-1")]
    counter = await begun(agent, database, message_received(tenant_id, channel_kind="web_chat", sender=visitor))
    assert (await counter.answer("x" * 20_000)).status_code == 201
    assert (await counter.answer("x" * 20_001)).status_code == 422


async def test_nothing_is_said_in_a_resolved_conversation(counter: Counter) -> None:
    message = await counter.answered()
    await counter.hear(counter.delivery(message, "failed"))
    await counter.agent.patch(counter.path, json={"status": "resolved"})
    for refused in (await counter.answer(), await counter.send_again(message)):
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conversation-resolved")


async def test_nothing_is_said_to_a_contact_without_an_address(counter: Counter, tenant_id: UUID) -> None:
    async with counter.database.unit_of_work([tenant_id]) as uow:
        await uow.session.execute(delete(ContactAddress).where(ContactAddress.tenant_id == tenant_id))
    refused = await counter.answer()
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/no-address")
    await counter.hear(counter.auto_reply())
    assert len(await counter.messages()) == 1


async def test_others_cannot_answer(served: Served, counter: Counter, tenant_id: UUID) -> None:
    path = f"{counter.path}/messages"
    message = await counter.answered()
    stranger = served.caller(new_id())
    assert (await stranger.post(path, json={"text": "a"})).status_code == 404
    assert (await stranger.post(f"{path}/{message['id']}/attempts")).status_code == 404
    assert (await counter.send_again({"id": new_id()})).status_code == 404
    reader = served.caller(tenant_id, {"conversations:read"})
    assert (await reader.post(path, json={"text": "a"})).status_code == 403
    assert (await reader.post(f"{path}/{message['id']}/attempts")).status_code == 403


async def test_a_repeated_request_answers_once(counter: Counter) -> None:
    path, headers = f"{counter.path}/messages", {"Idempotency-Key": "k"}
    first, again = [await counter.agent.post(path, json={"text": "a"}, headers=headers) for _ in range(2)]
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert len(await counter.messages()) == 2
    assert len(await counter.said(MessageQueued)) == 1


async def test_an_answer_quotes_by_the_providers_id(counter: Counter) -> None:
    (theirs,) = await counter.messages()
    ours = await counter.answered(reply_to=theirs["id"])
    assert (ours["reply_to"], (await counter.said(MessageQueued))[-1].reply_to) == (theirs["provider_message_id"],) * 2
    early = await counter.answer(reply_to=ours["id"])
    assert (early.status_code, early.json()["errors"][0]["pointer"]) == (422, "/reply_to")
    await counter.hear(counter.delivery(ours, "sent", provider_message_id="wamid.ours"))
    assert (await counter.answered(reply_to=ours["id"]))["reply_to"] == "wamid.ours"


async def test_a_message_of_another_conversation_is_not_quoted(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await hear(service, database, message_received(tenant_id, "a"), message_received(tenant_id, "b"))
    one, other = [Counter(agent, database, shown) for shown in (await agent.get("/conversations")).json()["items"]]
    (theirs,) = await other.messages()
    assert (await one.answer(reply_to=theirs["id"])).status_code == 422


async def test_an_answer_goes_first_to_where_the_contact_wrote_from_last(
    agent: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    both = message_received(tenant_id, sender=[BSUID, PHONE], sender_ref="ref-bsuid")
    counter = await begun(agent, database, both)
    await counter.answered()
    await counter.hear(message_received(tenant_id, number=1, sender=[PHONE], sender_ref="ref-phone"))
    await counter.answered()
    assert [queued.recipient for queued in await counter.said(MessageQueued)] == [[BSUID, PHONE], [PHONE, BSUID]]


async def test_an_answer_follows_a_contact_to_his_new_number(counter: Counter, tenant_id: UUID) -> None:
    await counter.hear(AddressChanged(**about(message_received(tenant_id)), new_addresses=[OTHER_PHONE]))
    await counter.answered()
    await counter.hear(message_received(tenant_id, number=1))
    await counter.answered()
    assert [queued.recipient for queued in await counter.said(MessageQueued)] == [
        [OTHER_PHONE, PHONE],
        [PHONE, OTHER_PHONE],
    ]


def test_addresses_that_were_never_used_keep_their_order() -> None:
    assert in_order_of_use([OTHER_PHONE, PHONE, BSUID], []) == [OTHER_PHONE, PHONE, BSUID]
    assert in_order_of_use([OTHER_PHONE, PHONE, BSUID], [BSUID, Address(kind="wa_phone", value="gone")])[0] == BSUID


STORY = ("sent", "delivered", "read")


@pytest.mark.parametrize("order", list(permutations(STORY)))
@pytest.mark.parametrize("together", [True, False])
async def test_in_whatever_order_the_word_comes_a_message_is_read_and_never_less(
    counter: Counter, order: Sequence[str], *, together: bool
) -> None:
    message = await counter.answered()
    events = [counter.delivery(message, state, provider_message_id="wamid.ours") for state in order]
    for batch in [events] if together else [[event] for event in events]:
        await counter.hear(*batch)
    assert (await counter.message(message))["status"] == "read"
    told = [STORY.index(event.status) for event in await counter.said(MessageStatusChanged)]
    assert told == sorted(set(told))
    assert told[-1] == 2


@pytest.mark.parametrize(
    ("status", "told", "settled"),
    [
        ("queued", "unknown", True),
        ("queued", "failed", True),
        ("unknown", "sent", True),
        ("unknown", "failed", True),
        ("sent", "sent", False),
        ("sent", "unknown", False),
        ("sent", "failed", True),
        ("failed", "sent", False),
        ("failed", "unknown", False),
        ("failed", "delivered", True),
        ("delivered", "failed", False),
        ("read", "delivered", False),
        ("sent", "queued", False),
        ("sent", "a state of tomorrow", False),
    ],
)
def test_what_is_told_of_an_attempt_counts_where_it_is_more_than_is_known(
    status: str, told: str, *, settled: bool
) -> None:
    assert settles(status, 1, told=told, of_attempt=1) is settled


@pytest.mark.parametrize("most", MessageStatus)
def test_of_all_that_is_told_the_most_holds_whatever_the_order(most: MessageStatus) -> None:
    words = list(MessageStatus)[: list(MessageStatus).index(most) + 1]
    for order in permutations(words):
        status: str = MessageStatus.QUEUED
        for told in order:
            status = told if settles(status, 1, told=told, of_attempt=1) else status
        assert status == most


@pytest.mark.parametrize(
    ("told", "settled"), [("sent", False), ("failed", False), ("unknown", False), ("delivered", True), ("read", True)]
)
def test_of_an_earlier_attempt_only_the_proof_counts(told: str, *, settled: bool) -> None:
    assert settles("queued", 2, told=told, of_attempt=1) is settled


async def test_a_failure_is_shown_with_its_reason(counter: Counter) -> None:
    message = await counter.answered()
    moment = NOON + timedelta(seconds=5)
    failed = counter.delivery(message, "failed", error_code="131047", error_title="Too late", occurred_at=moment)
    await counter.hear(failed, failed)
    shown = await counter.message(message)
    assert (shown["status"], shown["error_code"], shown["error_title"]) == ("failed", "131047", "Too late")
    assert shown["status_at"] == "2026-11-20T12:00:05Z"
    (told,) = await counter.said(MessageStatusChanged)
    assert (told.status, told.error_code, told.changed_at) == ("failed", "131047", moment)


@pytest.mark.parametrize("state", ["failed", "unknown"])
async def test_what_failed_or_is_not_known_is_sent_again(counter: Counter, state: str) -> None:
    (theirs,) = await counter.messages()
    message = await counter.answered("Bom dia!", reply_to=theirs["id"])
    await counter.hear(counter.delivery(message, state, error_code="1"))
    again = await counter.send_again(message)
    assert (again.status_code, again.json()["status"], again.json()["attempt"]) == (201, "queued", 2)
    assert (again.json()["error_code"], again.json()["seq"]) == (None, message["seq"])
    first, second = await counter.said(MessageQueued)
    assert (second.attempt, second.content, second.reply_to) == (2, first.content, first.reply_to)
    await counter.hear(counter.delivery(message, "failed", attempt=1))
    assert (await counter.message(message))["status"] == "queued"
    await counter.hear(counter.delivery(message, "sent", attempt=2))
    assert (await counter.message(message))["status"] == "sent"


@pytest.mark.parametrize("state", [None, "sent", "delivered", "read"])
async def test_what_is_on_its_way_or_there_is_not_sent_again(counter: Counter, state: str | None) -> None:
    message = await counter.answered()
    if state is not None:
        await counter.hear(counter.delivery(message, state))
    refused = await counter.send_again(message)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-to-be-sent-again")


async def test_what_the_contact_wrote_is_not_sent_again(counter: Counter) -> None:
    (theirs,) = await counter.messages()
    assert (await counter.send_again(theirs)).json()["type"] == "/problems/not-to-be-sent-again"


async def test_of_two_who_send_again_at_once_one_does(counter: Counter) -> None:
    message = await counter.answered()
    await counter.hear(counter.delivery(message, "unknown"))
    answers = await asyncio.gather(*(counter.send_again(message) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert [queued.attempt for queued in await counter.said(MessageQueued)] == [1, 2]


async def test_the_proof_of_an_earlier_attempt_settles_a_message_that_was_sent_again(counter: Counter) -> None:
    message = await counter.answered()
    await counter.hear(counter.delivery(message, "unknown"))
    await counter.send_again(message)
    await counter.hear(
        counter.delivery(message, "sent", attempt=2, provider_message_id="wamid.second"),
        counter.delivery(message, "delivered", attempt=1, provider_message_id="wamid.first"),
    )
    shown = await counter.message(message)
    assert (shown["status"], shown["provider_message_id"]) == ("delivered", "wamid.second")


async def test_what_becomes_of_a_message_that_is_not_here_or_not_ours_changes_nothing(counter: Counter) -> None:
    (theirs,) = await counter.messages()
    await counter.hear(counter.delivery({"id": new_id()}, "sent"), counter.delivery(theirs, "read"))
    assert await counter.messages() == [theirs]


async def test_a_reaction_and_a_revocation_find_our_message_whenever_they_come(
    counter: Counter, tenant_id: UUID
) -> None:
    ours = about(message_received(tenant_id)) | {"provider_message_id": "wamid.ours"}
    message = await counter.answered()
    await counter.hear(ReactionChanged(**ours, emoji="👍"))
    await counter.hear(counter.delivery(message, "sent", provider_message_id="wamid.ours"))
    assert (await counter.message(message))["reactions"] == ["👍"]
    later = await counter.answered()
    await counter.hear(MessageRevoked(**ours | {"provider_message_id": "wamid.later"}))
    await counter.hear(counter.delivery(later, "sent", provider_message_id="wamid.later"))
    assert (await counter.message(later))["type"] == "revoked"


def echo(tenant_id: UUID, provider_message_id: str = "wamid.ours") -> MessageReceived:
    return message_received(tenant_id, number=7, direction="outbound", provider_message_id=provider_message_id)


async def after_waiting(counter: Counter, held: MessageReceived) -> None:
    """What the job does that lets an echo wait."""
    async with counter.database.unit_of_work([held.tenant_id], now=NOON) as uow:
        await handlers.append_held_echo(AppendEcho(tenant_id=held.tenant_id, event_id=held.envelope.id), uow)


async def test_an_echo_after_our_message_has_its_id_is_that_message(counter: Counter, tenant_id: UUID) -> None:
    message = await counter.answered()
    await counter.hear(counter.delivery(message, "sent", provider_message_id="wamid.ours"))
    await counter.hear(echo(tenant_id))
    assert [one["seq"] for one in await counter.messages()] == [1, 2]


async def test_an_echo_before_our_message_has_its_id_waits_and_is_that_message(
    counter: Counter, tenant_id: UUID
) -> None:
    message, early = await counter.answered(), echo(tenant_id)
    await counter.hear(early, message_received(tenant_id, number=8))
    assert len(await counter.messages()) == 3
    await counter.hear(counter.delivery(message, "sent", provider_message_id="wamid.ours"))
    await after_waiting(counter, early)
    assert sorted(one["seq"] for one in await counter.messages()) == [1, 2, 3]
    assert (await counter.answered())["seq"] == 4


async def test_what_was_written_in_another_app_meanwhile_is_shown_after_waiting(
    counter: Counter, tenant_id: UUID
) -> None:
    message, other = await counter.answered(), echo(tenant_id, "wamid.other")
    await counter.hear(other)
    await counter.hear(counter.delivery(message, "sent", provider_message_id="wamid.ours"))
    for _ in range(2):
        await after_waiting(counter, other)
    shown = {one["provider_message_id"]: one for one in await counter.messages()}
    assert (shown["wamid.other"]["seq"], shown["wamid.other"]["author"], shown["wamid.other"]["status"]) == (
        3,
        None,
        None,
    )


async def test_an_echo_waits_half_a_minute_and_is_then_shown_by_itself(counter: Counter, tenant_id: UUID) -> None:
    await counter.answered()
    worker = Worker(service.does, counter.database)
    for waited, shown in [(ECHO_WAITS, 3), (timedelta(0), 3)]:
        other = echo(tenant_id, f"wamid.{waited}")
        await hear(service, counter.database, other, now=datetime.now(UTC) - waited)
        while await worker.do_due():
            pass
        assert len(await counter.messages()) == shown


async def test_an_echo_waits_for_nothing_where_nothing_is_on_its_way(counter: Counter, tenant_id: UUID) -> None:
    message = await counter.answered()
    await counter.hear(counter.delivery(message, "sent", provider_message_id="wamid.ours"))
    await counter.hear(echo(tenant_id, "wamid.other"))
    assert sorted(one["seq"] for one in await counter.messages()) == [1, 2, 3]


async def test_an_echo_that_waited_in_vain_is_shown_no_more_when_it_turns_out_to_be_ours(
    counter: Counter, tenant_id: UUID
) -> None:
    message, early = await counter.answered(), echo(tenant_id)
    await counter.hear(early)
    await after_waiting(counter, early)
    assert len(await counter.messages()) == 3
    await counter.hear(counter.delivery(message, "delivered", provider_message_id="wamid.ours"))
    assert sorted(one["seq"] for one in await counter.messages()) == [1, 2]
    assert (await counter.message(message))["provider_message_id"] == "wamid.ours"


async def test_a_provider_that_gives_two_messages_one_id_stops_nothing(counter: Counter) -> None:
    first, second = await counter.answered(), await counter.answered()
    for message in (first, second):
        await counter.hear(counter.delivery(message, "sent", provider_message_id="wamid.same"))
    assert [(await counter.message(message))["provider_message_id"] for message in (first, second)] == [
        None,
        "wamid.same",
    ]


async def test_an_automatic_reply_is_said_once_whatever_is_repeated(counter: Counter) -> None:
    reply_id = new_id()
    await counter.hear(counter.auto_reply(reply_id), counter.auto_reply(reply_id))
    await counter.hear(counter.auto_reply(reply_id))
    (shown,) = [one for one in await counter.messages() if one["direction"] == "outbound"]
    assert (shown["id"], shown["author"], shown["status"], shown["seq"]) == (
        str(reply_id),
        {"kind": "system", "id": None},
        "queued",
        2,
    )
    (queued,) = await counter.said(MessageQueued)
    assert (queued.message_id, queued.recipient, queued.content.text) == (reply_id, [PHONE], "Já lhe respondemos.")
    added = (await counter.said(MessageAdded))[-1]
    assert (added.author_kind, added.author_id) == ("system", None)


async def test_several_automatic_replies_in_one_batch_take_their_numbers_in_order(counter: Counter) -> None:
    await counter.hear(*(counter.auto_reply(text=text) for text in ("one", "two", "three")))
    assert [(one["seq"], one["text"]) for one in await counter.messages() if one["direction"] == "outbound"] == [
        (2, "one"),
        (3, "two"),
        (4, "three"),
    ]


async def test_nothing_is_said_by_itself_once_the_conversation_is_resolved(counter: Counter) -> None:
    await counter.agent.patch(counter.path, json={"status": "resolved"})
    await counter.hear(counter.auto_reply())
    assert len(await counter.messages()) == 1


async def test_eight_agents_answer_while_the_customer_writes_and_each_number_is_given_once(
    counter: Counter, tenant_id: UUID
) -> None:
    async def answer(text: str) -> None:
        path, key = f"{counter.path}/messages", {"Idempotency-Key": text}
        # On a busy machine whoever waits too long for his turn is asked to come again.
        while (await counter.agent.post(path, json={"text": text}, headers=key)).status_code == 503:
            pass

    async def write(numbers: range) -> None:
        try:
            await counter.hear(*(message_received(tenant_id, number=number) for number in numbers))
        except DBAPIError as busy:
            if not is_conflict(busy):
                raise
            await write(numbers)

    async def talk(agent: int) -> None:
        for turn in range(2):
            await answer(f"agent {agent}.{turn}")

    async def arrive() -> None:
        for first in range(1, 13, 3):
            await write(range(first, first + 3))

    await asyncio.gather(*(talk(agent) for agent in range(8)), arrive())
    shown = await counter.messages()
    texts = [f"agent {agent}.{turn}" for agent in range(8) for turn in range(2)]
    assert sorted(one["text"] for one in shown) == sorted(texts + [f"text {number}" for number in range(13)])
    assert sorted(one["seq"] for one in shown) == list(range(1, 30))
    assert [event.seq for event in await counter.said(MessageAdded)] == list(range(1, 30))
    assert len(await counter.said(MessageQueued)) == 16
