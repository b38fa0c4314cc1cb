"""Web chat: what a visitor writes is kept and told once, what is written to him reaches him, and only him."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text as sql

from services.ingest.app import service
from services.ingest.channels.web_chat import SESSION_LIFE, VisitorToken
from services.ingest.handlers.chat_streams import PAGES
from services.ingest.settings import Settings
from shared.db import Database
from shared.events.conversation import MessageQueued
from shared.events.ingest import Address, Content, DeliveryChanged, MessageReceived
from shared.events.privacy import NoticeQueued
from shared.ids import new_id
from tests.support.events import NOON
from tests.support.hearing import hear
from tests.support.machine import BrokerAddress, Machine
from tests.support.outbox import said
from tests.support.server import administering, away, open_transactions
from tests.support.serving import Served, serving
from tests.support.waiting import until

ORIGIN = "https://loja.example"
SECONDS = 10


def web_chat(**settings: Any) -> dict[str, Any]:
    """The body that opens a web chat."""
    return {"kind": "web_chat", "name": "Chat da loja", "settings": {"title": "Fale com a loja"} | settings}


async def insist(ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """The answer, asked for again for as long as it is "not just now": whoever waits too long for a lock is told so."""
    return await until(ask, lambda answer: answer.status_code != 503)


@dataclass
class Page:
    """A page that listens, given what comes by the server itself and not by a client that waits for the end."""

    status: int = 0
    parts: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    task: "asyncio.Task[None] | None" = None

    async def part(self) -> str:
        """What comes next, as it comes."""
        async with asyncio.timeout(SECONDS):
            return await self.parts.get()

    async def events(self, count: int) -> list[dict[str, Any]]:
        """The next events: `{id, event, data}`."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            found += [event for block in (await self.part()).split("\n\n") if (event := _read(block))]
        assert len(found) == count
        return found

    async def is_ended(self) -> bool:
        assert self.task is not None
        await asyncio.wait([self.task], timeout=SECONDS)
        return self.task.done()


def _read(block: str) -> dict[str, Any] | None:
    lines = dict(line.split(": ", 1) for line in block.splitlines())
    if "data" not in lines:
        return None
    return {"id": int(lines["id"]), "event": lines["event"], "data": json.loads(lines["data"])}


