"""A tenant's channel accounts."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from services.ingest import handlers, store
from services.ingest.channels import CHANNELS, web_chat
from services.ingest.handlers import ConnectChannel
from services.ingest.models import Channel
from services.ingest.schemas import ChannelChange, ChannelShown, NewChannel, WhatsAppCredentials, WhatsAppSettings
from services.ingest.settings import Settings
from shared.http import (
    Caller,
    Invalid,
    NotFound,
    Page,
    Pages,
    TransactionRoute,
    Work,
    check_version,
    requires,
    tell_version,
)
from shared.service import Kernel

ReadChannels = Annotated[Caller, Depends(requires("channels:read"))]
WriteChannels = Annotated[Caller, Depends(requires("channels:write"))]

channels = APIRouter(prefix="/channels", route_class=TransactionRoute, tags=["Channels"])


@channels.post("", status_code=201, summary="Connect a channel account")
async def connect(
    body: NewChannel, caller: WriteChannels, uow: Work, request: Request, response: Response
) -> ChannelShown:
    """Connect an account at a provider, and enter the `webhook_url` there; or open a web chat. 409 when it is connected
    already."""
    kernel: Kernel[Settings] = request.app.state.counter.kernel
    command = ConnectChannel(
        tenant_id=caller.tenant_id,
        kind=body.kind,
        name=body.name,
        account=body.settings.phone_number_id if isinstance(body.settings, WhatsAppSettings) else None,
        settings=body.settings.model_dump(),
        credentials=_plain(body.credentials) if body.credentials is not None else {},
    )
    channel = await handlers.connect_channel(command, kernel.sealer, uow)
    tell_version(response, channel.version)
    return _show(channel, kernel.settings)


@channels.get("", summary="List channel accounts")
async def list_(caller: ReadChannels, paging: Pages, uow: Work, request: Request) -> Page[ChannelShown]:
    """The tenant's channel accounts, oldest first."""
    settings: Settings = request.app.state.counter.kernel.settings
    rows = await store.list_channels(caller.tenant_id, uow.session, after=paging.after_id(), limit=paging.more)
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
    """Rename it, or replace its settings or credentials as a whole; other processes use the new ones within seconds."""
    kernel: Kernel[Settings] = request.app.state.counter.kernel
    channel = await store.channel(caller.tenant_id, channel_id, uow.session, for_update=True)
    if channel is None:
        raise NotFound
    check_version(request, channel.version)
    foreign = {"credentials"} if channel.kind == web_chat.KIND else {"settings"}
    if misplaced := sorted(foreign & body.model_fields_set):
        raise Invalid(errors=[{"pointer": f"/{name}", "detail": "cannot be changed here"} for name in misplaced])
    await handlers.change_channel(
        channel,
        uow,
        name=body.name,
        settings=body.settings.model_dump() if body.settings is not None else None,
        credentials=_plain(body.credentials) if body.credentials is not None else None,
        sealer=kernel.sealer,
    )
    tell_version(response, channel.version)
    return _show(channel, kernel.settings)


def _plain(credentials: WhatsAppCredentials) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in credentials if secret is not None}


def _show(channel: Channel, settings: Settings) -> ChannelShown:
    return ChannelShown(
        id=channel.id,
        kind=channel.kind,
        name=channel.name,
        settings=channel.settings,
        webhook_url=f"{settings.public_url}/webhooks/{channel.kind}/{channel.id}" if channel.kind in CHANNELS else None,
        created_at=channel.created_at,
        updated_at=channel.updated_at,
    )
