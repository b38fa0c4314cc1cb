"""Who connects and does not finish the head of a request is hung up on, and a stop begins at once and ends well."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy import serve
from deploy.local.plan import HOST, free_ports
from tests.support.waiting import until

ANSWER = PlainTextResponse("here")
HEAD = b"GET / HTTP/1.1\r\nHost: here\r\n"


@asynccontextmanager
async def served(port: int, app: ASGIApp = ANSWER) -> AsyncIterator[None]:
    config = uvicorn.Config(app, HOST, port, http=serve.PatientProtocol, lifespan="off", log_level="warning")
    server = uvicorn.Server(config)

    async def started() -> bool:
        return server.started

    with server.capture_signals():
        running = asyncio.create_task(server._serve())
        await until(started)
        yield
        server.should_exit = True
        await running


@pytest.mark.parametrize("said", [b"", b"GET / HT", HEAD, HEAD + b"\r\n" + HEAD])
async def test_a_head_that_does_not_end_ends_the_connection(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(serve, "HEADER_SECONDS", 0.2)
    port = free_ports()["gateway"]
    async with served(port), asyncio.timeout(3):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(said)
        heard = await reader.read()
        assert heard.count(b"200 OK") == said.count(b"\r\n\r\n")
        writer.close()


async def test_a_request_may_follow_another_later_than_a_head_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "HEADER_SECONDS", 0.2)
    port = free_ports()["gateway"]
    async with served(port), asyncio.timeout(3):
        reader, writer = await asyncio.open_connection(HOST, port)
        for _ in range(2):
            writer.write(HEAD + b"\r\n")
            assert b"200 OK" in await reader.readuntil(b"here")
            await asyncio.sleep(0.4)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_an_answer_that_never_ends_does_not_hold_up_a_stop() -> None:
    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["endless"] = True
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    port = free_ports()["gateway"]
    async with asyncio.timeout(3):
        async with served(port, endless):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(HEAD + b"\r\n")
            await reader.readuntil(b"here")
        writer.close()


async def test_work_of_other_kinds_is_told_of_a_stop_before_the_last_request_has_ended() -> None:
    told, answer = asyncio.Event(), asyncio.Event()

    class Parts:
        failed = False

        def leave(self) -> None:
            told.set()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["parts"] = Parts()
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await answer.wait()
            await ANSWER(scope, receive, send)

    port = free_ports()["gateway"]
    server = serve.Server(uvicorn.Config(slow, HOST, port, http=serve.PatientProtocol, log_level="warning"))
    async with asyncio.timeout(5):
        running = asyncio.create_task(server.serve())
        await until(lambda: _is(server.started))
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(HEAD + b"\r\n")
        await until(lambda: _is(bool(server.server_state.tasks)))
        signal.raise_signal(signal.SIGTERM)
        await told.wait()
        answer.set()
        assert b"200 OK" in await reader.read()
        # The signal is not raised again: whoever was told to stop, and did, has not failed.
        await running
        writer.close()


async def _is(value: bool) -> bool:
    return value
