"""A long history: what one conversation left in every database, copied thousands of times as if it were older."""

import asyncio
import io
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from shared.ids import earliest_id
from tests.bench.chains import connected

_LEFT: Final[Mapping[str, Mapping[str, str]]] = {
    "ingest": {"raw_events": "id"},
    "conversation": {
        "contacts": "id",
        "contact_addresses": "id",
        "conversations": "id",
        "messages": "id",
        "inbox": "event_id",
    },
    "routing": {"cases": "conversation_id", "inbox": "event_id"},
    "metrics": {
        "facts": "event_id",
        "measures": "fact_id",
        "measured_conversations": "conversation_id",
        "inbox": "event_id",
    },
    "privacy": {"subjects": "id", "subject_identifiers": "id", "inbox": "event_id"},
}
"""The tables in which a conversation leaves rows, each with the id that tells when a row was made."""

_SPAN: Final = timedelta(days=5)
"""Short enough for nothing to be too old to be kept."""

_PARTS: Final = (
    r"(?P<id>\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b)"
    r"|(?P<moment>\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?\+00)"
    r"|(?P<ref>\b[0-9a-f]{32}\b)"
)
"""What a copy has of its own, beside its sender; a ref is a fingerprint of whom something is from."""
_AT_ONCE: Final = 20

Maker = Callable[[int, timedelta], str]
"""Of one such part: what stands in its place in the copy of a number, which is older by so much."""


@dataclass(frozen=True, slots=True)
class Template:
    """The one conversation, since whose beginning nothing else happened."""

    began_at: datetime
    sender: str
    """His number in digits; the copies count up from it."""


async def copy_history(template: Template, copies: int, admin_url: str) -> None:
    """Copy what the conversation left so many times, evenly over the days before it, and let Postgres look at it all.

    A copy keeps what it refers to that is older than the conversation, such as tenant, channel and agent; the ids made
    in it and its moments become older by one distance in all databases, so that they still go together.
    """
    async with asyncio.TaskGroup() as group:
        for service, tables in _LEFT.items():
            group.create_task(_copy_service(f"balcao_{service}", tables, template, copies, admin_url))
    async with connected(admin_url, "postgres") as connection:
        await connection.execute("CHECKPOINT")


async def _copy_service(
    database: str, tables: Mapping[str, str], template: Template, copies: int, admin_url: str
) -> None:
    async with connected(admin_url, database) as connection:
        # What refers to each other is copied together.
        await connection.execute("SET session_replication_role = replica")
        for table, id_ in tables.items():
            rows = await _rows(table, id_, template, connection)
            await connection.copy_to_table(table, source=copies_of(rows, template, copies))
            await connection.execute(f"VACUUM (ANALYZE) {table}")


async def _rows(table: str, id_: str, template: Template, connection: Any) -> str:
    """What the conversation left in a table, in COPY's text format."""
    output = io.BytesIO()
    query = f"SELECT * FROM {table} WHERE {id_} >= $1"
    await connection.copy_from_query(query, earliest_id(template.began_at), output=output)
    return output.getvalue().decode()


async def copies_of(rows: str, template: Template, copies: int) -> AsyncIterator[bytes]:
    """The rows of all copies, the oldest first."""
    own: dict[str, int] = {}
    makers: list[Maker] = []
    order: list[int] = []

    def cut(found: re.Match[str]) -> str:
        text, kind = found[0], found.lastgroup or ""
        if _is_older(text, kind, template.began_at):
            return text
        if text not in own:
            own[text] = len(makers)
            makers.append(_MAKERS[kind](text))
        order.append(own[text])
        return "%s"

    layout = re.sub(f"{_PARTS}|(?P<sender>{template.sender})", cut, rows.replace("%", "%%"))
    picked, distance = itemgetter(*order), _SPAN / copies
    for first in range(copies, 0, -_AT_ONCE):
        numbers = range(first, max(first - _AT_ONCE, 0), -1)
        made = ([make(number, distance * number) for make in makers] for number in numbers)
        yield "".join(layout % picked(parts) for parts in made).encode()


def _is_older(text: str, kind: str, moment: datetime) -> bool:
    match kind:
        case "id":
            return UUID(text) < earliest_id(moment)
        case "moment":
            return datetime.fromisoformat(text) < moment
        case _:
            return False


def _older_id(text: str) -> Maker:
    milliseconds, rest = int(text[:8] + text[9:13], 16), text[13:]

    def older(_: int, by: timedelta) -> str:
        moment = milliseconds - by // timedelta(milliseconds=1)
        return f"{moment >> 16:08x}-{moment & 0xFFFF:04x}{rest}"

    return older


def _older_moment(text: str) -> Maker:
    moment = datetime.fromisoformat(text)
    return lambda _, by: str(moment - by)


_MAKERS: Final[Mapping[str, Callable[[str], Maker]]] = {
    "id": _older_id,
    "moment": _older_moment,
    "ref": lambda text: lambda number, _: f"{number:08x}{text[8:]}",
    "sender": lambda text: lambda number, _: str(int(text) + number),
}
