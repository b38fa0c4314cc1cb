"""The package of a request: ready for some days, taken once by a link, and then gone with its key.

The key stands, sealed, in what was said when the services were asked, too: it stays in the topic for up to seven days,
and opens nothing without the root key, nor anything that is left once the parts are gone.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.privacy import store
from services.privacy.domain.package.contents import Cover, Holding
from services.privacy.domain.package.link import PackageLink
from services.privacy.domain.package.shape import About, Authority, Category, Controller, Proof
from services.privacy.domain.package.shape import Request as RequestTold
from services.privacy.domain.package.words import (
    WORDS,
    authority,
    category_place,
    category_words,
    language,
    recipient,
)
from services.privacy.handlers.audit import PRIVACY
from services.privacy.handlers.notices import tell
from services.privacy.handlers.requests import move, note
from services.privacy.models import Package, Request, Tenant
from shared.db import Job, UnitOfWork
from shared.http import Conflict, NotFound, Unavailable
from shared.personal import Sealer
from shared.rights import KEY_PURPOSE

KEPT: Final = timedelta(days=7)
"""How long a package waits to be taken."""
LINK_LIFE: Final = timedelta(minutes=15)
DOWNLOAD_TIME: Final = timedelta(minutes=15)
"""How long a download may take; for so long nobody else begins one."""


class PackageExpired(Job):
    """Destroy what was not taken."""

    type = "privacy.package-expired"

    request_id: UUID


@dataclass(frozen=True, slots=True)
class Claim:
    """A package that one download has for itself."""

    tenant_id: UUID
    request_id: UUID
    until: datetime
    actor: str
    """Who had its link made."""
    key: bytes = field(repr=False)
    cover: Cover
    holdings: Sequence[Holding]

    @property
    def is_empty(self) -> bool:
        return not any(holding.rows for holding in self.holdings)


async def make_ready(request: Request, package: Package, uow: UnitOfWork) -> None:
    """All is there: the person is told that he can take it, and nobody waits for us any more."""
    package.expires_at = uow.now + KEPT
    request.answered_at = uow.now
    job = PackageExpired(tenant_id=request.tenant_id, request_id=request.id)
    uow.schedule(job, key=f"package|{request.id}", due_at=package.expires_at)
    await move(request, "delivering", uow, actor=PRIVACY)
    await tell(request, "package_ready", {"until": package.expires_at}, uow)


async def make_link(request: Request, secret: bytes, actor: str, uow: UnitOfWork) -> tuple[PackageLink, datetime]:
    """A link that opens the package once, and until when; it takes the place of the one before.

    The request is locked. Raises `Conflict` when there is no package to take, or while it is being taken.
    """
    package = await store.package(request.tenant_id, request.id, uow.session)
    if package is None or package.expires_at is None or package.expires_at <= uow.now:
        raise Conflict("There is no package to be taken.", slug="no-package")
    if _is_claimed(package, uow.now):
        raise _being_taken()
    link = PackageLink(request.tenant_id, secret)
    expires_at = min(uow.now + LINK_LIFE, package.expires_at)
    package.link_digest, package.link_made_by, package.link_expires_at = link.digest, actor, expires_at
    await note(request, "package_link_made", uow, actor=actor)
    return link, expires_at


async def claim(tenant_id: UUID, request_id: UUID, token: str, sealer: Sealer, uow: UnitOfWork) -> Claim:
    """The package for one download, which its link opens to nobody else meanwhile.

    Raises `NotFound` for a link that opens nothing, or nothing any more, and `Conflict` while it is being taken.
    """
    request = await store.request(tenant_id, request_id, uow.session, for_update=True)
    package = await store.package(tenant_id, request_id, uow.session)
    link = PackageLink.parse(token)
    if request is None or package is None or link is None or not _opens(link, package, uow.now):
        raise NotFound("This link opens nothing: it was used, or its time is over.")
    if _is_claimed(package, uow.now):
        raise _being_taken()
    package.claimed_until = uow.now + DOWNLOAD_TIME
    holdings = await _holdings(request, uow)
    actor = _maker(package)
    await note(request, "package_download_begun", uow, actor=actor)
    return Claim(
        tenant_id=tenant_id,
        request_id=request_id,
        until=package.claimed_until,
        actor=actor,
        key=sealer.open(package.sealed_key, purpose=KEY_PURPOSE, context=str(request_id)),
        cover=await _cover(request, holdings, uow),
        holdings=holdings,
    )


async def release(claimed: Claim, uow: UnitOfWork) -> None:
    """The download broke: the link opens the package again until its time is over."""
    request, package = await _claimed(claimed, uow)
    if request is not None and package is not None:
        package.claimed_until = None
        await note(request, "package_download_broken", uow, actor=claimed.actor)


async def hand_over(claimed: Claim, uow: UnitOfWork) -> None:
    """The last byte was handed to the client's connection: parts, key and link are gone, and the request is done.

    What that connection loses from here on is gone too: HTTP tells no receipt. Raises `NotFound` when the package is
    not this download's any more.
    """
    request, package = await _claimed(claimed, uow)
    if request is None or package is None:
        raise NotFound
    await destroy(request, uow)
    await move(request, "completed_no_data" if claimed.is_empty else "completed", uow, actor=claimed.actor)
    await note(request, "package_delivered", uow, actor=claimed.actor)


async def expire_package(job: PackageExpired, uow: UnitOfWork) -> None:
    """Nobody took it in time: parts and key are gone, and the request is done."""
    request = await store.request(job.tenant_id, job.request_id, uow.session, for_update=True)
    package = await store.package(job.tenant_id, job.request_id, uow.session)
    if request is None or package is None:
        return
    if package.claimed_until is not None and package.claimed_until > uow.now:
        uow.schedule(job, key=f"package|{request.id}", due_at=package.claimed_until)
        return
    await destroy(request, uow)
    request.outcome = "not_taken"
    await move(request, "completed", uow, actor=PRIVACY, reason="package_expired")
    await note(request, "package_expired", uow, actor=PRIVACY)


async def destroy(request: Request, uow: UnitOfWork) -> None:
    """What was gathered for a request is gone with its key, however far it had come."""
    await store.destroy_package(request.tenant_id, request.id, uow.session)


async def _holdings(request: Request, uow: UnitOfWork) -> list[Holding]:
    places = await store.part_places(request.tenant_id, request.id, uow.session)
    numbers: dict[tuple[str, str], list[int]] = {}
    for service, table, number in places:
        numbers.setdefault((service, table), []).append(number)
    return [
        Holding(
            service=task.service,
            table=table,
            rows=given["rows"],
            categories=given["categories"],
            attempt=task.attempt,
            parts=numbers.get((task.service, table), []),
        )
        for task in await store.tasks(request.tenant_id, request.id, uow.session)
        for table, given in (task.tables or {}).items()
    ]


async def _cover(request: Request, holdings: Sequence[Holding], uow: UnitOfWork) -> Cover:
    tenant = await store.tenant(request.tenant_id, uow.session)
    if tenant is None:
        raise Unavailable("The tenant is not known here yet.")
    proven = request.proven_by is not None and request.proven_at is not None
    return Cover(
        controller=Controller(name=tenant.name, country=tenant.country, regime=tenant.legal_regime),
        request=RequestTold(
            id=request.id,
            right=request.right,
            received_at=request.received_at,
            proof=Proof(method=request.proven_by, proved_at=request.proven_at) if proven else None,
        ),
        about=await _about(request, tenant, holdings, uow),
        zone=ZoneInfo(tenant.time_zone),
        made_at=uow.now,
    )


async def _about(request: Request, tenant: Tenant, holdings: Sequence[Holding], uow: UnitOfWork) -> About:
    spoken = language(request.locale or tenant.locale)
    words = WORDS[spoken]
    held = {category for holding in holdings if holding.rows for category in holding.categories.values()}
    told = [(category, *category_words(category, spoken)) for category in sorted(held, key=category_place)]
    addresses = await store.addresses(request.tenant_id, uow.session, of=request.subject_ids)
    name, url = authority(tenant.legal_regime, tenant.country, spoken)
    return About(
        language=spoken,
        categories=[Category(category=each, name=called, explanation=what) for each, called, what in told],
        origin=words.origin.format(controller=tenant.name),
        recipients=[
            words.recipients.format(controller=tenant.name),
            *(recipient(kind, spoken) for kind in sorted({address.channel_kind for address in addresses})),
        ],
        whom_to_ask=words.ask.format(controller=tenant.name),
        rights=list(words.rights.get(tenant.legal_regime, ())),
        authority=Authority(name=name, url=url),
    )


async def _claimed(claimed: Claim, uow: UnitOfWork) -> tuple[Request | None, Package | None]:
    """The request, locked, and its package if it is this download's still."""
    request = await store.request(claimed.tenant_id, claimed.request_id, uow.session, for_update=True)
    package = await store.package(claimed.tenant_id, claimed.request_id, uow.session)
    return request, package if package is not None and package.claimed_until == claimed.until else None


def _opens(link: PackageLink, package: Package, now: datetime) -> bool:
    if package.link_digest is None or package.link_expires_at is None:
        return False
    return hmac.compare_digest(link.digest, package.link_digest) and now < package.link_expires_at


def _maker(package: Package) -> str:
    if package.link_made_by is None:
        raise LookupError("a link is somebody's")
    return package.link_made_by


def _is_claimed(package: Package, now: datetime) -> bool:
    return package.claimed_until is not None and now < package.claimed_until


def _being_taken() -> Conflict:
    return Conflict("The package is being downloaded just now.", slug="package-being-taken")