@dataclass(frozen=True)
class Visitor:
    """Somebody who chats from a page."""

    served: Served
    tenant_id: UUID
    channel_id: UUID
    id: UUID
    token: str
    client: httpx.AsyncClient

    async def write(
        self, text: str = "oi", name: UUID | None = None, *, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        body = {"text": text, "client_message_id": str(name or new_id())}
        return await self.client.post(f"{self.path}/messages", json=body, headers=headers)

    async def messages(self, **query: Any) -> list[dict[str, Any]]:
        answer = await insist(lambda: self.client.get(f"{self.path}/messages", params=query))
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    @property
    def path(self) -> str:
        return f"/public/chat/sessions/{self.id}"

    @asynccontextmanager
    async def listening(self, after: int | None = None, *, served: Served | None = None) -> AsyncIterator[Page]:
        headers = dict(self.client.headers) | ({} if after is None else {"last-event-id": str(after)})
        page, gone = Page(), asyncio.Event()
        scope = {
            "type": "http", "http_version": "1.1", "method": "GET", "path": f"{self.path}/events", "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await gone.wait()
                return {"type": "http.disconnect"}
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                page.status = message["status"]
            elif message.get("body"):
                page.parts.put_nowait(message["body"].decode())

        app: Any = (served or self.served).transport.app
        page.task = asyncio.create_task(app(scope, receive, send))
        assert await page.part()
        try:
            yield page
        finally:
            gone.set()
            await asyncio.wait_for(page.task, SECONDS)


@dataclass(frozen=True)
class Shop:
    """A tenant with web chats."""

    served: Served
    database: Database
    tenant_id: UUID

    async def open(self, **settings: Any) -> UUID:
        answer = await self.served.caller(self.tenant_id).post("/channels", json=web_chat(**settings))
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    def passer_by(self, address: str | None = None) -> httpx.AsyncClient:
        """Somebody from an address, as the gateway passes him on."""
        return self.served.caller(UUID(int=0), ["public"], name=f"public|{address or self.tenant_id}")

    async def come(self, channel_id: UUID | None = None, **told: Any) -> Visitor:
        channel_id = channel_id or await self.open()
        client = self.passer_by()
        answer = await client.post(f"/public/chat/{channel_id}/sessions", json=told)
        assert answer.status_code == 201, answer.text
        client.headers["X-Visitor-Token"] = answer.json()["token"]
        session_id = UUID(answer.json()["id"])
        return Visitor(self.served, self.tenant_id, channel_id, session_id, answer.json()["token"], client)

    async def answer(self, visitor: Visitor, *texts: str, **changes: Any) -> list[MessageQueued]:
        """An agent's answers, heard by another process than the one that serves."""
        queued = [to_visitor(visitor, text, **changes) for text in texts]
        await hear(service, self.database, *queued)
        return queued

    async def said(self, kind: type[Any]) -> list[Any]:
        return [event for event in await said(self.database, self.tenant_id) if isinstance(event, kind)]

    async def outcomes(self) -> list[tuple[UUID, str]]:
        return [(event.message_id, event.state) for event in await self.said(DeliveryChanged)]

    async def change(self, statement: str, **values: Any) -> None:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            await uow.session.execute(sql(statement), values)


def to_visitor(visitor: Visitor, text: str = "olá", **changes: Any) -> MessageQueued:
    """A message to a visitor as conversation queues it."""
    fields: dict[str, Any] = {
        "tenant_id": visitor.tenant_id,
        "conversation_id": UUID(int=visitor.id.int ^ 1),
        "contact_id": UUID(int=visitor.id.int ^ 2),
        "channel_id": visitor.channel_id,
        "channel_kind": "web_chat",
        "message_id": new_id(),
        "attempt": 1,
        "recipient": [Address(kind="visitor", value=str(visitor.id))],
        "content": Content(type="text", text=text),
        "queued_at": NOON,
    }
    return MessageQueued(**fields | changes)


@pytest.fixture
def shop(served: Served, database: Database, tenant_id: UUID) -> Shop:
    return Shop(served, database, tenant_id)


async def test_a_whole_visit(shop: Shop) -> None:
    fields = [{"key": "order_number", "label": "Número do pedido", "required": True}]
    channel_id = await shop.open(allowed_origins=[ORIGIN], pre_chat_fields=fields)
    shown = await shop.passer_by().get(f"/public/chat/{channel_id}", headers={"Origin": ORIGIN})
    assert shown.json() == {"channel_id": str(channel_id), "title": "Fale com a loja", "pre_chat_fields": fields}
    told = {"name": "Maria", "email": "maria@example.com", "pre_chat": {"order_number": "12"}, "locale": "pt-BR"}
    visitor = await shop.come(channel_id, **told)
    async with visitor.listening() as page:
        written = (await visitor.write("Onde está o meu pedido?")).json()
        [answered] = await shop.answer(visitor, "Já vou ver")
        mine, theirs = await page.events(2)
        assert (mine["event"], mine["data"]) == ("message", written)
        assert [mine["id"], theirs["id"]] == [mine["data"]["seq"], theirs["data"]["seq"]]
        assert (theirs["data"]["text"], theirs["data"]["status"]) == ("Já vou ver", "sent")
        read = await visitor.client.put(f"{visitor.path}/read", json={"message_id": theirs["data"]["id"]})
        assert read.status_code == 204
        [news] = await page.events(1)
        assert (news["event"], news["data"]["id"], news["data"]["status"]) == ("status", theirs["data"]["id"], "read")
    assert [one["status"] for one in await visitor.messages()] == ["sent", "read"]
    assert (await shop.outcomes())[-1] == (answered.message_id, "read")

    [event] = await shop.said(MessageReceived)
    assert (event.channel_id, event.channel_kind, event.provider_message_id) == (channel_id, "web_chat", written["id"])
    assert event.sender == [Address(kind="visitor", value=str(visitor.id))]
    assert (event.sender_name, event.content, event.opens_window) == (
        "Maria",
        Content(type="text", text="Onde está o meu pedido?"),
        True,
    )
    assert str(visitor.id) not in event.key
    staff = shop.served.caller(shop.tenant_id)
    seen = (await staff.get(f"/chat-sessions/{visitor.id}")).json()
    assert {name: seen[name] for name in told} == told
    assert (await shop.served.caller(new_id()).get(f"/chat-sessions/{visitor.id}")).status_code == 404


class TestChannels:
    async def test_a_web_chat_has_no_provider_and_can_be_changed(self, shop: Shop) -> None:
        admin = shop.served.caller(shop.tenant_id)
        opened = (await admin.post("/channels", json=web_chat(allowed_origins=["https://LOJA.example"]))).json()
        assert opened["webhook_url"] is None
        assert opened["settings"]["allowed_origins"] == [ORIGIN]
        assert (await admin.post("/channels", json=web_chat())).status_code == 201, "a tenant has as many as it likes"
        path = f"/channels/{opened['id']}"
        changed = await admin.patch(path, json={"settings": {"title": "Balcão"}})
        assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
        assert changed.json()["settings"] == {"title": "Balcão", "allowed_origins": [], "pre_chat_fields": []}

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            (web_chat(title=""), "/settings/title"),
            (web_chat(phone_number_id="1"), "/settings/phone_number_id"),
            (web_chat(allowed_origins=["loja.example"]), "/settings/allowed_origins/0"),
            (web_chat(allowed_origins=["https://loja.example/chat"]), "/settings/allowed_origins/0"),
            (web_chat(pre_chat_fields=[{"key": "a", "label": "A"}] * 2), "/settings/pre_chat_fields"),
            (web_chat() | {"credentials": {"app_secret": "12345678", "verify_token": "12345678"}}, "/credentials"),
            (web_chat() | {"kind": "whatsapp", "settings": {"phone_number_id": "106540352242922"}}, "/credentials"),
        ],
    )
    async def test_one_that_cannot_be_is_refused_with_a_pointer(
        self, shop: Shop, body: dict[str, Any], pointer: str
    ) -> None:
        answer = await shop.served.caller(shop.tenant_id).post("/channels", json=body)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    async def test_what_belongs_to_other_kinds_is_not_changed(self, shop: Shop) -> None:
        admin = shop.served.caller(shop.tenant_id)
        secrets = {"app_secret": "12345678", "verify_token": "12345678"}
        answer = await admin.patch(f"/channels/{await shop.open()}", json={"credentials": secrets})
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/credentials"]

    async def test_nobody_posts_webhooks_to_it(self, shop: Shop) -> None:
        assert (await shop.served.stranger.post(f"/webhooks/web_chat/{await shop.open()}")).status_code == 404


