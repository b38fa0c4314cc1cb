"""The package: had once, by a link that is good for a while, readable by machine and person, and then gone."""

import asyncio
import io
import json
import re
import zipfile
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import jsonschema_rs
import pytest
from sqlalchemy import update

from deploy.processes import REPOSITORY
from services.privacy.domain.package.shape import json_schema
from services.privacy.domain.package.words import CATEGORIES, LOCALES, WORDS, language
from services.privacy.handlers.packages import KEPT, LINK_LIFE, PackageExpired
from services.privacy.models import DepositPart, Package, Request
from shared.db import Database
from shared.events.privacy import PrivacyRequestChanged
from shared.ids import new_id
from shared.personal.declarations import CATEGORIES as DECLARED
from shared.rights import PIECE
from tests.services.privacy.gathering import Gathering, complete, rows_of
from tests.support.serving import Served

WRITTEN = "<script>alert('oi')</script> & <b>negrito</b>"
SENT_AT = "2026-11-20T12:00:00Z"


async def gathered(gathering: Gathering) -> Gathering:
    """With a message and a name in it."""
    message = {"id": "m1", "text": WRITTEN, "sent_at": SENT_AT, "content": {"type": "text", "buttons": [True, None]}}
    content = {"text": "message.content", "content": "message.content"}
    await gathering.hand_over(
        "conversation",
        rows_of("contacts", {"id": "c1", "name": "Maria Xq7z", "attributes": {}}),
        rows_of("messages", message),
        rows_of("messages", {**message, "id": "m2", "text": "tchau"}),
        contacts=(1, {"name": "contact.name", "attributes": "contact.attributes"}),
        messages=(2, content),
        notes=(0, {"text": "message.content"}),
    )
    await gathering.hand_over("routing", rows_of("cases", {"conversation_id": "k1", "status": "open"}), cases=(1, {}))
    await gathering.hand_over_all("conversation", "routing")
    return gathering


async def link_of(gathering: Gathering, by: httpx.AsyncClient | None = None) -> str:
    """The address of a package, as it is below the gateway."""
    asker, public = (gathering.person, "/public") if by is None else (by, "")
    answer = await asker.post(f"{public}/privacy/requests/{gathering.request_id}/package-links")
    assert answer.status_code == 201, answer.text
    url: str = answer.json()["url"]
    start = f"/v1/public/padaria/privacy/requests/{gathering.request_id}/package?link="
    assert url.startswith(start)
    return f"/public/privacy/requests/{gathering.request_id}/package?{urlsplit(url).query}"


async def opened(gathering: Gathering) -> dict[str, str]:
    """The files of the package, downloaded."""
    answer = await gathering.person.get(await link_of(gathering))
    assert answer.status_code == 200, answer.text
    return read(answer.content)


