"""What a person left at the counter, by every way in, he is given when he asks for it, and it is told nowhere else.

Words that exist once are written into every personal field that the API and the channels accept. They are found again
in the package of the person whom they are of, in columns that are declared personal, and in no other place.
"""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from sqlalchemy import Column, LargeBinary

from deploy.local.keys import Keys
from deploy.local.plan import HOST, database_of
from deploy.local.running import RunningSet
from deploy.processes import PROCESSES
from shared.db.tables import Kernel
from shared.personal import personal_columns
from tests.journeys.access import Package, ask_for_another, ask_oneself, code_in
from tests.journeys.marks import (
    MARIA,
    SHOWN,
    Counter,
    Marks,
    decline,
    write_as_staff,
    write_by_web_chat,
    write_by_whatsapp,
    write_of_a_colleague,
    write_of_somebody,
)
from tests.journeys.reading import gateway
from tests.journeys.whole_set import whole_set
from tests.support.services import SERVICES

pytestmark = pytest.mark.journey

EMPTY = {
    "conversation.held_echoes.personal": "an echo is held for half a minute at most",
    "ingest.sends.content": "it is kept until it is known what became of the send",
    "ingest.sends.recipient": "likewise",
}
"""The personal columns in which no word is found at the end, and why."""

PEOPLE = ("maria", "josé", "visitor", "colleague")


@dataclass(repr=False)
class Asked:
    """What a person left, and what he is given."""

    mark: Marks = field(default_factory=Marks)
    package: Package = field(default_factory=lambda: Package({}, 0, {}, {}))


@dataclass(repr=False)
class Told:
    """All places where a word may not be."""

    refusals: str = ""
    telemetry: str = ""
    traces: str = ""
    logs: str = ""


