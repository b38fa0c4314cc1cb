"""Evidence and packages by API: who handed over what, the link to a package, and its one download."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.privacy import handlers, store
from services.privacy.api.callers import Held, InOffice, ReadPrivacy, Tracked, Visitor, WritePrivacy, find_request
from services.privacy.handlers import Claim
from services.privacy.handlers.audit import SUBJECT
from services.privacy.handlers.packages import DOWNLOAD_TIME
from services.privacy.models import DepositTask, Request
from services.privacy.schemas import DepositShown, EvidenceShown, PackageLinkShown, TableGivenShown
from shared.bearers import SECRET_BYTES
from shared.db import Database, UnitOfWork
from shared.http import AS_IT_COMES, PUBLIC_SCOPE, Conflict, StreamRoute, TransactionRoute, Work, requires, send_in_time

packages = APIRouter(prefix="/privacy/requests", route_class=TransactionRoute, tags=["Privacy"])
own_packages = APIRouter(
    prefix="/public/privacy/requests",
    route_class=TransactionRoute,
    tags=["Privacy"],
    dependencies=[Depends(requires(PUBLIC_SCOPE))],
)
downloads = APIRouter(prefix="/public/privacy/requests", route_class=StreamRoute, tags=["Privacy"])


class _Download(StreamingResponse):
    """A package on its way: once its last byte was handed to the client's connection it is gone here, and before that
    its link stays good."""

    media_type = "application/zip"

    def __init__(self, claimed: Claim, database: Database) -> None:
        name = f"{claimed.cover.about.language}-{claimed.request_id}.zip"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', **AS_IT_COMES}
        super().__init__(handlers.package_stream(claimed, database), headers=headers)
        self._claimed = claimed
        self._database = database
        self._handed_over = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(DOWNLOAD_TIME.total_seconds()):
                await super().__call__(scope, receive, send)
        finally:
            if not self._handed_over:
                async with self._transaction() as uow:
                    await handlers.release(self._claimed, uow)

    async def stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(cast("AsyncGenerator[bytes]", self.body_iterator)) as pieces:
            async for piece in pieces:
                await send_in_time({"type": "http.response.body", "body": piece, "more_body": True}, send)
        # The end of the answer is what tells the client that it has all: it comes when all is gone here.
        async with self._transaction() as uow:
            await handlers.hand_over(self._claimed, uow)
        self._handed_over = True
        await send_in_time({"type": "http.response.body", "body": b"", "more_body": False}, send)

    def _transaction(self) -> Any:
        return self._database.unit_of_work([self._claimed.tenant_id])


@packages.get("/{request_id}/evidence", summary="Read the evidence of a request")
async def read_evidence(request_id: UUID, caller: ReadPrivacy, uow: Work) -> EvidenceShown:
    """What each service was asked for and what it handed over, in numbers: it names nobody, and is kept when the
    package is gone."""
    request = await find_request(caller, request_id, uow)
    tasks = await store.tasks(request.tenant_id, request.id, uow.session)
    return EvidenceShown(request_id=request.id, services=[_show(task) for task in tasks])


@packages.post("/{request_id}/package-links", status_code=201, summary="Make a link to a package")
async def make_link(request: Held, caller: WritePrivacy, uow: Work) -> PackageLinkShown:
    """A link that opens the package once, for 15 minutes; it takes the place of the one before. 409 when there is no
    package to be taken, or while it is being taken."""
    return await _make_link(request, caller.id, uow)


@own_packages.post("/{request_id}/package-links", status_code=201, summary="Make a link to one's own package")
async def make_own_link(request: Tracked, uow: Work) -> PackageLinkShown:
    """The same for the person himself, after he has proved who he is: the `X-Tracking-Token` is his. 409 when there is
    no package to be taken, or while it is being taken; 409 `through-the-office` for a request that the staff took in,
    who hold its token too: then the data protection officer has the link."""
    if request.origin == "staff":
        raise Conflict("The data protection officer gives the link to this package.", slug="through-the-office")
    if request.proven_at is None:
        raise Conflict("Prove first who you are.", slug="identity-not-proved")
    return await _make_link(request, SUBJECT, uow)


@downloads.get("/{request_id}/package", status_code=200, summary="Download a package", response_class=_Download)
async def download(
    request_id: UUID,
    here: InOffice,
    caller: Visitor,
    link: Annotated[str, Query(description="As it stands in the link.")],
) -> Response:
    """All that is held about a person, as a ZIP: `data.json` for machines, by the `schema.json` beside it, and
    `index.html` to be read. It is had once: when the last byte was handed to the client's connection it is gone, with
    its key and its link. A download that breaks before leaves the link good until its time is over; HTTP tells no
    receipt, so that what the connection loses after the last byte is gone too. 404 for a link that opens nothing, or
    nothing any more; 409 while the package is being taken."""
    async with here.database.unit_of_work([caller.tenant_id]) as uow:
        claimed = await handlers.claim(caller.tenant_id, request_id, link, here.sealer, uow)
    return _Download(claimed, here.database)


async def _make_link(request: Request, actor: str, uow: UnitOfWork) -> PackageLinkShown:
    tenant = await store.tenant(request.tenant_id, uow.session)
    link, expires_at = await handlers.make_link(request, secrets.token_bytes(SECRET_BYTES), actor, uow)
    slug = tenant.slug if tenant is not None else ""
    return PackageLinkShown(
        url=f"/v1/public/{slug}/privacy/requests/{request.id}/package?link={link}", expires_at=expires_at
    )


def _show(task: DepositTask) -> DepositShown:
    return DepositShown(
        service=task.service,
        state="complete" if task.completed_at is not None else "waiting",
        asked_at=task.asked_at,
        completed_at=task.completed_at,
        parts=task.parts,
        tables={name: TableGivenShown(**given) for name, given in (task.tables or {}).items()},
        sha256=task.digest.hex() if task.digest is not None else None,
    )
