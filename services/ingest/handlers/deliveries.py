"""What became of messages that were sent: told by the provider's answers and webhooks, in any order and repeatedly."""

import hashlib
from collections.abc import Iterable, Sequence
from uuid import UUID

from services.ingest import store
from services.ingest.channels.sending import TOLD, counts, referred, rises
from services.ingest.domain import KeptItem, StatusReport
from services.ingest.models import DeliveryStatus
from services.ingest.store import HeldSend, News, SendKey
from shared.db import UnitOfWork
from shared.events.ingest import DeliveryChanged


async def settle_sends(news: Sequence[News], uow: UnitOfWork) -> None:
    """Move the sends that these news name to where they stand now, and tell it unless they are notices.

    News of what is no send of ours change nothing; those that came before the send they name are heard with the first
    that tells the provider's id of it.
    """
    held = await store.hold_sends(news, uow.session)
    if not held:
        return
    settling = _Settling(held, uow)
    recognised = settling.hear(news)
    if recognised:
        kept = await store.kept_statuses(recognised, uow.session)
        settling.hear([one for status in kept if (one := news_of(status, status)) is not None])
    if settling.changed:
        await store.change_sends(settling.changed, uow.session)


def news_of(
    where: KeptItem | DeliveryStatus, report: StatusReport | DeliveryStatus, trace: str | None = None
) -> News | None:
    """What a status says of a send; None where nothing follows from it."""
    state = TOLD.get(report.state)
    if state is None:
        return None
    message_id, attempt = referred(report.callback_data)
    return News(
        tenant_id=where.tenant_id,
        channel_id=where.channel_id,
        message_id=message_id,
        attempt=attempt,
        provider_message_id=report.provider_message_id,
        state=state,
        occurred_at=report.occurred_at,
        error_code=str(report.error_code) if report.error_code is not None else None,
        error_title=report.error_title,
        trace=trace,
    )


def text_digest(text: str) -> bytes:
    """By what the words of a notice are known when they are not kept any more."""
    return hashlib.sha256(text.encode()).digest()


class _Settling:
    """Sends on their way to where they stand now."""

    def __init__(self, held: Sequence[HeldSend], uow: UnitOfWork) -> None:
        self._uow = uow
        self._by_key: dict[SendKey | None, HeldSend] = {send.key: send for send in held}
        self._by_id = {_id_of(send): send for send in held if send.provider_message_id is not None}
        self._changed: dict[SendKey, HeldSend] = {}

    @property
    def changed(self) -> list[HeldSend]:
        return [self._changed[key] for key in sorted(self._changed)]

    def hear(self, news: Iterable[News]) -> list[HeldSend]:
        """Take in what was told; the sends whose ids at the provider were learned by it."""
        learned = []
        for one in news:
            send = self._by_key.get(one.key) or self._by_id.get(_id_of(one))
            if send is None or send.channel_id != one.channel_id:
                continue
            if send.provider_message_id is None and one.provider_message_id is not None:
                send.provider_message_id = one.provider_message_id
                self._by_id[_id_of(send)] = self._changed[send.key] = send
                learned.append(send)
            if rises(send.state, one.state):
                self._move(send, one)
        return learned

    def _move(self, send: HeldSend, news: News) -> None:
        send.state, send.changed_at = news.state, news.occurred_at
        send.error_code, send.error_title = news.error_code, news.error_title
        self._changed[send.key] = send
        if send.conversation_id is not None and counts(send.state, superseded=send.superseded):
            self._uow.emit(_delivery_changed(send, send.conversation_id), trace=news.trace)


def _id_of(one: News | HeldSend) -> tuple[UUID, UUID, str | None]:
    return one.tenant_id, one.channel_id, one.provider_message_id


def _delivery_changed(send: HeldSend, conversation_id: UUID) -> DeliveryChanged:
    return DeliveryChanged(
        tenant_id=send.tenant_id,
        conversation_id=conversation_id,
        contact_id=send.contact_id,
        channel_id=send.channel_id,
        message_id=send.message_id,
        attempt=send.attempt,
        state=send.state,
        provider_message_id=send.provider_message_id,
        error_code=send.error_code,
        error_title=send.error_title,
        occurred_at=send.changed_at,
    )