@dataclass(repr=False)
class Aftermath:
    people: dict[str, Asked] = field(default_factory=lambda: {person: Asked() for person in PEOPLE})
    lost: Marks = field(default_factory=Marks)
    told: Told = field(default_factory=Told)
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Where words stand in the databases, each with what is declared of it."""
    audit: dict[str, Any] = field(default_factory=dict)

    def every_word(self) -> list[Marks]:
        return [*(asked.mark for asked in self.people.values()), self.lost]


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """An OTLP collector: its address, and what it was sent."""
    bodies: list[bytes] = []

    class Collect(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Collect)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}/v1/traces", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def aftermath(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Aftermath]:
    root = tmp_path_factory.mktemp("person")
    found = Aftermath()
    with collector() as (endpoint, traces):
        traced = {f"{process.upper()}_TRACE_ENDPOINT": endpoint for process in PROCESSES}
        traced |= {f"{process.upper()}_TRACE_SHARE": "1" for process in PROCESSES}
        async with whole_set(root, traced) as running, AsyncExitStack() as stack:
            client = await stack.enter_async_context(gateway(running, running.demo["admin_key"]))
            counter = Counter(client, running)
            await _live(counter, found)
            found.columns = await _columns_with_words(running, root, found.every_word())
            found.audit = await counter.ask("GET", "/v1/privacy/audit/verification")
            found.told.telemetry = await _telemetry(running, client)
            found.told.refusals = "\n".join(counter.refusals)
            found.lost = counter.lost
    # The processes have sent their last traces as they ended.
    found.told.traces = b"\n".join(traces).decode(errors="replace")
    found.told.logs = "\n".join(path.read_text(errors="replace") for path in (root / "logs").glob("*.log*"))
    yield found


async def _live(counter: Counter, found: Aftermath) -> None:
    """Everyone leaves his words, and asks for what is held about him."""
    people = found.people
    slug = (await counter.ask("GET", f"/v1/tenants/{counter.running.demo['tenant_id']}"))["slug"]
    await write_by_whatsapp(people["maria"].mark, MARIA, counter)
    session, visitor_headers = await write_by_web_chat(people["visitor"].mark, counter)
    jose = await write_of_somebody(people["josé"].mark, counter)
    colleague = await write_of_a_colleague(people["colleague"].mark, counter)
    maria = await counter.contact_of(MARIA)
    conversation = await counter.conversation_of(maria["id"], SHOWN)
    await write_as_staff(people["maria"].mark, maria["id"], conversation["id"], counter)
    visitor = await counter.contact_of(session.rpartition("/")[2])
    await counter.conversation_of(visitor["id"], 1)

    async def sent_to_maria() -> str | None:
        ledger = await counter.ask("GET", f"{counter.running.simulator_url}/ledger/sends?limit=1000")
        return code_in(send["text"] for send in ledger["items"])

    async def said_in_chat() -> str | None:
        listed = await counter.ask("GET", f"{session}/messages", headers=visitor_headers)
        return code_in(message.get("text") for message in listed["items"])

    her_phone = {"kind": "phone", "value": "+55 11 98765-4321"}
    his_chat = {"kind": "visitor", "value": session.rpartition("/")[2]}
    wanted = {name: _wanted(asked.mark) for name, asked in people.items()}
    invalid = wanted["maria"] | {
        "type": "access",
        "identifiers": [her_phone],
        "text": [counter.lost("refused request")],
    }
    await counter.refused("POST", f"/v1/public/{slug}/privacy/requests", invalid)
    for name, own, code in (("maria", her_phone, sent_to_maria), ("visitor", his_chat, said_in_chat)):
        mark = people[name].mark
        identifiers = [own, {"kind": "email", "value": f"{mark('e-mail on request')}@example.com"}]
        people[name].package = await ask_oneself(
            counter.client, slug, wanted[name] | {"identifiers": identifiers}, code
        )
    await decline(people["josé"].mark, jose, counter)
    for name, whom in (("josé", {"contact_id": jose}), ("colleague", {"user_id": colleague})):
        people[name].package = await ask_for_another(counter.client, wanted[name] | whom)


def _wanted(mark: Marks) -> dict[str, Any]:
    return {"text": mark("request"), "locale": "pt-PT"}


async def _telemetry(running: RunningSet, client: httpx.AsyncClient) -> str:
    answers = [await client.get(f"{running.ports.url(process)}/telemetry") for process in PROCESSES]
    return "\n".join(answer.text for answer in answers)


async def _columns_with_words(running: RunningSet, root: Path, marks: list[Marks]) -> dict[str, dict[str, Any]]:
    """Each column of each database in which one of the words stands, with what is declared of it."""
    keys = Keys.of(root)
    found: dict[str, dict[str, Any]] = {}
    for process in PROCESSES:
        database = database_of(process, keys)
        connection = await asyncpg.connect(
            host=HOST, port=running.ports["postgres"], user="postgres", password=keys.derived("postgres"),
            database=database.name,
        )  # fmt: skip
        try:
            for table in (*SERVICES[process].metadata.sorted_tables, *Kernel.metadata.sorted_tables):
                for column in table.columns:
                    if await connection.fetchval(_looking_in(column)):
                        found[f"{process}.{table.name}.{column.name}"] = dict(column.info)
        finally:
            await connection.close()
    return found


def _looking_in(column: Column[Any]) -> str:
    name, table = f'"{column.name}"', f'"{column.table.name}"'
    if isinstance(column.type, LargeBinary):
        return f"SELECT EXISTS (SELECT FROM {table} WHERE encode({name}, 'escape') ~* 'marca[0-9a-f]{{32}}')"
    return f"SELECT EXISTS (SELECT FROM {table} WHERE {name}::text ~* 'marca[0-9a-f]{{32}}')"


@pytest.mark.parametrize("person", PEOPLE)
async def test_a_person_is_given_every_word_of_his(aftermath: Aftermath, person: str) -> None:
    asked = aftermath.people[person]
    assert asked.mark.found_in(asked.package.files["data.json"]) == asked.mark.written.keys()


@pytest.mark.parametrize("person", PEOPLE)
async def test_he_can_read_every_word_himself(aftermath: Aftermath, person: str) -> None:
    asked = aftermath.people[person]
    assert asked.mark.found_in(asked.package.files["index.html"]) == asked.mark.written.keys()


@pytest.mark.parametrize("person", PEOPLE)
async def test_nobody_is_given_a_word_of_somebody_else(aftermath: Aftermath, person: str) -> None:
    given = "\n".join(aftermath.people[person].package.files.values())
    others = [asked.mark for name, asked in aftermath.people.items() if name != person] + [aftermath.lost]
    assert [mark.found_in(given) for mark in others] == [set()] * len(others)


async def test_words_stand_in_columns_that_are_declared_personal_alone(aftermath: Aftermath) -> None:
    undeclared = {column for column, info in aftermath.columns.items() if info.get("personal") is None}
    assert aftermath.columns
    assert undeclared == set()


async def test_every_column_that_is_declared_personal_was_written(aftermath: Aftermath) -> None:
    declared = {
        f"{process}.{column.table.name}.{column.name}"
        for process in PROCESSES
        for column, _ in personal_columns(SERVICES[process].metadata)
    }
    assert declared - aftermath.columns.keys() == EMPTY.keys()


async def test_what_was_refused_is_held_nowhere(aftermath: Aftermath) -> None:
    given = "\n".join(text for asked in aftermath.people.values() for text in asked.package.files.values())
    assert aftermath.lost.written
    assert aftermath.lost.found_in(given) == set()


@pytest.mark.parametrize("place", [place.name for place in fields(Told)])
async def test_no_word_is_told_anywhere_else(aftermath: Aftermath, place: str) -> None:
    told = getattr(aftermath.told, place)
    assert told, f"there are no {place} to look through"
    assert {where for mark in aftermath.every_word() for where in mark.found_in(told)} == set()


async def test_a_package_is_had_once(aftermath: Aftermath) -> None:
    assert {asked.package.again for asked in aftermath.people.values()} == {404}
    assert {asked.package.request["state"] for asked in aftermath.people.values()} == {"completed"}


async def test_every_service_has_handed_over_what_it_holds(aftermath: Aftermath) -> None:
    for asked in aftermath.people.values():
        services = {one["service"]: one["state"] for one in asked.package.evidence["services"]}
        assert services == dict.fromkeys(PROCESSES, "complete")


async def test_the_trail_of_it_all_is_whole(aftermath: Aftermath) -> None:
    assert aftermath.audit["valid"]
    assert aftermath.audit["entries"] >= 6 * len(PEOPLE)
