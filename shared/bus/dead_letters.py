"""What could not take effect here: listed, and given to the same handlers again."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from sqlalchemy import delete, insert, select

from shared.bus.consumer import Hears, give
from shared.db import CALLED, JOBS, DeadLetter, UnitOfWork, Waiting
from shared.events import Event, Record, UnreadableRecordError, read


class StillDeadError(Exception):
    """The dead letter could not take effect this time either; the sentence says why."""


async def list_dead_letters(
    tenant_id: UUID, uow: UnitOfWork, *, after: UUID | None, limit: int
) -> Sequence[DeadLetter]:
    """The tenant's dead letters, oldest first."""
    query = select(DeadLetter).where(DeadLetter.tenant_id == tenant_id).order_by(DeadLetter.id).limit(limit)
    if after is not None:
        query = query.where(DeadLetter.id > after)
    return (await uow.session.scalars(query)).all()


async def replay_dead_letter(tenant_id: UUID, letter_id: UUID, hears: Hears, uow: UnitOfWork) -> bool:
    """Give a dead letter to its handlers again, or do the job again; false when there is none of this id.

    Raises `StillDeadError` when it cannot be read or is not heard any more, and whatever its handlers raise.
    """
    query = select(DeadLetter).where(DeadLetter.tenant_id == tenant_id, DeadLetter.id == letter_id)
    letter = await uow.session.scalar(query.with_for_update())
    if letter is None:
        return False
    if letter.topic == JOBS:
        job = {
            "type": letter.type,
            "key": letter.key,
            "payload": orjson.loads(letter.data),
            "due_at": uow.now,
            # A lease that has run out tells that what became of the call is not known.
            "lease_until": uow.now if letter.headers.get(CALLED) else None,
        }
        await uow.session.execute(insert(Waiting), [job])
    else:
        event = _event(letter)
        if type(event) not in hears:
            raise StillDeadError(f"{event.type} is not heard here any more")
        await give(hears, [event], uow)
    await uow.session.execute(delete(DeadLetter).where(DeadLetter.id == letter.id))
    return True


def _event(letter: DeadLetter) -> Event:
    record = Record(letter.topic, letter.key, letter.headers, letter.data, letter.personal)
    try:
        return read(letter.headers, record.value if letter.data else letter.personal or b"")
    except UnreadableRecordError as unreadable:
        raise StillDeadError(str(unreadable)) from unreadable
