"""What the doors of ingest work with while the process runs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter

from services.ingest import handlers
from services.ingest.api.chat import lobby
from services.ingest.clients import Bounds, Gates, WhatsAppCloud
from services.ingest.handlers import Arrival, ChannelMemory, Dispatch
from services.ingest.settings import Settings
from shared.db import GroupCommit
from shared.http import outgoing_client
from shared.service import Kernel


@dataclass(frozen=True, slots=True)
class Counter:
    """What the webhooks work with: the kernel, what is known of channels, and the common commit."""

    kernel: Kernel[Settings]
    memory: ChannelMemory
    commit: GroupCommit[Arrival]


@asynccontextmanager
async def furnish(kernel: Kernel[Settings]) -> AsyncIterator[Dispatch]:
    """The counter at which webhooks are taken in, for as long as the process runs, and what its jobs send with."""

    settings = kernel.settings

    async def write(arrivals: Sequence[Arrival]) -> None:
        await handlers.take_in(arrivals, kernel.database)

    commit = GroupCommit(
        write, at_once=settings.webhook_group, waiting=settings.webhook_waiting, weigh=attrgetter("weight")
    )
    memory = ChannelMemory(kernel.database, kernel.sealer, seconds=settings.channel_memory)
    kernel.app.state.counter = Counter(kernel, memory, commit)
    async with lobby(kernel) as kernel.app.state.lobby, outgoing_client(settings.whatsapp_url) as whatsapp:
        yield Dispatch(
            clients={"whatsapp": WhatsAppCloud(whatsapp)},
            gates=Gates(Bounds(settings.send_rate, settings.send_at_once, settings.send_failures, settings.send_pause)),
            sealer=kernel.sealer,
            patience=timedelta(seconds=settings.send_patience),
        )
    await commit.close()
