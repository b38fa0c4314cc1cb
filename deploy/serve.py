"""Serves one process of Balcão: `python -m deploy.serve gateway --host 127.0.0.1 --port 8000`."""

import argparse
import asyncio
import os
from typing import Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from deploy.processes import PROCESSES, application_of

HEADER_SECONDS: Final = 10
"""How long a caller may take for the head of a request, the first one's counted from when he connects."""
GRACE_SECONDS: Final = 8
"""How long requests under way may take to end when the process is told to stop."""


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.serve", description="Serves one process of Balcão.")
    parser.add_argument("process", choices=PROCESSES)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    wanted = parser.parse_args()
    uvicorn.run(
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
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


if __name__ == "__main__":
    main()
