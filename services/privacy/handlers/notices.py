"""Telling a person of his request, at an address that is on file."""

from collections.abc import Mapping
from datetime import datetime

from services.privacy import store
from services.privacy.domain.deadlines import Place
from services.privacy.domain.identity import Known, reached_at
from services.privacy.domain.notices import Notice, moment_words, notice_text, until_words
from services.privacy.domain.package.words import authority, language
from services.privacy.handlers.audit import PRIVACY
from services.privacy.handlers.requests import note, tenant_of
from services.privacy.models import Request
from shared.db import UnitOfWork
from shared.events.ingest import Address
from shared.events.privacy import NoticeQueued


async def tell(request: Request, kind: Notice, values: Mapping[str, str | datetime], uow: UnitOfWork) -> bool:
    """Have a person told something, and whether he is: no channel may reach him, and before he is proven he is told
    nothing but his code.

    `values` fill in the notice's words (see `domain.notices`), a moment as it is called in the person's language and
    the tenant's zone, since nobody knows his own; the tenant's name and the authority come by themselves.
    """
    if kind != "proof_code" and request.proven_at is None:
        return False
    tenant = await store.tenant(request.tenant_id, uow.session)
    known = await _address(request, uow)
    if tenant is None or known is None:
        await note(request, "notice_not_sent", uow, actor=PRIVACY, kind=kind)
        return False
    locale = request.locale or tenant.locale
    name, url = authority(tenant.legal_regime, tenant.country, language(locale))
    words = {
        key: value if isinstance(value, str) else moment_words(value, tenant.time_zone, locale)
        for key, value in values.items()
    }
    told = {"tenant": tenant.name, "authority": name, "authority_url": url, **words}
    uow.emit(
        NoticeQueued(
            tenant_id=request.tenant_id,
            notice_id=uow.new_id(),
            request_id=request.id,
            subject_id=known.subject_id,
            kind=kind,
            channel_id=known.channel_id,
            channel_kind=known.channel_kind,
            recipient=[Address(kind=known.kind, value=known.value)],
            text=notice_text(kind, locale, told),
            queued_at=uow.now,
        )
    )
    await note(request, "notice_queued", uow, actor=PRIVACY, kind=kind, channel_kind=known.channel_kind)
    return True


async def tell_extension(request: Request, uow: UnitOfWork) -> bool:
    """Have a person told that it takes longer, and why; under the GDPR, until when. Whether he is."""
    told = request.extension_reason or ""
    place = Place.of(request.inputs)
    if place.regime == "gdpr":
        tenant = await tenant_of(request, uow)
        told = f"{told} {until_words(request.due_at, place.time_zone, request.locale or tenant.locale)}"
    return await tell(request, "extended", {"reason": told}, uow)


async def _address(request: Request, uow: UnitOfWork) -> Known | None:
    """Where the code went, else where he is reached best."""
    if request.identifier_id is not None:
        known = await store.address(request.tenant_id, request.identifier_id, uow.session)
        if known is not None:
            return known
    addresses = await store.addresses(request.tenant_id, uow.session, of=request.subject_ids)
    return reached_at(addresses, request.contact_channel)