def read(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


class Page(HTMLParser):
    """What a reader of `index.html` comes by."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


async def broken_off(served: Served, address: str, client: httpx.AsyncClient, after: int, asgi: str) -> None:
    """A download whose client goes away after so many pieces: later servers raise it, earlier ones say it (ASGI)."""
    url = httpx.URL("http://here" + address)
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": asgi},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": url.path,
        "raw_path": url.raw_path,
        "query_string": url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in client.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": ("here", 80),
    }
    messages: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": b"", "more_body": False}]
    gone = asyncio.Event()
    pieces = 0

    async def receive() -> MutableMapping[str, Any]:
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal pieces
        pieces += message["type"] == "http.response.body"
        if pieces > after:
            gone.set()
            if asgi >= "2.4":
                raise OSError("the client is gone")
            # A server that says it takes what is sent meanwhile, and drops it.
            await asyncio.sleep(0)

    await served.transport.app(scope, receive, send)


async def test_data_json_keeps_to_the_published_schema_and_holds_every_row(gathering: Gathering) -> None:
    files = await opened(await gathered(gathering))
    published = json.loads((REPOSITORY / "docs/schemas/access-package.json").read_text("utf-8"))
    assert json.loads(files["schema.json"]) == published == json_schema()
    data = json.loads(files["data.json"])
    jsonschema_rs.Draft202012Validator(published, validate_formats=True).validate(data)
    assert data["controller"] == {"name": "Padaria Sol & Mar", "country": "BR", "regime": "lgpd"}
    assert data["request"] == {
        "id": str(gathering.request_id),
        "right": "access",
        "received_at": "2026-11-20T12:00:00Z",
        "proof": {"method": "code", "proved_at": "2026-11-20T12:00:00Z"},
    }
    assert [each["category"] for each in data["about"]["categories"]] == [
        "contact.name",
        "contact.attributes",
        "message.content",
    ]
    assert data["about"]["recipients"][1:] == ["Meta Platforms (WhatsApp)"]
    assert data["about"]["authority"]["url"] == "https://www.gov.br/anpd"
    assert "Padaria Sol & Mar" in data["about"]["whom_to_ask"]
    services = data["services"]
    assert sorted(services) == ["conversation", "routing"]
    assert [row["text"] for row in services["conversation"]["messages"]] == [WRITTEN, "tchau"]
    assert services["conversation"]["notes"] == []
    assert services["routing"]["cases"] == [{"conversation_id": "k1", "status": "open"}]


async def test_what_people_wrote_is_text_in_the_page_and_never_markup(gathering: Gathering) -> None:
    page = Page((await opened(await gathered(gathering)))["index.html"])
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert WRITTEN in page.texts
    assert not [name for name, _ in page.attributes if name in {"src", "srcset", "data"} or name.startswith("on")]


async def test_the_page_speaks_the_person_s_language_in_the_tenant_s_time(gathering: Gathering) -> None:
    html = (await opened(await gathered(gathering)))["index.html"]
    page = Page(html)
    assert ("lang", "pt-BR") in page.attributes
    assert "Seus dados pessoais" in page.texts
    assert "20 de nov. de 2026 09:00:00" in page.texts
    assert page.tags.count("table") == page.tags.count("caption") == 2
    assert page.tags.count("h1") == 1
    headings = re.findall(r"<h2>(.*?)</h2>", html)[-3:]
    assert headings == ["Como você se chama", "O que você escreveu e o que lhe foi escrito", "O que se refere a você"]
    assert page.texts.index("Maria Xq7z") < page.texts.index(WRITTEN)


async def test_a_row_too_long_for_one_part_is_whole_again(gathering: Gathering) -> None:
    text = json.dumps({"body": "ã" * 50, "id": "e1"})
    pieces = [text[:20], text[20:45], text[45:]]
    parts = [rows_of("raw_events", {PIECE: [number, 3], "json": each}) for number, each in enumerate(pieces, start=1)]
    await gathering.hand_over("ingest", *parts, raw_events=(1, {"body": "message.content"}))
    await gathering.hand_over_all("ingest")
    files = await opened(gathering)
    assert json.loads(files["data.json"])["services"]["ingest"]["raw_events"] == [{"body": "ã" * 50, "id": "e1"}]
    assert "ã" * 50 in files["index.html"]


async def test_after_the_download_parts_key_and_link_are_gone_and_the_request_is_done(gathering: Gathering) -> None:
    await gathered(gathering)
    assert (await gathering.count(DepositPart), await gathering.count(Package)) == (4, 1)
    link = await link_of(gathering)
    answer = await gathering.person.get(link)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(r'attachment; filename="[\w.-]+\.zip"', answer.headers["content-disposition"])
    assert (await gathering.count(DepositPart), await gathering.count(Package)) == (0, 0)
    assert await gathering.state() == "completed"
    changes = [event for event in await gathering.said() if isinstance(event, PrivacyRequestChanged)]
    assert changes[-1].state == "completed"
    assert (await gathering.person.get(link)).status_code == 404
    again = await gathering.person.post(f"/public/privacy/requests/{gathering.request_id}/package-links")
    assert again.status_code == 409
    assert {one["state"] for one in (await gathering.evidence()).values()} == {"complete"}
    assert (await gathering.actions())[-4:] == [
        "package_link_made",
        "package_download_begun",
        "state_changed",
        "package_delivered",
    ]


async def test_a_package_without_rows_says_so(gathering: Gathering) -> None:
    await gathering.hand_over("conversation", contacts=(0, {"name": "contact.name"}))
    await gathering.hand_over_all("conversation")
    files = await opened(gathering)
    assert json.loads(files["data.json"])["services"] == {"conversation": {"contacts": []}}
    assert "Nada foi encontrado sobre você." in files["index.html"]
    assert await gathering.state() == "completed_no_data"


async def test_of_two_downloads_at_the_same_time_one_gets_the_package(gathering: Gathering) -> None:
    link = await link_of(await gathered(gathering))
    answers = await asyncio.gather(*(gathering.person.get(link) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) in ([200, 404], [200, 409])


@pytest.mark.parametrize("asgi", ["2.3", "2.4"])
@pytest.mark.parametrize("pieces", [0, 4])
async def test_a_download_that_breaks_leaves_the_link_good(gathering: Gathering, pieces: int, asgi: str) -> None:
    link = await link_of(await gathered(gathering))
    await broken_off(gathering.served, link, gathering.person, pieces, asgi)
    assert await gathering.count(DepositPart) == 4
    assert await gathering.state() == "delivering"
    assert "package_download_broken" in await gathering.actions()
    assert (await gathering.person.get(link)).status_code == 200


async def test_a_link_that_is_expired_replaced_or_another_s_opens_nothing(gathering: Gathering) -> None:
    first = await link_of(await gathered(gathering))
    second = await link_of(gathering, gathering.dpo)
    assert (await gathering.person.get(first)).status_code == 404
    stranger = gathering.served.caller(new_id(), ["public"])
    assert (await stranger.get(second)).status_code == 404
    other = await gathered(await gathering.another())
    foreign = f"/public/privacy/requests/{other.request_id}/package?{urlsplit(second).query}"
    assert (await other.person.get(foreign)).status_code == 404
    for nothing in ("", "x", "pkg_", "pkg_" + "A" * 64):
        address = f"/public/privacy/requests/{gathering.request_id}/package"
        assert (await gathering.person.get(address, params={"link": nothing})).status_code == 404
    async with gathering.database.unit_of_work([gathering.tenant_id]) as uow:
        past = datetime.now(UTC) - timedelta(seconds=1)
        own = Package.request_id == gathering.request_id
        await uow.session.execute(update(Package).where(own).values(link_expires_at=past))
    assert (await gathering.person.get(second)).status_code == 404
    assert (await gathering.person.get(await link_of(gathering))).status_code == 200


async def test_a_link_is_made_for_who_proved_himself_or_for_the_dpo(gathering: Gathering) -> None:
    own, address = (f"{public}/privacy/requests/{gathering.request_id}/package-links" for public in ("/public", ""))
    assert (await gathering.person.post(own)).status_code == 409
    await gathered(gathering)
    made = (await gathering.dpo.post(address)).json()
    until = datetime.fromisoformat(made["expires_at"])
    assert timedelta(0) < until - datetime.now(UTC) <= LINK_LIFE
    for scopes in (["privacy:read"], ["privacy:request"]):
        assert (await gathering.served.caller(gathering.tenant_id, scopes).post(address)).status_code == 403
    unknown = gathering.person
    unknown.headers["X-Tracking-Token"] = "req_wrong"
    assert (await unknown.post(own)).status_code == 404
    async with gathering.database.unit_of_work([gathering.tenant_id]) as uow:
        request = await uow.session.get_one(Request, gathering.request_id)
        request.proven_at = None
    assert (await gathering.person.post(own)).status_code == 409


async def test_what_was_done_by_a_link_is_told_of_who_had_it_made(gathering: Gathering) -> None:
    link = await link_of(await gathered(gathering), gathering.dpo)
    await broken_off(gathering.served, link, gathering.person, 0, "2.4")
    assert (await gathering.person.get(link)).status_code == 200
    told = [(entry["action"], entry["actor"]) for entry in await gathering.entries()][-6:]
    assert [action for action, _ in told] == [
        "package_link_made",
        "package_download_begun",
        "package_download_broken",
        "package_download_begun",
        "state_changed",
        "package_delivered",
    ]
    assert {actor for _, actor in told} == {str(UUID(int=7))}


async def test_who_took_a_request_in_for_another_has_no_package_by_its_token(
    served: Served, database: Database, tenant_id: UUID
) -> None:
    gathering = await gathered(await Gathering.begun(served, database, tenant_id, origin="staff"))
    answer = await gathering.person.post(f"/public/privacy/requests/{gathering.request_id}/package-links")
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("through-the-office")
    assert (await gathering.person.get(await link_of(gathering, gathering.dpo))).status_code == 200


async def test_a_package_of_a_second_attempt_opens(gathering: Gathering) -> None:
    late = "ingest"
    await gathering.hand_over_all(late)
    await gathering.time_out()
    await gathering.ask_again()
    part = rows_of("raw_events", {"body": "anew"})
    last = complete(part, raw_events=(1, {"body": "message.content"}))
    for number, plain in enumerate((part, last), start=1):
        assert await gathering.deposit(late, number, plain, attempt=2) == 204
    files = await opened(gathering)
    assert json.loads(files["data.json"])["services"]["ingest"]["raw_events"] == [{"body": "anew"}]


async def test_neither_address_nor_key_of_the_caller_is_written_down_for_a_person(gathering: Gathering) -> None:
    await opened(await gathered(gathering))
    entries = (await gathering.dpo.get("/privacy/audit")).json()["items"]
    assert "203.0.113.9" not in str(entries)
    assert {entry["actor"] for entry in entries if entry["action"].startswith("package_")} == {"subject"}


async def test_what_nobody_takes_in_a_week_is_destroyed(gathering: Gathering) -> None:
    await gathered(gathering)
    job = PackageExpired(tenant_id=gathering.tenant_id, request_id=gathering.request_id)
    await gathering.do(job, after=KEPT)
    assert (await gathering.count(DepositPart), await gathering.count(Package)) == (0, 0)
    assert (await gathering.state(), (await gathering.request()).outcome) == ("completed", "not_taken")
    assert (await gathering.actions())[-1] == "package_expired"
    await gathering.do(job, after=KEPT)


async def test_evidence_and_links_are_their_tenant_s_alone(gathering: Gathering) -> None:
    stranger = gathering.served.caller(new_id())
    own = f"/privacy/requests/{gathering.request_id}"
    assert (await stranger.get(f"{own}/evidence")).status_code == 404
    assert (await stranger.post(f"{own}/package-links")).status_code == 404


def test_every_category_and_language_has_its_words() -> None:
    assert set(DECLARED) <= set(CATEGORIES)
    assert set(WORDS) == set(LOCALES)
    assert [language(each) for each in ("pt", "pt-PT", "es-MX", "de", "EN-gb")] == ["pt-BR", "pt-PT", "es", "en", "en"]
