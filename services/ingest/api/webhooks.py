"""The providers' door: what they post is durable when it is acknowledged."""

import asyncio
import re
from datetime import UTC, datetime
from functools import partial
from typing import Final

from fastapi import Request, Response

from services.ingest import handlers
from services.ingest.api.counter import Counter
from services.ingest.channels import CHANNELS
from shared.http import Declared, Door, Forbidden, Unauthorized, straight
from shared.telemetry import WEBHOOK_ITEMS, WEBHOOKS_REFUSED, by_labels

WEBHOOK_BYTES = 5 * 1024 * 1024
"""What one POST of a provider may have, many times what any sends."""

LARGE_BYTES = 128 * 1024

_DURABLE: Final = Response(status_code=200)


async def shake_hands(request: Request) -> Response:
    """Answer the provider's question whether this address is ours."""
    kind, channel_id = request.path_params["kind"], request.path_params["channel_id"]
    counter: Counter = request.app.state.counter
    channel = await counter.memory.get(kind, channel_id)
    answer = CHANNELS[kind].handshake(request.query_params, channel.secrets)
    if answer is None:
        WEBHOOKS_REFUSED.labels(kind, "handshake").inc()
        raise Forbidden("The verify token is not the one of this channel.")
    return Response(answer, media_type="text/plain")


async def receive(request: Request) -> Response:
    """Take in what a provider posts; 200 means that it is durable, or was before."""
    kind, channel_id = request.path_params["kind"], request.path_params["channel_id"]
    counter: Counter = request.app.state.counter
    channel = await counter.memory.get(kind, channel_id)
    body = await request.body()
    if not CHANNELS[kind].is_authentic(request.headers, body, channel.secrets):
        WEBHOOKS_REFUSED.labels(kind, "signature").inc()
        raise Unauthorized("The signature does not fit the body.")
    read = partial(handlers.read_webhook, channel, body, counter.kernel.blind_index, datetime.now(UTC))
    # One large body must not hold up all the others.
    arrivals = read() if len(body) <= LARGE_BYTES else await asyncio.to_thread(read)
    if arrivals:
        await counter.commit.add(arrivals)
    for arrival in arrivals:
        _counter(kind, arrival.row.state).inc()
    return _DURABLE


_counter = by_labels(WEBHOOK_ITEMS, most=64)

ADDRESS: Final = "/webhooks/{kind}/{channel_id}"
_ADDRESS: Final = re.compile(r"/webhooks/(?P<kind>[^/]+)/(?P<channel_id>[^/]+)")
_DECLARED: Final = Declared(ADDRESS)


def _match(path: str) -> tuple[Declared, dict[str, str]] | None:
    found = _ADDRESS.fullmatch(path)
    return (_DECLARED, found.groupdict()) if found else None


_ACTS: Final = {"GET": shake_hands, "HEAD": shake_hands, "POST": receive}
webhooks = Door(straight(_match, _ACTS), body_bytes=WEBHOOK_BYTES)
