"""What providers post is taken in, item by item, each once; what was not understood can be tried again."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from uuid import UUID

import stamina

from services.ingest import store
from services.ingest.channels import CHANNELS
from services.ingest.domain import (
    Item,
    Kept,
    KeptItem,
    Meaning,
    MisunderstoodError,
    StatusReport,
    UnreadableBodyError,
    Whereabouts,
)
from services.ingest.handlers.channels import KnownChannel, open_credentials, siblings_of
from services.ingest.handlers.deliveries import news_of, settle_sends, text_digest
from services.ingest.models import ChatSession
from services.ingest.store import Echo
from shared.db import Database, UnitOfWork, is_conflict, is_unique_violation
from shared.events.ingest import Address, FromChannel, MessageReceived
from shared.http import Conflict, NotFound
from shared.ids import new_id
from shared.personal import BlindIndex, Sealer
from shared.telemetry import current_trace

ITEM_BYTES = 256 * 1024
"""What an item may have to become an event, many times what any provider lets a person send."""

_ROW_BYTES = 4 * 1024
_STRANGE = "It is for an account that is not connected here."


@dataclass(frozen=True, slots=True)
class Arrival:
    """An item, the row that keeps it, and what it means; no meaning where it was not understood."""

    row: KeptItem
    meaning: Meaning | None
    trace: str | None = None
    """The request that brought it."""

    @property
    def weight(self) -> int:
        """Bytes, roughly, that it takes while it waits to be written."""
        return _ROW_BYTES + len(self.row.body)


def read_webhook(channel: KnownChannel, body: bytes, index: BlindIndex, now: datetime) -> list[Arrival]:
    """The items of a verified body, each with what it means. Nothing is refused: what is not understood is kept."""
    trace = current_trace()
    try:
        items = CHANNELS[channel.kind].split(body)
    except UnreadableBodyError as unreadable:
        digest = hashlib.sha256(body).hexdigest()
        return [Arrival(_row(Item("", None, f"body:{digest}", body), channel.id, channel, now, str(unreadable)), None)]
    return [_arrive(item, channel, index, now, trace) for item in items]


def _arrive(item: Item, channel: KnownChannel, index: BlindIndex, now: datetime, trace: str | None) -> Arrival:
    channel_id = channel.siblings.get(item.account) if item.account is not None else channel.id
    row = _row(item, channel_id or channel.id, channel, now)
    if channel_id is None:
        return _failed(row, _STRANGE, channel.kind, index)
    if len(item.body) > ITEM_BYTES:
        return _failed(row, f"It has more than {ITEM_BYTES} bytes.", channel.kind, index)
    try:
        meaning = understand(row, channel.kind, index)
    except MisunderstoodError as misunderstood:
        return _failed(row, str(misunderstood), channel.kind, index)
    _settle(row, meaning, channel.kind, index)
    return Arrival(row, meaning, trace)


def _failed(row: KeptItem, why: str, kind: str, index: BlindIndex) -> Arrival:
    row.state, row.reason, row.sender_ref = "failed", why, _named(row, kind, index)
    return Arrival(row, None)


def _settle(row: KeptItem, meaning: Meaning, kind: str, index: BlindIndex) -> None:
    """Let the row tell what became of the item, and whom it names."""
    row.state, row.reason = ("kept", meaning.reason) if isinstance(meaning, Kept) else ("accepted", None)
    match meaning:
        case FromChannel(sender_ref=ref) | StatusReport(recipient_ref=ref):
            row.sender_ref = ref
        case _:
            row.sender_ref = _named(row, kind, index)


def _named(row: KeptItem, kind: str, index: BlindIndex) -> str | None:
    address = CHANNELS[kind].named(_item(row))
    return fingerprint(row, index)(address) if address is not None else None


def understand(row: KeptItem, kind: str, index: BlindIndex) -> Meaning:
    """What a raw event means today; raises `MisunderstoodError`."""
    where = Whereabouts(row.tenant_id, row.channel_id, row.id, row.received_at, fingerprint(row, index))
    return CHANNELS[kind].understand(_item(row), where)


def _item(row: KeptItem) -> Item:
    return Item(row.path, row.account, row.dedup_key, row.body)


def fingerprint(row: KeptItem | ChatSession, index: BlindIndex) -> Callable[[Address], str]:
    def of(address: Address) -> str:
        return index.of_address(row.tenant_id, row.channel_id, address.kind, address.value)

    return of


def _row(item: Item, channel_id: UUID, channel: KnownChannel, now: datetime, failure: str | None = None) -> KeptItem:
    return KeptItem(
        id=new_id(),
        tenant_id=channel.tenant_id,
        channel_id=channel_id,
        dedup_key=item.dedup_key,
        path=item.path,
        account=item.account,
        body=item.body,
        state="failed" if failure else "accepted",
        reason=failure,
        received_at=now,
    )


async def take_in(arrivals: Sequence[Arrival], database: Database) -> None:
    """Make these items durable and say what they mean, those that were not there before; in one transaction."""
    try:
        await _write(arrivals, database, all_new=True)
    except Exception as failure:
        # Few things are posted twice; it is looked for those only where there are some.
        if not (is_unique_violation(failure) or is_conflict(failure)):
            raise
    else:
        return
    async for attempt in stamina.retry_context(is_conflict, attempts=5, timeout=3, wait_initial=0.02, wait_max=0.3):
        with attempt:
            await _write(arrivals, database, all_new=False)


async def _write(arrivals: Sequence[Arrival], database: Database, *, all_new: bool) -> None:
    async with database.unit_of_work({arrival.row.tenant_id for arrival in arrivals}) as uow:
        new = await _without_notices(arrivals, uow)
        rows = [arrival.row for arrival in new]
        if all_new:
            await store.add_raw_events(rows, uow.session)
        else:
            kept = await store.add_new_raw_events(rows, uow.session)
            new = [arrival for arrival in new if arrival.row.id in kept]
        await _tell(new, uow)


async def _without_notices(arrivals: Sequence[Arrival], uow: UnitOfWork) -> Sequence[Arrival]:
    """The same, but of the echo of a notice only that it came: no agent reads what was said to a person alone."""
    echoes = {
        arrival.row.id: Echo(
            arrival.row.tenant_id,
            arrival.row.channel_id,
            arrival.meaning.provider_message_id,
            text_digest(arrival.meaning.content.text) if arrival.meaning.content.text is not None else None,
        )
        for arrival in arrivals
        if isinstance(arrival.meaning, MessageReceived) and arrival.meaning.direction == "outbound"
    }
    if not echoes:
        return arrivals
    notices = await store.echoes_of_notices(echoes.values(), uow.now, uow.session)
    return [_emptied(one) if echoes.get(one.row.id) in notices else one for one in arrivals]


def _emptied(arrival: Arrival) -> Arrival:
    row = replace(arrival.row, body=b"{}", state="kept", reason="the echo of a notice")
    return replace(arrival, row=row, meaning=None)


async def _tell(arrivals: Sequence[Arrival], uow: UnitOfWork) -> None:
    statuses, news = [], []
    for arrival in arrivals:
        if isinstance(arrival.meaning, FromChannel):
            uow.emit(arrival.meaning, trace=arrival.trace)
        elif isinstance(arrival.meaning, StatusReport):
            statuses.append(_status(arrival.row, arrival.meaning))
            news.append(news_of(arrival.row, arrival.meaning, arrival.trace))
    if statuses:
        await store.keep_statuses(statuses, uow.session)
        await settle_sends([one for one in news if one is not None], uow)


def _status(row: KeptItem, report: StatusReport) -> dict[str, object]:
    told = {field.name: getattr(report, field.name) for field in fields(report) if field.name != "recipient_ref"}
    return told | {"raw_event_id": row.id, "tenant_id": row.tenant_id, "channel_id": row.channel_id}


async def replay_raw_event(
    tenant_id: UUID, raw_event_id: UUID, sealer: Sealer, index: BlindIndex, uow: UnitOfWork
) -> KeptItem:
    """Try again to understand a failed raw event.

    Raises `NotFound`, and `Conflict` when it has taken effect before or is still not understood.
    """
    row = await store.raw_event(tenant_id, raw_event_id, uow.session)
    channel = await store.channel(tenant_id, row.channel_id, uow.session) if row is not None else None
    if row is None or channel is None:
        raise NotFound
    if row.state != "failed":
        raise Conflict("Only failed raw events can be replayed.", slug="not-failed")
    if row.account is not None and row.account != channel.account:
        others = await store.channels_of(tenant_id, uow.session, kind=channel.kind)
        sibling = siblings_of(open_credentials(channel, sealer), others, sealer).get(row.account)
        if sibling is None:
            raise Conflict(_STRANGE, slug="still-failed")
        row.channel_id = sibling
    try:
        meaning = understand(row, channel.kind, index)
    except MisunderstoodError as misunderstood:
        raise Conflict(str(misunderstood), slug="still-failed") from misunderstood
    _settle(row, meaning, channel.kind, index)
    try:
        await store.settle_raw_event(row, uow.session)
    except Exception as error:
        if is_unique_violation(error):
            raise Conflict("It came again meanwhile, and was taken in.", slug="came-again") from None
        raise
    await _tell([Arrival(row, meaning)], uow)
    return row
