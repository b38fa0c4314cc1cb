"""What is passed on without a key, and what is passed on as it comes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final, cast
from uuid import UUID

import httpx
import pytest
from starlette.types import Message, Scope

from gateway.domain import place_of
from gateway.limits import Places
from gateway.routes import BEGINNINGS, Destination, destination, public_path
from shared.http import Caller, ContextVerifier, TooManyRequests
from tests.gateway.businesses import Business, Opens, play
from tests.support.machine import CALLER_PUBLIC_KEY
from tests.support.serving import Served

SESSION: Final = "/v1/public/chat/sessions/1/messages"


class Heard:
    """A service that remembers who asked for what."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, json={})

    def caller(self, service: str) -> Caller:
        """Who asked last, as this service sees it."""
        _, _, context = self.requests[-1].headers["authorization"].partition(" ")
        return ContextVerifier(CALLER_PUBLIC_KEY, service).verify(context)


class TestPublic:
    async def test_a_visitor_comes_to_the_web_chat_without_a_key(self, at_gateway: Served) -> None:
        service = Heard()
        play(at_gateway, service)
        answer = await at_gateway.stranger.post(SESSION, json={"text": "Olá"})
        assert answer.status_code == 200
        assert (service.requests[0].url.path, service.requests[0].content) == (SESSION[3:], b'{"text":"Ol\xc3\xa1"}')
        assert service.caller("ingest") == Caller("public|127.0.0.1", UUID(int=0), frozenset({"public"}))

    async def test_his_page_is_believed_who_it_is_and_may_read_the_answer(self, at_gateway: Served) -> None:
        service = Heard()
        play(at_gateway, service)
        told = {"Origin": "https://padaria.example", "X-Visitor-Token": "secret", "Last-Event-ID": "7", "Cookie": "c=d"}
        answer = await at_gateway.stranger.get(SESSION, headers=told)
        heard = service.requests[0].headers
        assert [heard.get(name) for name in told] == ["https://padaria.example", "secret", "7", None]
        assert answer.headers["access-control-allow-origin"] == "*"
        asked = await at_gateway.stranger.options(SESSION, headers={"Access-Control-Request-Method": "POST"})
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, "*")
        assert "x-visitor-token" in asked.headers["access-control-allow-headers"]
        assert len(service.requests) == 1

    async def test_no_page_of_others_reads_what_a_key_opens(self, business: Business) -> None:
        play(business.served, Heard())
        page = {"Origin": "https://elsewhere.example"}
        answer = await business.admin.get("/v1/conversations", headers=page)
        assert "access-control-allow-origin" not in answer.headers
        asked = await business.served.stranger.options("/v1/conversations", headers=page)
        assert (asked.status_code, "access-control-allow-origin" in asked.headers) == (401, False)

    async def test_a_key_makes_him_no_more_than_a_visitor_there(self, business: Business) -> None:
        service = Heard()
        play(business.served, service)
        await business.admin.post(SESSION, json={"text": "Olá"})
        assert service.caller("ingest").scopes == {"public"}

    @pytest.mark.parametrize(
        "path",
        [
            *(f"{beginning}/1" for beginning in BEGINNINGS if "/public/" not in beginning),
            "/v1/users",
            "/v1/api-keys",
            "/v1/public",
            "/v1/public/chat",
            "/v1/public/chatter/1",
            "/v1/public/channels",
            "/v1/public/chat/../../channels",
            "/v1/public/chat/%2e%2e/%2e%2e/channels",
            "/v1/public/chat//channels",
        ],
    )
    async def test_nothing_else_is_open_to_him(self, at_gateway: Served, path: str) -> None:
        service = Heard()
        play(at_gateway, service)
        request = at_gateway.stranger.build_request("GET", "/")
        request.url = httpx.URL("http://here").copy_with(raw_path=path.encode())
        answer = await at_gateway.stranger.send(request)
        assert answer.status_code in {401, 404}
        assert not service.requests

    async def test_he_is_no_caller_of_any_tenants(self, at_gateway: Served) -> None:
        service = Heard()
        play(at_gateway, service)
        await at_gateway.stranger.get(SESSION)
        _, _, context = service.requests[0].headers["authorization"].partition(" ")
        assert (await at_gateway.bearer(context).get("/v1/users")).status_code == 401

    async def test_an_address_that_comes_too_often_waits_and_no_other_does(self, opens: Opens) -> None:
        async with opens(public_requests_per_minute_and_address=2) as served:
            play(served, Heard())
            answers = [await served.stranger.get(SESSION) for _ in range(3)]
            other = httpx.ASGITransport(served.transport.app, client=("192.0.2.7", 1))
            async with httpx.AsyncClient(transport=other, base_url="http://here") as client:
                assert (await client.get(SESSION)).status_code == 200
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/v1/queues", Destination("routing", "/queues")),
        ("/v1/agents/1/presence", Destination("routing", "/agents/1/presence")),
        ("/v1/offers/1", Destination("routing", "/offers/1")),
        ("/v1/business-hours", Destination("routing", "/business-hours")),
        ("/v1/auto-replies", Destination("routing", "/auto-replies")),
        ("/v1/conversations/1/assignee", Destination("routing", "/conversations/1/assignee")),
        ("/v1/conversations/1/queue-position", Destination("routing", "/conversations/1/queue-position")),
        ("/v1/conversations/1/messages", Destination("conversation", "/conversations/1/messages")),
        ("/v1/conversations/assignee", Destination("conversation", "/conversations/assignee")),
        ("/v1/conversations/1/assignee/2", Destination("conversation", "/conversations/1/assignee/2")),
        ("/v1/public/chat/1/sessions", Destination("ingest", "/public/chat/1/sessions", is_public=True)),
        ("/v1/public/forms/1", None),
        ("/v1/public/chat", None),
    ],
)
def test_a_path_leads_to_who_answers_it(path: str, where: Destination | None) -> None:
    assert destination(path) == where
    assert where is None or public_path(where.service, where.path) == path


