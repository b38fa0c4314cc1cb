"""A tenant's accounts at the providers: connected, changed, and known when their webhooks come."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from services.ingest import store
from services.ingest.channels import CHANNELS
from services.ingest.models import Channel, ChannelTenant
from shared.db import Database, UnitOfWork, is_unique_violation
from shared.http import Conflict, NotFound
from shared.memory import Memory
from shared.personal import Sealer

_PURPOSE = "channel-credentials"
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class KnownChannel:
    """A channel account with what is needed to take in its webhooks."""

    id: UUID
    tenant_id: UUID
    kind: str
    account: str
    secrets: Mapping[str, str] = field(repr=False)
    siblings: Mapping[str, UUID] = field(repr=False)
    """The tenant's channels that share the signing secret, by the provider's id of the account."""


class ChannelMemory:
    """What is known of channels, for a few seconds: a webhook needs no question to the database."""

    def __init__(self, database: Database, sealer: Sealer, *, seconds: float) -> None:
        self._database = database
        self._sealer = sealer
        self._seconds = seconds
        self._asking = asyncio.Semaphore(2)
        self._known: Memory[UUID, KnownChannel] = Memory(_MOST_KNOWN)

    async def get(self, kind: str, channel_id: str) -> KnownChannel:
        """The channel account of a webhook's address; raises `NotFound`."""
        try:
            wanted = UUID(channel_id)
        except ValueError:
            raise NotFound from None
        channel = self._known.get(wanted)
        if channel is None:
            # Whoever asks for addresses that do not exist must leave connections to those that do.
            async with self._asking:
                # Of those who waited for the same one, the first has asked for all.
                channel = self._known.get(wanted) or await know_channel(wanted, self._database, self._sealer)
            if channel is not None:
                self._known.keep(wanted, channel, seconds=self._seconds)
        # A kind that is no provider's has no webhooks.
        if channel is None or channel.kind != kind or kind not in CHANNELS:
            raise NotFound
        return channel


@dataclass(frozen=True, slots=True)
class ConnectChannel:
    tenant_id: UUID
    kind: str
    name: str
    account: str | None
    """None where there is no provider; then it is the channel's own id."""
    settings: Mapping[str, Any]
    credentials: Mapping[str, str] = field(repr=False)


async def connect_channel(command: ConnectChannel, sealer: Sealer, uow: UnitOfWork) -> Channel:
    """A new channel account; raises `Conflict` when the tenant has connected this account before."""
    channel_id = uow.new_id()
    channel = Channel(
        id=channel_id,
        tenant_id=command.tenant_id,
        kind=command.kind,
        name=command.name,
        account=command.account or str(channel_id),
        settings=dict(command.settings),
        credentials=b"",
        version=1,
        created_at=uow.now,
        updated_at=uow.now,
    )
    channel.credentials = _seal(command.credentials, channel, sealer)
    uow.session.add(channel)
    uow.session.add(ChannelTenant(channel_id=channel.id, tenant_id=channel.tenant_id))
    try:
        await uow.session.flush()
    except Exception as error:
        if is_unique_violation(error):
            raise Conflict("This account is connected already.", slug="channel-exists") from None
        raise
    return channel


async def change_channel(
    channel: Channel,
    uow: UnitOfWork,
    *,
    name: str | None,
    settings: Mapping[str, Any] | None,
    credentials: Mapping[str, str] | None,
    sealer: Sealer,
) -> None:
    """Rename a channel, or replace its settings or its credentials."""
    changes: dict[str, object] = {} if name is None else {"name": name}
    if settings is not None:
        changes["settings"] = dict(settings)
    if credentials is not None and credentials != open_credentials(channel, sealer):
        changes["credentials"] = _seal(credentials, channel, sealer)
    uow.change(channel, changes)


def _seal(credentials: Mapping[str, str], channel: Channel, sealer: Sealer) -> bytes:
    return sealer.seal(orjson.dumps(dict(credentials)), purpose=_PURPOSE, context=f"{channel.tenant_id}|{channel.id}")


def open_credentials(channel: Channel, sealer: Sealer) -> dict[str, str]:
    plain = sealer.open(channel.credentials, purpose=_PURPOSE, context=f"{channel.tenant_id}|{channel.id}")
    secrets: dict[str, str] = orjson.loads(plain)
    return secrets


async def know_channel(channel_id: UUID, database: Database, sealer: Sealer) -> KnownChannel | None:
    """A channel account by its id alone, as the providers know it."""
    async with database.unit_of_work(()) as uow:
        tenant_id = await store.tenant_of_channel(channel_id, uow.session)
    if tenant_id is None:
        return None
    async with database.unit_of_work([tenant_id]) as uow:
        channel = await store.channel(tenant_id, channel_id, uow.session)
        if channel is None:
            return None
        others = await store.channels_of(tenant_id, uow.session, kind=channel.kind)
    secrets = open_credentials(channel, sealer)
    return KnownChannel(
        id=channel.id,
        tenant_id=tenant_id,
        kind=channel.kind,
        account=channel.account,
        secrets=secrets,
        siblings=siblings_of(secrets, others, sealer),
    )


def siblings_of(secrets: Mapping[str, str], others: Sequence[Channel], sealer: Sealer) -> dict[str, UUID]:
    secret = secrets.get("app_secret")
    return {other.account: other.id for other in others if open_credentials(other, sealer).get("app_secret") == secret}
