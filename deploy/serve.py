"""Serves one process of Balcão: `python -m deploy.serve gateway --host 127.0.0.1 --port 8000`."""

import argparse
import asyncio
import gc
import os
import socket
import sys
from types import FrameType
from typing import Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from deploy.processes import PROCESSES, application_of
from shared.service import DRAIN_SECONDS, Parts

HEADER_SECONDS: Final = 10
"""How long a caller may take for the head of a request, the first one's counted from when he connects."""
STOP_SECONDS: Final = 10
"""Within which a process ends that is told to stop."""

COLLECT_AFTER: Final = (10_000, 20, 20)
"""So many new objects are looked through at once, so many times before older ones are, and these before all."""


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 that hangs up on who does not say what he wants."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._late is None:
            self._wait_for_headers()

    def on_headers_complete(self) -> None:
        self._wait_no_more()
        super().on_headers_complete()

    def shutdown(self) -> None:
        """Let the request under way end, unless it is one that never would."""
        super().shutdown()
        # A connection that has asked for nothing yet has no scope.
        if self.scope and self.scope.get("state", {}).get("endless"):  # type: ignore[redundant-expr]
            self.transport.close()

    def _wait_for_headers(self) -> None:
        self._late = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class Server(uvicorn.Server):
    """Takes no more work of any kind from the moment it is told to stop, and has then ended well."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - so it is called
        # As it comes, it would raise the signal once more in the end, and look like one that was killed.
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is there by now stays until the end: no collection needs to look at it again.
        gc.collect()
        gc.freeze()
        # Nearly all that a batch makes is gone with its last reference: to look for the rest costs more the oftener.
        gc.set_threshold(*COLLECT_AFTER)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # By itself the application would hear of it after the last request only.
        self.parts.leave()
        await super().shutdown(sockets)

    @property
    def parts(self) -> Parts:
        parts: Parts = self.lifespan.state["parts"]
        return parts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.serve", description="Serves one process of Balcão.")
    parser.add_argument("process", choices=PROCESSES)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    wanted = parser.parse_args()
    config = uvicorn.Config(
        application_of(wanted.process),
        host=wanted.host,
        port=wanted.port,
        loop="uvloop",
        http=PatientProtocol,
        log_level="warning",
        access_log=False,
        server_header=False,
        # Whoever may say for whom he speaks must be named; else anyone could choose his address.
        proxy_headers="FORWARDED_ALLOW_IPS" in os.environ,
        # Whoever connects may send so much before he has said who he is.
        ws_max_size=65_536,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = Server(config)
    server.run()
    return int(not server.started or server.parts.failed)


if __name__ == "__main__":
    sys.exit(main())
