"""The right of access: when a person asks what is held about him, this process deposits it, page by page.

Each page is read in one transaction, put down with none open, and recorded in another one with the job of the next. To
put the same part down again changes nothing, so that a call of which nobody knows the outcome is made again.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import httpx
import structlog
from pydantic import Field
from sqlalchemy import MetaData, delete

from shared.bus.retry import Poison
from shared.db import Job, UnitOfWork, Waiting
from shared.events.privacy import SubjectDataRequested
from shared.jobs import Again, Does, Outside
from shared.personal import SealBrokenError, Sealer
from shared.rights.deposits import (
    KEY_PURPOSE,
    NO_PARTS,
    Complete,
    Completion,
    Place,
    TableGiven,
    digest_of,
    digest_over,
    seal_part,
)
from shared.rights.holdings import Holdings, Person

log = structlog.get_logger()

_LONGEST_WAIT: Final = 60.0
"""Seconds between two tries while privacy is away."""
_ENDED: Final = {404, 409}
"""What is answered when the request is not known or collects no more."""


class DepositPage(Job):
    """Hand over the next page of what is held about a person."""

    type = "kernel.deposit-page"

    request_id: UUID
    attempt: int
    references: dict[str, list[str]]
    sealed_key: str
    since: datetime
    """Since when it is tried."""
    parts: int = 0
    """How many were put down before."""
    digest: str = NO_PARTS.hex()
    """The digest over these."""
    given: dict[str, int] = Field({})
    """How many rows of each table they held."""
    table: str | None = None
    """The one of these that has more rows, if any has."""
    after: list[Any] | None = None
    """The key of the last row that was given of it."""


def scheduling(service: str) -> Callable[[Sequence[SubjectDataRequested], UnitOfWork], Awaitable[None]]:
    """The handler by which this service hears what is asked for."""

    async def schedule_deposits(events: Sequence[SubjectDataRequested], uow: UnitOfWork) -> None:
        """Begin to deposit what is held, if this service is asked; a later attempt takes the place of an earlier."""
        asked = {event.request_id: event for event in events if service in event.services}
        if asked:
            keys = [_key(request_id) for request_id in asked]
            await uow.session.execute(delete(Waiting).where(Waiting.type == DepositPage.type, Waiting.key.in_(keys)))
        for event in asked.values():
            job = DepositPage(
                tenant_id=event.tenant_id,
                request_id=event.request_id,
                attempt=event.attempt,
                references=event.references,
                sealed_key=event.sealed_key,
                since=uow.now,
            )
            uow.schedule(job, key=_key(event.request_id), due_at=uow.now)

    return schedule_deposits


@dataclass(frozen=True, slots=True)
class _Step:
    """Parts to be put down for a job, and the job that comes after it."""

    job: DepositPage
    key: bytes
    parts: Sequence[bytes]
    following: DepositPage | None
    waited: float
    """Seconds for which it was tried before."""


class Depositor:
    """Hands over what one process holds."""

    def __init__(self, service: str, metadata: Sequence[MetaData], sealer: Sealer, client: httpx.AsyncClient) -> None:
        self._service = service
        self._holdings = Holdings(*metadata)
        self._sealer = sealer
        self._client = client
        self.does: Final[Does] = {DepositPage: Outside(self._read, self._put_down, self._record)}

    async def _read(self, job: DepositPage, uow: UnitOfWork) -> _Step:
        person = Person(job.tenant_id, job.references)
        given = dict(job.given)
        parts: list[bytes] = []
        following: DepositPage | None = None
        for table in self._holdings.tables_about(person):
            if table in given and table != job.table:
                continue
            after = job.after if table == job.table else None
            page = await self._holdings.page(table, person, uow.session, after=after)
            given[table] = given.get(table, 0) + len(page.rows)
            if page.rows:
                parts = page.parts()
                following = _after(job, parts, given, table if page.last is not None else None, page.last)
                break
        else:
            parts = [self._complete(job, given)]
        return _Step(job, self._key_of(job), parts, following, (uow.now - job.since).total_seconds())

    async def _put_down(self, step: _Step, _: object) -> DepositPage | None:
        for number, plain in enumerate(step.parts, start=step.job.parts + 1):
            if not await self._takes(step, number, plain):
                return None
        return step.following

    @staticmethod
    async def _record(_: DepositPage, following: DepositPage | None, uow: UnitOfWork) -> None:
        if following is not None:
            job = following.model_copy(update={"since": uow.now})
            uow.schedule(job, key=_key(job.request_id), due_at=uow.now)

    async def _takes(self, step: _Step, number: int, plain: bytes) -> bool:
        """Whether the request collects this part; raises `Again` while privacy is away."""
        job = step.job
        place = Place(job.tenant_id, job.request_id, self._service, job.attempt, number)
        sealed = seal_part(step.key, plain, place)
        headers = {"Content-Type": "application/octet-stream"}
        # As long again as it was tried before: twice as long each time.
        again = Again(min(max(step.waited, 1.0), _LONGEST_WAIT))
        try:
            answer = await self._client.put(place.path, content=sealed, headers=headers)
        except httpx.TransportError as away:
            raise again from away
        if answer.status_code in _ENDED:
            log.info("a deposit was not wanted any more", request_id=job.request_id, status=answer.status_code)
            return False
        if answer.status_code == 429 or answer.is_server_error:
            raise again
        answer.raise_for_status()
        return True

    def _complete(self, job: DepositPage, given: Mapping[str, int]) -> bytes:
        tables = {
            name: TableGiven(rows=rows, categories=self._holdings.categories(name))
            for name, rows in sorted(given.items())
        }
        completion = Completion(parts=job.parts, digest=job.digest, tables=tables)
        return Complete(complete=completion).model_dump_json().encode()

    def _key_of(self, job: DepositPage) -> bytes:
        try:
            sealed = base64.b64decode(job.sealed_key, validate=True)
            return self._sealer.open(sealed, purpose=KEY_PURPOSE, context=str(job.request_id))
        except (binascii.Error, SealBrokenError) as broken:
            raise Poison("the request's key does not open") from broken


def _after(
    job: DepositPage, parts: Sequence[bytes], given: Mapping[str, int], table: str | None, last: Sequence[Any] | None
) -> DepositPage:
    """The job of the page that comes after these parts: more of this table, or what is next to it."""
    digest = digest_over(map(digest_of, parts), after=bytes.fromhex(job.digest))
    changes = {"parts": job.parts + len(parts), "digest": digest.hex(), "given": given, "table": table, "after": last}
    return job.model_copy(update=changes)


def _key(request_id: UUID) -> str:
    """In turn with the other pages of the same request."""
    return f"deposit:{request_id}"
