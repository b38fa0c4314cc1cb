"""A copied conversation is whole, older, and nobody else's."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.ids import earliest_id
from tests.bench.history import Template, copies_of

BEGAN = datetime(2026, 3, 2, 12, tzinfo=UTC)
TEMPLATE = Template(BEGAN, "5521000000000")
TENANT = earliest_id(BEGAN - timedelta(days=30))
CONVERSATION, FIRST, SECOND = (earliest_id(BEGAN + timedelta(milliseconds=at)) for at in (100, 200, 300))
REF = "0123456789abcdef" * 2


async def test_a_copy_keeps_what_is_older_than_the_conversation_and_all_else_becomes_its_own() -> None:
    rows = (
        f"{FIRST}\t{TENANT}\t{CONVERSATION}\twamid.5521000000000.0\t100 %\t2026-03-02 12:00:00.2+00\t{REF}\n"
        f"{SECOND}\t{TENANT}\t{CONVERSATION}\twamid.5521000000000.1\t\\N\t2026-02-01 08:00:00+00\t{REF}\n"
    )
    copied = b"".join([chunk async for chunk in copies_of(rows, TEMPLATE, 1000)]).decode().splitlines()
    cells = [line.split("\t") for line in copied]
    assert len(cells) == 2000
    assert {row[1] for row in cells} == {str(TENANT)}
    assert len({row[0] for row in cells}) == len({row[3] for row in cells}) == 2000
    assert len({row[2] for row in cells}) == len({row[6] for row in cells}) == 1000
    assert [row[0] for row in cells] == sorted(row[0] for row in cells)
    assert max(UUID(row[0]) for row in cells) < CONVERSATION
    assert cells[-2][3:6] == ["wamid.5521000000001.0", "100 %", "2026-03-02 11:52:48.200000+00:00"]
    assert cells[-1][4:6] == ["\\N", "2026-02-01 08:00:00+00"]