class TestBeginning:
    async def test_a_token_is_shown_once_and_stored_nowhere(self, shop: Shop) -> None:
        visitor = await shop.come()
        token = VisitorToken.parse(visitor.token)
        assert token is not None
        async with shop.database.unit_of_work([shop.tenant_id]) as uow:
            row = (await uow.session.execute(sql("SELECT * FROM chat_sessions"))).one()
        assert row.token_digest == token.digest
        assert token.secret not in str(row).encode()
        told = await shop.served.caller(shop.tenant_id).get(f"/chat-sessions/{visitor.id}")
        assert visitor.token not in told.text + (await visitor.client.get(f"{visitor.path}/messages")).text

    @pytest.mark.parametrize(
        ("told", "pointer"),
        [
            ({}, "/pre_chat/order"),
            ({"pre_chat": {"order": ""}}, "/pre_chat/order"),
            ({"pre_chat": {"order": "1", "shoe_size": "40"}}, "/pre_chat/shoe_size"),
            ({"pre_chat": {"order": "1" * 1001}}, "/pre_chat/order"),
            ({"pre_chat": {"order": "1"}, "email": "maria"}, "/email"),
            ({"pre_chat": {"order": "1"}, "locale": "pt_BR"}, "/locale"),
            ({"pre_chat": {"order": "1"}, "phone": "1"}, "/phone"),
        ],
    )
    async def test_who_does_not_answer_what_is_asked_is_told_what_is_missing(
        self, shop: Shop, told: dict[str, Any], pointer: str
    ) -> None:
        channel_id = await shop.open(pre_chat_fields=[{"key": "order", "label": "Pedido", "required": True}])
        answer = await shop.passer_by().post(f"/public/chat/{channel_id}/sessions", json=told)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    async def test_there_is_no_chat_where_there_is_no_web_chat(self, shop: Shop) -> None:
        whatsapp = {
            "kind": "whatsapp",
            "name": "WhatsApp",
            "settings": {"phone_number_id": "106540352242922"},
            "credentials": {"app_secret": "12345678", "verify_token": "12345678"},
        }
        connected = (await shop.served.caller(shop.tenant_id).post("/channels", json=whatsapp)).json()
        for channel_id in (connected["id"], new_id()):
            answer = await shop.passer_by().post(f"/public/chat/{channel_id}/sessions", json={})
            assert answer.status_code == 404

    async def test_only_the_gateways_public_passage_leads_here(self, shop: Shop) -> None:
        path = f"/public/chat/{await shop.open()}/sessions"
        assert (await shop.served.stranger.post(path, json={})).status_code == 401
        assert (await shop.served.caller(shop.tenant_id).post(path, json={})).status_code == 403

    async def test_pages_of_other_origins_may_not(self, shop: Shop) -> None:
        channel_id = await shop.open(allowed_origins=[ORIGIN])
        path, anyone = f"/public/chat/{channel_id}", shop.passer_by()
        for origin, status in [("https://LOJA.example", 201), ("https://loja.example.evil", 403), ("null", 403)]:
            begun = await anyone.post(f"{path}/sessions", json={}, headers={"Origin": origin})
            assert begun.status_code == status
        assert (await anyone.get(path, headers={"Origin": "https://evil.example"})).status_code == 403
        visitor = await shop.come(channel_id)
        assert (await visitor.write(headers={"Origin": ORIGIN})).status_code == 201
        assert (await visitor.write(headers={"Origin": "https://evil.example"})).status_code == 403


