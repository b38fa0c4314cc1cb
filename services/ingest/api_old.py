"""Ingest's two doors: the providers' webhooks, and the tenant's view of channels and raw events."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.routing import Route, Router

from services.ingest import handlers, store
from services.ingest.channels import CHANNELS
from services.ingest.domain import KeptItem
from services.ingest.handlers import Arrival, ChannelMemory, ConnectChannel
from services.ingest.models import Channel, RawEvent
from services.ingest.schemas import (
    ChannelChange,
    ChannelShown,
    NewChannel,
    RawEventShown,
    RawEventState,
    WhatsAppCredentials,
)
from services.ingest.settings import Settings
from shared.db import GroupCommit
from shared.http import (
    Caller,
    Door,
    Forbidden,
    NotFound,
    Page,
    Pages,
    TransactionRoute,
    Unauthorized,
    Work,
    check_version,
    requires,
    tell_version,
)
from shared.service import Kernel
from shared.telemetry import WEBHOOK_ITEMS, WEBHOOKS_REFUSED

WEBHOOK_BYTES = 5 * 1024 * 1024
"""What one POST of a provider may have, many times what any sends."""

LARGE_BYTES = 128 * 1024

ReadChannels = Annotated[Caller, Depends(requires("channels:read"))]
WriteChannels = Annotated[Caller, Depends(requires("channels:write"))]


@dataclass(frozen=True, slots=True)
class Counter:
    """What the webhooks work with: the kernel, what is known of channels, and the common commit."""

    kernel: Kernel[Settings]
    memory: ChannelMemory
    commit: GroupCommit[Arrival]


@asynccontextmanager
async def furnish(kernel: Kernel[Settings]) -> AsyncIterator[None]:
    """The counter at which webhooks are taken in, for as long as the process runs."""

    settings = kernel.settings

    async def write(arrivals: Sequence[Arrival]) -> None:
        await handlers.take_in(arrivals, kernel.database)

    commit = GroupCommit(
        write, at_once=settings.webhook_group, waiting=settings.webhook_waiting, weigh=attrgetter("weight")
    )
    memory = ChannelMemory(kernel.database, kernel.sealer, seconds=settings.channel_memory)
    kernel.app.state.counter = Counter(kernel, memory, commit)
    yield
    await commit.close()


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
        WEBHOOK_ITEMS.labels(kind, arrival.row.state).inc()
    return Response(status_code=200)


_ADDRESS = "/webhooks/{kind}/{channel_id}"
webhooks = Door(
    Router(
        [Route(_ADDRESS, shake_hands, methods=["GET"]), Route(_ADDRESS, receive, methods=["POST"])],
        redirect_slashes=False,
    ),
    body_bytes=WEBHOOK_BYTES,
)


channels = APIRouter(prefix="/channels", route_class=TransactionRoute, tags=["Channels"])


@channels.post("", status_code=201, summary="Connect a channel account")
async def connect(
    body: NewChannel, caller: WriteChannels, uow: Work, request: Request, response: Response
) -> ChannelShown:
    """Connect an account at a provider, and enter the `webhook_url` there. 409 when it is connected already."""
    kernel: Kernel[Settings] = request.app.state.counter.kernel
    command = ConnectChannel(
        tenant_id=caller.tenant_id,
        kind=body.kind,
        name=body.name,
        account=body.settings.phone_number_id,
        settings=body.settings.model_dump(),
        credentials=_plain(body.credentials),
    )
    channel = await handlers.connect_channel(command, kernel.sealer, uow)
    tell_version(response, channel.version)
    return _show(channel, kernel.settings)


@channels.get("", summary="List channel accounts")
async def list_(caller: ReadChannels, paging: Pages, uow: Work, request: Request) -> Page[ChannelShown]:
    """The tenant's channel accounts, oldest first."""
    settings: Settings = request.app.state.counter.kernel.settings
    after = paging.after(UUID)
    rows = await store.list_channels(
        caller.tenant_id, uow.session, after=after[0] if after else None, limit=paging.more
    )
    return paging.page(rows, lambda row: _show(row, settings), lambda row: (row.id,))


@channels.get("/{channel_id}", summary="Read a channel account")
async def read(channel_id: UUID, caller: ReadChannels, uow: Work, request: Request, response: Response) -> ChannelShown:
    channel = await store.channel(caller.tenant_id, channel_id, uow.session)
    if channel is None:
        raise NotFound
    tell_version(response, channel.version)
    return _show(channel, request.app.state.counter.kernel.settings)


@channels.patch("/{channel_id}", summary="Change a channel account")
async def change(
    channel_id: UUID, body: ChannelChange, caller: WriteChannels, uow: Work, request: Request, response: Response
) -> ChannelShown:
    """Rename it, or replace its credentials as a whole; other processes use the new ones within seconds."""
    kernel: Kernel[Settings] = request.app.state.counter.kernel
    channel = await store.channel(caller.tenant_id, channel_id, uow.session, for_update=True)
    if channel is None:
        raise NotFound
    check_version(request, channel.version)
    credentials = _plain(body.credentials) if body.credentials is not None else None
    await handlers.change_channel(channel, uow, name=body.name, credentials=credentials, sealer=kernel.sealer)
    tell_version(response, channel.version)
    return _show(channel, kernel.settings)


raw_events = APIRouter(prefix="/raw-events", route_class=TransactionRoute, tags=["Channels"])


@raw_events.get("", summary="List raw events")
async def list_raw_events(
    caller: ReadChannels,
    paging: Pages,
    uow: Work,
    state: Annotated[RawEventState, Query(description="What became of them.")] = "failed",
    channel_id: UUID | None = None,
) -> Page[RawEventShown]:
    """What providers sent, item by item, without its content; oldest first, the failed ones if not asked otherwise."""
    after = paging.after(UUID)
    rows = await store.list_raw_events(
        caller.tenant_id,
        uow.session,
        state=state,
        channel_id=channel_id,
        after=after[0] if after else None,
        limit=paging.more,
    )
    return paging.page(rows, _show_raw_event, lambda row: (row.id,))


@raw_events.post("/{raw_event_id}/replays", summary="Replay a failed raw event")
async def replay(raw_event_id: UUID, caller: WriteChannels, uow: Work, request: Request) -> RawEventShown:
    """Try again to understand what a provider sent; 409 says why it cannot be understood still."""
    kernel: Kernel[Settings] = request.app.state.counter.kernel
    row = await handlers.replay_raw_event(caller.tenant_id, raw_event_id, kernel.sealer, kernel.blind_index, uow)
    return _show_raw_event(row)


def _plain(credentials: WhatsAppCredentials) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in credentials if secret is not None}


def _show(channel: Channel, settings: Settings) -> ChannelShown:
    return ChannelShown(
        id=channel.id,
        kind=channel.kind,
        name=channel.name,
        settings=channel.settings,
        webhook_url=f"{settings.public_url}/webhooks/{channel.kind}/{channel.id}",
        created_at=channel.created_at,
        updated_at=channel.updated_at,
    )


def _show_raw_event(row: RawEvent | KeptItem) -> RawEventShown:
    return RawEventShown(
        id=row.id,
        channel_id=row.channel_id,
        path=row.path,
        state=row.state,
        reason=row.reason,
        received_at=row.received_at,
    )