class Events(httpx.AsyncByteStream):
    """What a service streams: it goes on until it is told to end."""

    def __init__(self) -> None:
        self.coming: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self.coming.get()) is not None:
            if not piece:
                raise httpx.ReadError("gone")
            yield piece

    async def aclose(self) -> None:
        self.closed.set()

    def answer(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Type": "text/event-stream; charset=utf-8"}, stream=self)


class Listener:
    """A client that reads an answer as it comes, and may leave."""

    def __init__(self, served: Served, path: str = SESSION) -> None:
        self.pieces: asyncio.Queue[Message] = asyncio.Queue()
        self._left = asyncio.Event()
        self._asked = False
        scope: Scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [],
            "server": ("here", 80), "client": ("192.0.2.9", 1),
        }  # fmt: skip
        self.task = asyncio.create_task(cast("Any", served.transport.app)(scope, self._receive, self.pieces.put))

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def next(self) -> Any:
        """The status, or the next piece of the body."""
        async with asyncio.timeout(10):
            message = await self.pieces.get()
        return message.get("status", message.get("body"))

    async def leave(self) -> None:
        self._left.set()
        async with asyncio.timeout(10):
            await self.task


class TestStreams:
    async def test_events_are_passed_on_as_they_come(self, at_gateway: Served) -> None:
        events = Events()
        play(at_gateway, events.answer)
        listener = Listener(at_gateway)
        for piece in (b"data: 1\n\n", b"data: 2\n\n"):
            events.coming.put_nowait(piece)
            if piece == b"data: 1\n\n":
                started = await listener.pieces.get()
                headers = {name.decode(): value.decode() for name, value in started["headers"]}
                assert (started["status"], headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
                assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
            assert await listener.next() == piece
        events.coming.put_nowait(None)
        assert await listener.next() == b""
        await listener.task
        assert events.closed.is_set()

    async def test_when_the_client_leaves_the_service_is_let_go(self, at_gateway: Served) -> None:
        events = Events()
        play(at_gateway, events.answer)
        listener = Listener(at_gateway)
        assert await listener.next() == 200
        await listener.leave()
        assert events.closed.is_set()

    async def test_when_the_service_goes_the_stream_just_ends(self, at_gateway: Served) -> None:
        events = Events()
        play(at_gateway, events.answer)
        listener = Listener(at_gateway)
        assert await listener.next() == 200
        events.coming.put_nowait(b"")
        assert await listener.next() == b""
        await listener.task

    async def test_one_address_holds_only_so_many_and_a_place_that_was_left_is_free(self, at_gateway: Served) -> None:
        every: list[Events] = []

        def answer(request: httpx.Request) -> httpx.Response:
            every.append(Events())
            return every[-1].answer(request)

        play(at_gateway, answer)
        listeners = [Listener(at_gateway) for _ in range(20)]
        assert [await listener.next() for listener in listeners] == [200] * 20
        one_too_many = Listener(at_gateway)
        assert await one_too_many.next() == 429
        await one_too_many.task
        assert every[-1].closed.is_set()
        await listeners.pop().leave()
        another = Listener(at_gateway)
        assert await another.next() == 200
        for listener in (*listeners, another):
            await listener.leave()

    async def test_a_key_holds_streams_of_its_own(self, business: Business) -> None:
        events = Events()
        play(business.served, events.answer)
        events.coming.put_nowait(b"data: 1\n\n")
        events.coming.put_nowait(None)
        answer = await business.admin.get("/v1/conversations")
        assert (answer.status_code, answer.content) == (200, b"data: 1\n\n")


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("a-socket", "a-socket"),
    ],
)
def test_an_address_tells_of_a_place(address: str, place: str) -> None:
    assert place_of(address) == place


def test_places_are_bounded_for_each_and_for_all() -> None:
    places = Places(2, 3)
    for name in ("a", "a", "b"):
        places.take(name)
    for name in ("a", "b", "c"):
        with pytest.raises(TooManyRequests):
            places.take(name)
    places.leave("a")
    places.take("c")
