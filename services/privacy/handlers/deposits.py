"""Taking what a service hands over: whatever opens with the request's key was sealed by who was asked."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from services.privacy import store
from services.privacy.domain.package.contents import ends_row
from services.privacy.handlers import packages
from services.privacy.handlers.requests import note, tell_changed
from services.privacy.models import DepositTask, Request
from shared.db import UnitOfWork
from shared.http import Conflict, NotFound
from shared.personal import SealBrokenError, Sealer
from shared.rights import KEY_PURPOSE, Complete, Completion, Part, Place, digest_of, digest_over, open_part, read_part

COLLECTING: Final = frozenset({"collecting", "action_required"})
"""The states of a request in which deposits are taken: who was silent may still answer."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A part that was sealed for its place."""

    part: Part | Complete
    plain_digest: bytes
    sealed: bytes = field(repr=False)


async def find_key(place: Place, sealer: Sealer, uow: UnitOfWork) -> bytes:
    """The key of the request that a part is for; raises `NotFound`, and `Conflict` when it collects no more."""
    request = await store.request(place.tenant_id, place.request_id, uow.session)
    if request is None:
        raise NotFound
    package = await store.package(place.tenant_id, place.request_id, uow.session)
    if package is None or request.state not in COLLECTING:
        raise _ended()
    return sealer.open(package.sealed_key, purpose=KEY_PURPOSE, context=str(place.request_id))


async def open_deposit(place: Place, key: bytes, sealed: bytes) -> Opened:
    """What was sealed for this place; raises `NotFound`, as though there were no such request, for anything else."""
    try:
        return await asyncio.to_thread(_open, place, key, sealed)
    except (SealBrokenError, ValueError):
        raise NotFound from None


async def take_deposit(place: Place, opened: Opened, uow: UnitOfWork) -> None:
    """Keep a part as it came; the last one that was missing completes its service, and the last service the package.

    The same number again takes the place of the earlier one, and what a service has completed stays as it is. Raises
    `Conflict` when the request collects no more, or not in this attempt: who was given up may still be at it.
    """
    request = await store.request(place.tenant_id, place.request_id, uow.session, for_update=True)
    package = await store.package(place.tenant_id, place.request_id, uow.session)
    if request is None or package is None or request.state not in COLLECTING:
        raise _ended()
    tasks = {task.service: task for task in await store.tasks(place.tenant_id, place.request_id, uow.session)}
    task = tasks[place.service]
    if place.attempt != task.attempt:
        raise _ended()
    if task.completed_at is not None:
        return
    task.heard_at = uow.now
    if isinstance(opened.part, Complete):
        _announce(opened.part.complete, place, task)
    else:
        await store.keep_part(_row(place, opened.part, opened), uow.session)
    if await _completes(task, uow):
        silent = [one.service for one in tasks.values() if not one.completed_at]
        await _note_completed(request, task, silent, uow)
        if not silent:
            await packages.make_ready(request, package, uow)


def _announce(completion: Completion, place: Place, task: DepositTask) -> None:
    if completion.parts != place.number - 1:
        raise _ended()
    task.parts, task.plain_digest = completion.parts, bytes.fromhex(completion.digest)
    task.tables = {name: given.model_dump() for name, given in completion.tables.items()}


async def _completes(task: DepositTask, uow: UnitOfWork) -> bool:
    """Whether all is there now that the service announced, part for part and row for row, as it was sealed."""
    if task.parts is None or task.tables is None:
        return False
    digests = await store.part_digests(task, uow.session)
    if len(digests) < task.parts or digest_over(plain for _, plain in digests) != task.plain_digest:
        return False
    await store.drop_parts(task, uow.session, beyond=task.parts)
    announced = {name: table["rows"] for name, table in task.tables.items() if table["rows"]}
    if await store.row_counts(task, uow.session) != announced:
        return False
    task.completed_at, task.plain_digest = uow.now, None
    task.digest = hashlib.sha256(b"".join(sealed for sealed, _ in digests)).digest()
    return True


async def _note_completed(request: Request, task: DepositTask, silent: list[str], uow: UnitOfWork) -> None:
    if request.state == "action_required":
        request.silent = silent
        if silent:
            tell_changed(request, uow)
    details = {"parts": task.parts, "attempt": task.attempt}
    await note(request, "deposit_completed", uow, actor=f"service:{task.service}", **details)


def _row(place: Place, part: Part, opened: Opened) -> dict[str, Any]:
    return {
        "tenant_id": place.tenant_id,
        "request_id": place.request_id,
        "service": place.service,
        "number": place.number,
        "table_name": part.table,
        "row_count": sum(map(ends_row, part.rows)),
        "sealed": opened.sealed,
        "digest": hashlib.sha256(opened.sealed).digest(),
        "plain_digest": opened.plain_digest,
    }


def _open(place: Place, key: bytes, sealed: bytes) -> Opened:
    plain = open_part(key, sealed, place)
    return Opened(read_part(plain), digest_of(plain), sealed)


def _ended() -> Conflict:
    return Conflict("Nothing is collected for this request any more, or not in this attempt.", slug="not-collected")
