"""What is passed on without a key, and what is passed on as it comes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Final, cast
from uuid import UUID

import httpx
import pytest
from starlette.types import Message, Scope

from gateway.domain import place_of
from gateway.limits import Places
from gateway.routes import BEGINNINGS, Destination, destination, public_path
from shared.http import AS_IT_COMES, Caller, ContextVerifier, TooManyRequests
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

    async def test_what_is_not_there_is_not_found_without_a_key(self, at_gateway: Served) -> None:
        answer = await at_gateway.stranger.get("/v1/public/chat/1,2")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")

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


class TestOfATenant:
    """What is open to everyone at the tenant that the path names."""

    async def test_a_person_asks_for_his_rights_at_a_tenant_without_a_key(self, business: Business) -> None:
        service = Heard()
        play(business.served, service)
        path = f"/v1/public/{business.slug}/privacy/requests"
        for _ in range(2):
            answer = await business.served.stranger.post(f"{path}?a=b", json={"right": "access"})
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
            asked = service.requests[-1]
            assert (asked.url.raw_path, asked.content) == (b"/public/privacy/requests?a=b", b'{"right":"access"}')
            assert service.caller("privacy") == Caller("public|127.0.0.1", business.id, frozenset({"public"}))

    async def test_there_is_nothing_at_a_tenant_that_nobody_knows(self, at_gateway: Served) -> None:
        service = Heard()
        play(at_gateway, service)
        answer = await at_gateway.stranger.get("/v1/public/nobodys/privacy/requests/1")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["ratelimit-remaining"]
        assert not service.requests

    async def test_each_service_is_told_the_secrets_of_its_own_visitors_alone(self, business: Business) -> None:
        service = Heard()
        play(business.served, service)
        told = {"X-Tracking-Token": "trk_1", "X-Visitor-Token": "vis_1", "Cookie": "c=d", "X-Api-Key": "k"}
        path = f"/v1/public/{business.slug}/privacy/requests/1"
        for place, secret in ((path, "X-Tracking-Token"), (SESSION, "X-Visitor-Token")):
            await business.admin.get(place, headers=told)
            heard = service.requests[-1].headers
            assert {name: heard[name] for name in told if name in heard} == {secret: told[secret]}
            asked = await business.served.stranger.options(place)
            allowed = asked.headers["access-control-allow-headers"]
            assert [name for name in told if name.lower() in allowed] == [secret]
        assert service.caller("ingest").tenant_id == UUID(int=0)

    async def test_a_key_makes_him_no_more_than_a_visitor_there(self, business: Business) -> None:
        service = Heard()
        play(business.served, service)
        await business.admin.get(f"/v1/public/{business.slug}/privacy/requests/1")
        assert service.caller("privacy") == Caller("public|127.0.0.1", business.id, frozenset({"public"}))

    @pytest.mark.parametrize(
        "path",
        [
            "/v1/deposits/1/1/ingest/1",
            "/v1/public/deposits/1/1/ingest/1",
            "/v1/public/SLUG/deposits/1/1/ingest/1",
            "/v1/public/SLUG/privacy/../../deposits/1/1/ingest/1",
            "/v1/public/SLUG/privacy/%2e%2e/%2e%2e/deposits/1/1/ingest/1",
            "/v1/privacy/../deposits/1/1/ingest/1",
            "/v1/operations/privacy/deposits",
            "/v1/public/SLUG",
            "/v1/public/SLUG/privacy",
            "/v1/public/SLUG/contacts/1",
            "/v1/public/SLUG/chat/1",
        ],
    )
    async def test_neither_deposits_nor_anything_else_are_behind_it(self, business: Business, path: str) -> None:
        service = Heard()
        play(business.served, service)
        for client in (business.served.stranger, business.admin):
            request = client.build_request("PUT", "/")
            request.url = httpx.URL("http://here").copy_with(raw_path=path.replace("SLUG", business.slug).encode())
            assert (await client.send(request)).status_code in {401, 404}
        assert not service.requests


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
        ("/v1/public/chat/1/sessions", Destination("ingest", "/public/chat/1/sessions")),
        ("/v1/public/forms/1", None),
        ("/v1/public/chat", None),
        (
            "/v1/public/padaria/privacy/requests/1",
            Destination("privacy", "/public/privacy/requests/1", tenant_slug="padaria"),
        ),
        ("/v1/public/chat/privacy/requests", Destination("ingest", "/public/chat/privacy/requests")),
        ("/v1/public/padaria/privacy", None),
        ("/v1/public/padaria/deposits/1", None),
        ("/v1/privacy/requests/1", Destination("privacy", "/privacy/requests/1")),
    ],
)
def test_a_path_leads_to_who_answers_it(path: str, where: Destination | None) -> None:
    assert destination(path) == where
    if where is not None:
        assert public_path(where.service, where.path).replace("{tenant_slug}", str(where.tenant_slug)) == path


class Events(httpx.AsyncByteStream):
    """What a service streams: it goes on until it is told to end."""

    headers: ClassVar[dict[str, str]] = {"Content-Type": "text/event-stream; charset=utf-8", **AS_IT_COMES}

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
        return httpx.Response(200, headers=self.headers, stream=self)


class File(Events):
    """A file that a service puts together while it sends it."""

    headers: ClassVar[dict[str, str]] = {
        "Content-Type": "application/zip",
        "Content-Disposition": 'attachment; filename="dados.zip"',
        **AS_IT_COMES,
    }


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

    async def test_a_file_is_passed_on_as_it_comes_under_its_name(self, business: Business) -> None:
        file = File()
        play(business.served, file.answer)
        listener = Listener(business.served, f"/v1/public/{business.slug}/privacy/packages/1")
        file.coming.put_nowait(b"PK")
        started = await listener.pieces.get()
        headers = {name.decode(): value.decode() for name, value in started["headers"]}
        assert {name: headers[name.lower()] for name in file.headers} == file.headers
        assert await listener.next() == b"PK"
        file.coming.put_nowait(None)
        assert await listener.next() == b""
        await listener.task
        assert file.closed.is_set()

    async def test_half_a_file_does_not_pass_for_a_whole_one(self, business: Business) -> None:
        file = File()
        play(business.served, file.answer)
        listener = Listener(business.served, f"/v1/public/{business.slug}/privacy/packages/1")
        for piece in (b"PK", b""):
            file.coming.put_nowait(piece)
        assert [await listener.next(), await listener.next()] == [200, b"PK"]
        await listener.task
        assert listener.pieces.empty(), "whoever serves cuts an answer off that was not told to be complete"
        assert file.closed.is_set()

    @pytest.mark.parametrize("kind", [Events, File])
    async def test_one_address_holds_only_so_many_and_a_place_that_was_left_is_free(
        self, at_gateway: Served, kind: type[Events]
    ) -> None:
        every: list[Events] = []

        def answer(request: httpx.Request) -> httpx.Response:
            every.append(kind())
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

    async def test_a_picture_is_one(self, business: Business) -> None:
        told = {"Content-Type": "image/svg+xml", "Cache-Control": "private, max-age=60"}
        play(business.served, lambda _: httpx.Response(200, headers=told, content=b"<svg/>"))
        answer = await business.admin.get("/v1/metrics/charts/1/chart.svg")
        assert {name: answer.headers[name] for name in told} == told
        assert answer.content == b"<svg/>"

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