class TestTokens:
    async def test_who_comes_back_with_id_and_token_goes_on(self, shop: Shop) -> None:
        visitor = await shop.come()
        await visitor.write("um")
        [answered] = await shop.answer(visitor, "dois")
        after_reload = shop.passer_by("another-address")
        after_reload.headers["X-Visitor-Token"] = visitor.token
        items = (await after_reload.get(f"{visitor.path}/messages")).json()["items"]
        assert [item["text"] for item in items] == ["um", "dois"]
        assert await shop.outcomes() == [(answered.message_id, "sent"), (answered.message_id, "delivered")]

    async def test_nobody_learns_whether_it_is_the_session_the_token_or_the_time(self, shop: Shop) -> None:
        channel_id = await shop.open()
        mine, other = await shop.come(channel_id), await shop.come(channel_id)
        elsewhere = VisitorToken(new_id(), bytes(32))
        wrong = [
            (mine.id, other.token),
            (new_id(), mine.token),
            (mine.id, str(elsewhere)),
            (mine.id, str(VisitorToken(shop.tenant_id, bytes(32)))),
            (mine.id, "vis_"),
            (mine.id, "vis_é"),
            (mine.id, ""),
        ]
        over = await shop.come(channel_id)
        age = "UPDATE chat_sessions SET used_at = used_at - CAST(:life AS interval) WHERE id = :id"
        await shop.change(age, life=SESSION_LIFE, id=over.id)
        requests: list[Callable[[httpx.AsyncClient, str], Any]] = [
            lambda client, path: client.get(f"{path}/messages"),
            lambda client, path: client.post(
                f"{path}/messages", json={"text": "oi", "client_message_id": str(new_id())}
            ),
            lambda client, path: client.get(f"{path}/events"),
            lambda client, path: client.put(f"{path}/typing", json={"typing": True}),
            lambda client, path: client.put(f"{path}/read", json={"message_id": str(new_id())}),
        ]
        answers = set()
        for session_id, token in [*wrong, (over.id, over.token)]:
            client = shop.passer_by()
            client.headers["X-Visitor-Token"] = token.encode().decode("latin-1")
            for request in requests:
                answer = await request(client, f"/public/chat/sessions/{session_id}")
                answers.add((answer.status_code, json.dumps(answer.json() | {"trace_id": None})))
        assert len(answers) == 1
        assert answers.pop()[0] == 401

    async def test_a_session_lives_from_its_last_use_on(self, shop: Shop) -> None:
        visitor = await shop.come()
        age = "UPDATE chat_sessions SET used_at = used_at - CAST(:life AS interval)"
        await shop.change(age, life=SESSION_LIFE - timedelta(minutes=5))
        assert await visitor.messages() == []
        await shop.change(age, life=timedelta(days=1))
        assert (await visitor.write()).status_code == 201


class TestWriting:
    async def test_the_same_message_twice_is_one(self, shop: Shop) -> None:
        visitor, name = await shop.come(), new_id()
        answers = await asyncio.gather(*(visitor.write("oi", name) for _ in range(4)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1
        assert len(await visitor.messages()) == len(await shop.said(MessageReceived)) == 1

    async def test_two_visitors_may_give_the_same_name(self, shop: Shop) -> None:
        channel_id, name = await shop.open(), new_id()
        one, other = await shop.come(channel_id), await shop.come(channel_id)
        assert (await one.write("um", name)).json()["id"] != (await other.write("dois", name)).json()["id"]
        assert len({event.key for event in await shop.said(MessageReceived)}) == 2

    async def test_what_many_tabs_write_at_once_is_told_in_the_order_in_which_it_is_kept(self, shop: Shop) -> None:
        visitor = await shop.come()
        await asyncio.gather(*(visitor.write(str(number)) for number in range(12)))
        kept = [(one["id"], one["sent_at"]) for one in await visitor.messages()]
        told = [event.provider_message_id for event in await shop.said(MessageReceived)]
        assert [id_ for id_, _ in kept] == told
        assert len(told) == 12
        assert kept == sorted(kept, key=lambda one: one[1])

    @pytest.mark.parametrize(
        "body",
        [
            {"text": ""},
            {"text": "  "},
            {"text": "a" * 4001},
            {"text": "a\x00"},
            {"text": "a", "client_message_id": "1"},
        ],
    )
    async def test_what_cannot_be_a_message_is_refused(self, shop: Shop, body: dict[str, Any]) -> None:
        visitor = await shop.come()
        answer = await visitor.client.post(f"{visitor.path}/messages", json={"client_message_id": str(new_id())} | body)
        assert answer.status_code == 422

    async def test_nothing_is_acknowledged_that_could_not_be_kept(self, shop: Shop, machine: Machine) -> None:
        visitor = await shop.come()
        async with away(machine, "ingest"):
            assert (await visitor.write()).status_code == 503
        await shop.database.engine.dispose()
        assert await visitor.messages() == []
        assert (await visitor.write()).status_code == 201

    async def test_the_staff_sees_for_a_moment_that_he_types(self, shop: Shop) -> None:
        visitor, staff = await shop.come(), shop.served.caller(shop.tenant_id)

        async def typing() -> bool:
            return bool((await staff.get(f"/chat-sessions/{visitor.id}")).json()["typing"])

        async def tell(typing: bool) -> None:
            answer = await visitor.client.put(f"{visitor.path}/typing", json={"typing": typing})
            assert answer.status_code == 204

        assert not await typing()
        await tell(True)
        assert await typing()
        await tell(False)
        assert not await typing()
        await tell(True)
        await visitor.write()
        assert not await typing()
        await tell(True)
        await shop.change("UPDATE chat_sessions SET typing_until = typing_until - interval '6 seconds'")
        assert not await typing()


class TestHandingOver:
    async def test_messages_are_handed_over_once_in_their_order(self, shop: Shop) -> None:
        channel_id = await shop.open()
        one, other = await shop.come(channel_id), await shop.come(channel_id)
        queued = [to_visitor(one if number % 3 else other, str(number)) for number in range(9)]
        await hear(service, shop.database, *queued)
        for again in (queued, [event.model_copy(update={"attempt": 2}) for event in queued]):
            await hear(service, shop.database, *again, *again)
        assert sorted(await shop.outcomes()) == sorted((event.message_id, "sent") for event in queued)
        assert [message["text"] for message in await one.messages()] == ["1", "2", "4", "5", "7", "8"]
        assert [message["text"] for message in await other.messages()] == ["0", "3", "6"]

    async def test_sessions_that_many_write_to_at_once_lose_nothing_and_lock_nobody_out(self, shop: Shop) -> None:
        channel_id = await shop.open()
        visitors = [await shop.come(channel_id) for _ in range(4)]

        async def hand_over(turn: int) -> None:
            order = visitors[turn % 4 :] + visitors[: turn % 4]
            await hear(service, shop.database, *(to_visitor(visitor, f"loja {turn}") for visitor in order))

        async def write(visitor: Visitor, said: str) -> None:
            name = new_id()
            await insist(lambda: visitor.write(said, name))

        async def look(visitor: Visitor) -> None:
            newest = (await visitor.messages())[-1:]
            for message in newest:
                await visitor.client.put(f"{visitor.path}/read", json={"message_id": message["id"]})

        await asyncio.gather(
            *(hand_over(turn) for turn in range(4)),
            *(write(visitor, str(number)) for number in range(4) for visitor in visitors),
            *(look(visitor) for _ in range(2) for visitor in visitors),
        )
        for visitor in visitors:
            messages = await visitor.messages()
            assert len(messages) == 8
            assert len({message["seq"] for message in messages}) == 8
        outcomes = await shop.outcomes()
        assert len(outcomes) == len(set(outcomes)), "something was told twice"
        assert [state for _, state in outcomes].count("sent") == 16

    async def test_what_is_told_of_a_message_says_whose_it_is(self, shop: Shop) -> None:
        visitor = await shop.come()
        [queued] = await shop.answer(visitor, "olá", attempt=3)
        await visitor.messages()
        for event in await shop.said(DeliveryChanged):
            for name in ("tenant_id", "conversation_id", "contact_id", "channel_id", "message_id", "attempt"):
                assert getattr(event, name) == getattr(queued, name)
            assert event.provider_message_id == str(queued.message_id)

    async def test_who_has_no_session_any_more_is_not_reached(self, shop: Shop) -> None:
        visitor, over = await shop.come(), await shop.come()
        age = "UPDATE chat_sessions SET used_at = used_at - CAST(:life AS interval) WHERE id = :id"
        await shop.change(age, life=timedelta(days=3650), id=over.id)
        lost = [
            to_visitor(over),
            to_visitor(visitor, recipient=[Address(kind="visitor", value=str(new_id()))]),
            to_visitor(visitor, recipient=[Address(kind="visitor", value="nobody")]),
            to_visitor(visitor, recipient=[Address(kind="wa_phone", value="5511987654321")]),
            to_visitor(visitor, channel_id=over.channel_id),
        ]
        await hear(service, shop.database, *lost, to_visitor(visitor, "achado"))
        assert [state for _, state in await shop.outcomes()] == ["failed"] * 5 + ["sent"]
        await hear(service, shop.database, lost[0].model_copy(update={"attempt": 2}))
        assert (await shop.said(DeliveryChanged))[-1].attempt == 2
        assert (await shop.said(DeliveryChanged))[0].error_code == "session_over"
        assert [message["text"] for message in await visitor.messages()] == ["achado"]

    async def test_the_session_that_was_used_last_gets_it(self, shop: Shop) -> None:
        channel_id = await shop.open()
        first, last = await shop.come(channel_id), await shop.come(channel_id)
        addresses = [Address(kind="visitor", value=str(visitor.id)) for visitor in (last, first)]
        await shop.answer(first, "aqui", recipient=addresses)
        assert [message["text"] for message in await last.messages()] == ["aqui"]
        assert await first.messages() == []

    async def test_another_tenants_session_is_never_reached(self, shop: Shop) -> None:
        visitor = await shop.come()
        await hear(service, shop.database, to_visitor(visitor, "nossa"), to_visitor(visitor, tenant_id=new_id()))
        assert [message["text"] for message in await visitor.messages()] == ["nossa"]

    async def test_messages_of_other_channels_are_others_to_send(self, shop: Shop) -> None:
        visitor = await shop.come()
        await hear(service, shop.database, to_visitor(visitor, channel_kind="pigeon"))
        assert await visitor.messages() == []

    async def test_attachments_and_quotations_are_shown(self, shop: Shop) -> None:
        visitor = await shop.come()
        attachment = {"kind": "image", "url": "https://files.example/a.png", "mime_type": "image/png", "filename": None}
        written = (await visitor.write("foto?")).json()
        content = Content.model_validate({"type": "media", "text": "aqui", "attachments": [attachment]})
        await shop.answer(visitor, "", content=content, reply_to=written["id"])
        shown = (await visitor.messages())[1]
        assert (shown["type"], shown["text"], shown["attachments"]) == ("media", "aqui", [attachment])
        assert shown["reply_to"] == written["id"]


class TestReading:
    async def test_a_page_of_the_list_delivers_what_it_shows_and_no_more(self, shop: Shop) -> None:
        visitor = await shop.come()
        queued = await shop.answer(visitor, "um", "dois", "três")
        first = (await visitor.client.get(f"{visitor.path}/messages", params={"limit": 2})).json()
        assert [(one["text"], one["status"]) for one in first["items"]] == [("um", "delivered"), ("dois", "delivered")]
        assert [id_ for id_, state in await shop.outcomes() if state == "delivered"] == [
            event.message_id for event in queued[:2]
        ]
        rest = await visitor.messages(cursor=first["next_cursor"])
        assert rest == await visitor.messages(after=first["items"][-1]["seq"])
        assert [one["text"] for one in rest] == ["três"]
        await visitor.messages()
        assert len(await shop.outcomes()) == 6

    async def test_all_up_to_a_message_is_read_once(self, shop: Shop) -> None:
        visitor = await shop.come()
        queued = await shop.answer(visitor, "um", "dois", "três")
        for _ in range(2):
            body = {"message_id": str(queued[1].message_id)}
            assert (await visitor.client.put(f"{visitor.path}/read", json=body)).status_code == 204
        assert (await shop.outcomes())[3:] == [(queued[0].message_id, "read"), (queued[1].message_id, "read")]
        assert [one["status"] for one in await visitor.messages()] == ["read", "read", "delivered"]

    async def test_a_message_of_somebody_else_cannot_be_read(self, shop: Shop) -> None:
        channel_id = await shop.open()
        visitor, other = await shop.come(channel_id), await shop.come(channel_id)
        [queued] = await shop.answer(other, "segredo")
        for message_id in (queued.message_id, new_id()):
            answer = await visitor.client.put(f"{visitor.path}/read", json={"message_id": str(message_id)})
            assert answer.status_code == 404
        assert [state for _, state in await shop.outcomes()] == ["sent"]


class TestListening:
    async def test_two_tabs_hear_the_same(self, shop: Shop) -> None:
        visitor = await shop.come()
        async with visitor.listening() as one, visitor.listening() as other:
            await visitor.write("um")
            await shop.answer(visitor, "dois")
            heard = await one.events(2)
            assert heard == await other.events(2)
        assert [event["data"]["text"] for event in heard] == ["um", "dois"]

    async def test_nobody_hears_another_session(self, shop: Shop) -> None:
        channel_id = await shop.open()
        visitor, other = await shop.come(channel_id), await shop.come(channel_id)
        async with visitor.listening() as mine, other.listening() as theirs:
            await visitor.write("um")
            await other.write("dois")
            assert [event["data"]["text"] for event in await mine.events(1)] == ["um"]
            assert [event["data"]["text"] for event in await theirs.events(1)] == ["dois"]

    async def test_it_goes_on_exactly_after_the_last_event_that_was_heard(self, shop: Shop) -> None:
        visitor = await shop.come()
        async with visitor.listening() as page:
            for number in range(3):
                await visitor.write(f"eu {number}")
                await shop.answer(visitor, f"loja {number}")
            heard = await page.events(6)
        newest = heard[-1]["data"]["id"]
        await visitor.client.put(f"{visitor.path}/read", json={"message_id": newest})
        async with visitor.listening() as page:
            whole = await page.events(9)
        assert [(event["id"], event["event"]) for event in whole] == [
            *((number, "message") for number in range(1, 7)),
            *((number, "status") for number in range(7, 10)),
        ]
        assert [event["data"]["text"] for event in whole[:6]] == [event["data"]["text"] for event in heard]
        for place in range(9):
            async with visitor.listening(after=whole[place]["id"]) as page:
                await visitor.client.put(f"{visitor.path}/typing", json={"typing": True})
                assert await page.events(8 - place) == whole[place + 1 :]

    async def test_a_page_that_comes_and_goes_hears_everything_once_and_in_order(self, shop: Shop) -> None:
        visitor = await shop.come()
        heard: list[dict[str, Any]] = []

        async def talk() -> None:
            for number in range(12):
                await asyncio.gather(visitor.write(f"eu {number}"), shop.answer(visitor, f"loja {number}"))

        talking = asyncio.create_task(talk())
        while len(heard) < 24:
            async with visitor.listening(after=heard[-1]["id"] if heard else None) as page:
                block = _read((await page.part()).split("\n\n")[0])
                assert block is not None
                heard.append(block)
        await talking
        assert [(event["id"], event["event"]) for event in heard] == [(number, "message") for number in range(1, 25)]
        assert [event["data"]["id"] for event in heard] == [message["id"] for message in await visitor.messages()]

    async def test_a_long_history_comes_whole_and_in_order(self, shop: Shop) -> None:
        visitor = await shop.come()
        await shop.answer(visitor, *(str(number) for number in range(250)))
        async with visitor.listening() as page:
            heard: list[dict[str, Any]] = []
            while len(heard) < 250:
                heard += await page.events(min(50, 250 - len(heard)))
        assert [event["data"]["text"] for event in heard] == [str(number) for number in range(250)]
        assert [event["id"] for event in heard] == list(range(1, 251))

    async def test_what_was_heard_becomes_delivered_once(self, shop: Shop) -> None:
        visitor = await shop.come()
        queued = await shop.answer(visitor, "um", "dois")
        async with visitor.listening() as one, visitor.listening() as other:
            await one.events(2)
            await other.events(2)
            outcomes = await until(shop.outcomes, lambda found: len(found) >= 4)
        assert sorted(outcomes[2:]) == sorted((event.message_id, "delivered") for event in queued)
        await visitor.messages()
        assert len(await shop.outcomes()) == 4

    async def test_what_another_process_wrote_is_heard_too(
        self, shop: Shop, machine: Machine, broker_address: BrokerAddress
    ) -> None:
        visitor = await shop.come()
        settings = machine.settings(Settings, "ingest", broker_address, runs="api", chat_poll=0.05)
        async with serving(service, settings) as another, visitor.listening(served=another) as page:
            await visitor.write("um")
            await shop.answer(visitor, "dois")
            assert [event["data"]["text"] for event in await page.events(2)] == ["um", "dois"]

    async def test_what_this_process_wrote_is_heard_at_once(
        self, shop: Shop, machine: Machine, broker_address: BrokerAddress
    ) -> None:
        settings = machine.settings(Settings, "ingest", broker_address, runs="api", chat_poll=3600)
        async with serving(service, settings) as rarely_looking:
            here = Shop(rarely_looking, shop.database, shop.tenant_id)
            visitor = await here.come()
            async with visitor.listening() as page:
                await visitor.write("um", headers={"Idempotency-Key": "k"})
                assert [event["data"]["text"] for event in await page.events(1)] == ["um"]
                await hear(service, rarely_looking.app.state.desk.database, to_visitor(visitor, "dois"))
                assert [event["data"]["text"] for event in await page.events(1)] == ["dois"]

    async def test_no_transaction_is_open_while_it_waits(self, shop: Shop, machine: Machine) -> None:
        visitor = await shop.come()
        async with visitor.listening():
            found = [await open_transactions(machine, "ingest") for _ in range(5)]
        assert 0 in found

    async def test_silence_is_broken_and_a_session_that_is_over_ends_it(
        self, shop: Shop, machine: Machine, broker_address: BrokerAddress
    ) -> None:
        settings = machine.settings(Settings, "ingest", broker_address, runs="api", chat_poll=0.05, chat_heartbeat=0.01)
        async with serving(service, settings) as restless:
            visitor = await Shop(restless, shop.database, shop.tenant_id).come()
            async with visitor.listening() as page:
                assert (await page.part()).startswith(":")
                await shop.change("UPDATE chat_sessions SET used_at = used_at - interval '31 days'")
                assert await page.is_ended()

    async def test_a_database_that_goes_away_does_not_end_it(self, shop: Shop, machine: Machine) -> None:
        visitor = await shop.come()
        async with visitor.listening() as page:
            async with away(machine, "ingest"):
                await asyncio.sleep(0.4)
            await shop.database.engine.dispose()
            await shop.answer(visitor, "de volta")
            assert [event["data"]["text"] for event in await page.events(1)] == ["de volta"]

    async def test_a_fault_ends_it_so_that_the_page_comes_again(self, shop: Shop, machine: Machine) -> None:
        visitor = await shop.come()
        async with visitor.listening() as page, administering(machine, "ingest") as admin:
            await admin.execute("ALTER TABLE chat_messages RENAME TO elsewhere")
            try:
                assert (await visitor.write()).status_code == 500
                assert (await visitor.client.put(f"{visitor.path}/typing", json={"typing": True})).status_code == 204
                await shop.change("UPDATE chat_sessions SET last_step = 1")
                assert await page.is_ended()
            finally:
                await admin.execute("ALTER TABLE elsewhere RENAME TO chat_messages")
        async with visitor.listening() as page:
            await visitor.write("de novo")
            assert [event["data"]["text"] for event in await page.events(1)] == ["de novo"]

    @pytest.mark.parametrize("last", ["none", "1e3", "", "-1", "é"])
    async def test_an_event_of_another_stream_is_refused(self, shop: Shop, last: str) -> None:
        visitor = await shop.come()
        headers = {b"Last-Event-ID": last.encode()}
        assert (await visitor.client.get(f"{visitor.path}/events", headers=headers)).status_code == 422

    async def test_who_has_heard_what_nobody_knows_any_more_hears_what_is_new(self, shop: Shop) -> None:
        visitor = await shop.come()
        await visitor.write("um")
        async with visitor.listening(after=2**70) as page:
            await visitor.write("dois")
            assert [event["data"]["text"] for event in await page.events(1)] == ["dois"]

    async def test_a_visitor_has_so_many_pages_and_a_process_so_many_visitors(
        self, shop: Shop, machine: Machine, broker_address: BrokerAddress
    ) -> None:
        settings = machine.settings(Settings, "ingest", broker_address, runs="api", chat_streams=PAGES + 1)
        async with serving(service, settings) as small:
            here = Shop(small, shop.database, shop.tenant_id)
            channel_id = await here.open()
            one, other = await here.come(channel_id), await here.come(channel_id)

            async def refusal(visitor: Visitor) -> tuple[int, str]:
                answer = await visitor.client.get(f"{visitor.path}/events")
                return answer.status_code, answer.headers["retry-after"]

            async with AsyncExitStack() as pages:
                for _ in range(PAGES):
                    await pages.enter_async_context(one.listening())
                assert await refusal(one) == (429, "5")
                async with other.listening():
                    assert await refusal(other) == (503, "5")
            async with one.listening() as page:
                assert page.status == 200


class TestLimits:
    async def test_an_address_begins_so_many_chats_in_a_minute(self, shop: Shop) -> None:
        path = f"/public/chat/{await shop.open()}/sessions"

        async def begin(address: str) -> httpx.Response:
            return await shop.passer_by(f"{address} of {shop.tenant_id}").post(path, json={})

        answers = [await begin("one") for _ in range(11)]
        # A minute may have ended meanwhile.
        while answers[-1].status_code == 201 and len(answers) < 21:
            answers.append(await begin("one"))
        assert answers[-1].status_code == 429
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert (await begin("another")).status_code == 201

    async def test_a_visitor_writes_so_many_messages_in_a_minute(self, shop: Shop) -> None:
        visitor, other, name = await shop.come(), await shop.come(), new_id()
        await visitor.write("um", name)
        for _ in range(60):
            answer = await visitor.write()
            if answer.status_code == 429:
                break
        assert answer.status_code == 429
        assert answer.json()["type"] == "/problems/too-many-requests"
        assert (await visitor.write("um", name)).status_code == 201, "what is kept already is no new message"
        assert (await other.write()).status_code == 201


def notice_to(visitor: Visitor, **changes: Any) -> NoticeQueued:
    """What a visitor is to be told as privacy queues it."""
    fields: dict[str, Any] = {
        "tenant_id": visitor.tenant_id,
        "notice_id": new_id(),
        "request_id": new_id(),
        "subject_id": UUID(int=visitor.id.int ^ 2),
        "kind": "proof_code",
        "channel_id": visitor.channel_id,
        "channel_kind": "web_chat",
        "recipient": [Address(kind="visitor", value=str(visitor.id))],
        "text": "O seu código é 123456.",
        "queued_at": NOON,
    }
    return NoticeQueued(**fields | changes)


class TestNotices:
    async def test_a_notice_stands_once_among_a_visitors_messages_and_nobody_is_told_of_it(self, shop: Shop) -> None:
        visitor = await shop.come()
        notice = notice_to(visitor)
        async with visitor.listening() as page:
            await hear(service, shop.database, notice, notice)
            await hear(service, shop.database, notice)
            [answered] = await shop.answer(visitor, "Já vou ver")
            first, second = await page.events(2)
            assert [first["data"]["id"], second["data"]["id"]] == [str(notice.notice_id), str(answered.message_id)]
            shown = [first["data"][name] for name in ("direction", "type", "text", "status")]
            assert shown == ["outbound", "text", notice.text, "sent"]
            read = await visitor.client.put(f"{visitor.path}/read", json={"message_id": second["data"]["id"]})
            assert read.status_code == 204
        assert [(one["id"], one["status"]) for one in await visitor.messages()] == [
            (str(notice.notice_id), "read"),
            (str(answered.message_id), "read"),
        ]
        assert {message_id for message_id, _ in await shop.outcomes()} == {answered.message_id}
        assert await shop.said(MessageReceived) == []

    async def test_who_looks_is_given_a_notice_and_nobody_is_told(self, shop: Shop) -> None:
        visitor = await shop.come()
        await hear(service, shop.database, notice_to(visitor))
        assert [one["status"] for one in await visitor.messages()] == ["delivered"]
        assert await shop.outcomes() == []

    async def test_who_has_no_session_any_more_is_not_reached_and_stops_nobody(self, shop: Shop) -> None:
        gone, there = await shop.come(), await shop.come()
        await shop.change(
            "UPDATE chat_sessions SET used_at = used_at - CAST(:life AS interval) WHERE id = :id",
            life=SESSION_LIFE,
            id=gone.id,
        )
        strange = Address(kind="visitor", value="nobody")
        notices = [notice_to(gone), notice_to(there, recipient=[strange]), notice_to(there)]
        await hear(service, shop.database, *notices, now=datetime.now(UTC))
        assert [one["id"] for one in await there.messages()] == [str(notices[2].notice_id)]
        assert await shop.outcomes() == []
