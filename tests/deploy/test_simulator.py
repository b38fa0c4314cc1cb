"""The simulated provider keeps its promises: Meta's answers, signed webhooks, faults by seed, and a true ledger."""

import asyncio
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from pywa.utils import webhook_updates_validator

from deploy.local.journal import Journal
from deploy.local.keys import Keys
from deploy.local.plan import free_ports
from deploy.local.simulator import Simulator as LocalSimulator
from deploy.local.simulator import access_token
from deploy.local.supervisor import supervised
from deploy.simulator.app import application
from deploy.simulator.behaviour import Answers, Behaviour, fate_of
from deploy.simulator.ledger import MOST_RECORDS, Book, Record
from deploy.simulator.webhooks import Patience
from services.ingest.channels.whatsapp import WhatsApp
from tests.support.waiting import until

NUMBER = "106540352242922"
OTHER_NUMBER = "106540352242923"
APP_SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
TOKEN = "EAAG-access-token"
CUSTOMER = "5511987654321"


@dataclass
class Receiver:
    """What the webhooks reach: keeps each body, and answers as it is told."""

    answers: Callable[[int], int] = lambda _: 200
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.answers(len(self.requests)))

    @property
    def values(self) -> list[dict[str, Any]]:
        return [json.loads(request.content)["entry"][0]["changes"][0]["value"] for request in self.requests]

    @property
    def statuses(self) -> list[dict[str, Any]]:
        return [status for value in self.values for status in value.get("statuses", [])]

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for value in self.values for message in value.get("messages", [])]


@dataclass
class Simulator:
    client: httpx.AsyncClient
    receiver: Receiver

    async def connect(self, number: str = NUMBER) -> None:
        account = {"webhook_url": f"http://ingest/{number}", "app_secret": APP_SECRET, "access_token": TOKEN}
        (await self.client.put(f"/accounts/{number}", json=account)).raise_for_status()

    async def behave(self, **behaviour: Any) -> None:
        instantly = {"delay_seconds": [0, 0]}
        (await self.client.put("/behaviour", json=instantly | behaviour)).raise_for_status()

    async def send(self, text: str = "Bom dia!", /, *, number: str = NUMBER, **members: Any) -> httpx.Response:
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": CUSTOMER,
            "type": "text",
            "text": {"body": text},
            **members,
        }
        return await self.post({name: member for name, member in body.items() if member is not None}, number=number)

    async def post(self, body: Any, *, token: str = TOKEN, number: str = NUMBER) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await self.client.post(f"/whatsapp/{number}/messages", json=body, headers=headers)

    async def write(self, *messages: dict[str, Any], number: str = NUMBER) -> list[dict[str, Any]]:
        body = {"phone_number_id": number, "messages": messages}
        answer = await self.client.post("/customers/messages", json=body)
        assert answer.status_code == 202, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def ledger(self, kind: str, **query: Any) -> list[dict[str, Any]]:
        answer = await self.client.get(f"/ledger/{kind}", params=query)
        items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return items

    async def settled(self) -> None:
        """Once all that is in the ledger has been told, and nothing more came meanwhile."""

        async def open_ones() -> tuple[int, int]:
            told = [*await self.ledger("statuses", limit=1000), *await self.ledger("customers", limit=1000)]
            return len(told), sum(one["acknowledged_at"] is None and not one["given_up"] for one in told)

        async def twice() -> tuple[tuple[int, int], tuple[int, int]]:
            before = await open_ones()
            await asyncio.sleep(0.03)
            return before, await open_ones()

        await until(twice, lambda found: found[0] == found[1] and found[1][1] == 0, seconds=10)


@asynccontextmanager
async def simulator(*, hold_seconds: float = 5, **patience: float) -> AsyncIterator[Simulator]:
    """A simulator with one account, which calls back at a fake receiver."""
    receiver = Receiver()
    quick = Patience(**{"first_pause": 0.001, "longest_pause": 0.005, **patience})
    calling = httpx.AsyncClient(transport=httpx.MockTransport(receiver))
    app = application(calling, patience=quick, hold_seconds=hold_seconds)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
            simulated = Simulator(client, receiver)
            await simulated.connect()
            await simulated.behave()
            yield simulated


def error_of(answer: httpx.Response) -> tuple[int, int]:
    """Status and Meta's code, with the shape looked at on the way."""
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "code", "error_data", "fbtrace_id"}
    assert error["error_data"].keys() == {"messaging_product", "details"}
    return answer.status_code, error["code"]


# What Meta answers.


async def test_a_send_is_answered_as_by_meta_and_stands_in_the_ledger_as_received() -> None:
    async with simulator() as simulated:
        members: dict[str, Any] = {
            "to": "+55 11 98765-4321",
            "context": {"message_id": "wamid.Q"},
            "biz_opaque_callback_data": "m-1",
        }
        answer = await simulated.send("Bom dia! 🍰", **members)
        assert answer.status_code == 200
        told = answer.json()
        wamid = told["messages"][0]["id"]
        assert wamid.startswith("wamid.")
        assert told == {
            "messaging_product": "whatsapp",
            "contacts": [{"input": "+55 11 98765-4321", "wa_id": CUSTOMER}],
            "messages": [{"id": wamid}],
        }
        (sent,) = await simulated.ledger("sends")
        assert sent.pop("received_at").endswith("Z")
        assert sent == {
            "n": 1,
            "phone_number_id": NUMBER,
            "to": "+55 11 98765-4321",
            "text": "Bom dia! 🍰",
            "callback_data": "m-1",
            "wamid": wamid,
            "answered": "accepted",
            "body": {
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "type": "text",
                "text": {"body": "Bom dia! 🍰"},
                **members,
            },
        }


async def test_a_person_without_a_number_is_reached_by_the_user_id() -> None:
    async with simulator() as simulated:
        answer = await simulated.send(to=None, recipient="BR.1A94f20cQ7731")
        assert answer.json()["contacts"] == [{"input": "BR.1A94f20cQ7731", "user_id": "BR.1A94f20cQ7731"}]
        await simulated.settled()
        assert {status["recipient_user_id"] for status in simulated.receiver.statuses} == {"BR.1A94f20cQ7731"}


async def test_a_bad_token_is_401_and_code_190() -> None:
    async with simulator() as simulated:
        for headers in ({}, {"Authorization": "Bearer another"}, {"Authorization": f"Basic {TOKEN}"}):
            answer = await simulated.client.post(f"/whatsapp/{NUMBER}/messages", json={}, headers=headers)
            assert error_of(answer) == (401, 190)


@pytest.mark.parametrize(
    "members",
    [
        {"messaging_product": None},
        {"messaging_product": "sms"},
        {"recipient_type": "group"},
        {"to": None},
        {"to": ""},
        {"to": "somebody"},
        {"to": "BR.1A94f20cQ7731"},
        {"to": 5511987654321},
        {"to": None, "recipient": CUSTOMER},
        {"type": "poll"},
        {"type": ["text"]},
        {"type": "image"},
        {"text": None},
        {"text": "Olá"},
        {"text": []},
        {"text": {}},
        {"text": {"body": ""}},
        {"text": {"body": "x" * 4097}},
        {"context": {}},
        {"context": "wamid.Q"},
        {"biz_opaque_callback_data": 7},
        {"biz_opaque_callback_data": "x" * 513},
    ],
    ids=ascii,
)
async def test_a_bad_body_is_400_and_code_100(members: dict[str, Any]) -> None:
    async with simulator() as simulated:
        assert error_of(await simulated.send(**members)) == (400, 100)
        assert await simulated.ledger("sends") == []


async def test_what_is_no_json_is_a_bad_body() -> None:
    async with simulator() as simulated:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for body in (b"", b"{", b"[]", b"\xff", b"[" * 100_000):
            answer = await simulated.client.post(f"/whatsapp/{NUMBER}/messages", content=body, headers=headers)
            assert error_of(answer) == (400, 100)


async def test_a_number_that_nobody_registered_does_not_exist() -> None:
    async with simulator() as simulated:
        assert error_of(await simulated.send(number=OTHER_NUMBER)) == (400, 100)
        message = {"phone_number_id": OTHER_NUMBER, "messages": [{"from": CUSTOMER, "text": "Olá"}]}
        answer = await simulated.client.post("/customers/messages", json=message)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


# What it tells afterwards.


async def test_an_accepted_send_is_told_of_by_signed_statuses_in_their_order() -> None:
    async with simulator() as simulated:
        wamid = (await simulated.send(biz_opaque_callback_data="m-1")).json()["messages"][0]["id"]
        await simulated.settled()
        statuses = simulated.receiver.statuses
        assert [status["status"] for status in statuses] == ["sent", "delivered", "read"]
        for status in statuses:
            assert status.pop("timestamp").isdecimal()
            assert status | {"status": ""} == {
                "id": wamid,
                "status": "",
                "recipient_id": CUSTOMER,
                "biz_opaque_callback_data": "m-1",
            }
        assert {value["metadata"]["phone_number_id"] for value in simulated.receiver.values} == {NUMBER}
        told = await simulated.ledger("statuses")
        assert [(one["wamid"], one["status"], one["attempts"]) for one in told] == [
            (wamid, status, 1) for status in ("sent", "delivered", "read")
        ]


async def test_webhooks_are_signed_so_that_those_who_verify_believe_them() -> None:
    async with simulator() as simulated:
        await simulated.write({"from": CUSTOMER, "text": "Olá 🍰 \u0001 \\u00e7"})
        await simulated.settled()
        (request,) = simulated.receiver.requests
        signature = request.headers["x-hub-signature-256"]
        assert str(request.url) == f"http://ingest/{NUMBER}"
        assert request.content.isascii()
        assert signature == "sha256=" + hmac.digest(APP_SECRET.encode(), request.content, "sha256").hex()
        assert webhook_updates_validator(APP_SECRET, request.content, signature)
        assert WhatsApp().is_authentic(request.headers, request.content, {"app_secret": APP_SECRET})


async def test_a_share_of_the_sends_is_not_read() -> None:
    async with simulator() as simulated:
        await simulated.behave(read_share=0)
        await simulated.send()
        await simulated.settled()
        assert [status["status"] for status in simulated.receiver.statuses] == ["sent", "delivered"]


async def test_what_comes_twice_is_the_same_to_the_second() -> None:
    async with simulator() as simulated:
        await simulated.behave(duplicate_share=1)
        await simulated.send()
        await simulated.write({"from": CUSTOMER, "text": "Olá"})
        await simulated.settled()
        await until(_counting(simulated.receiver, 8))
        bodies = Counter(request.content for request in simulated.receiver.requests)
        assert list(bodies.values()) == [2, 2, 2, 2]
        assert [status["status"] for status in simulated.receiver.statuses] == [
            *("sent", "sent", "delivered", "delivered", "read", "read")
        ]


async def test_shuffled_statuses_come_in_any_order_and_keep_their_dates() -> None:
    async with simulator() as simulated:
        await simulated.behave(shuffle=True, seed=3)
        for number in range(20):
            await simulated.send(biz_opaque_callback_data=str(number))
        await simulated.settled()
        orders = {
            tuple(
                status["status"]
                for status in simulated.receiver.statuses
                if status["biz_opaque_callback_data"] == str(number)
            )
            for number in range(20)
        }
        assert len(orders) > 3
        told = await simulated.ledger("statuses")
        for wamid in {one["wamid"] for one in told}:
            dates = {one["status"]: one["happened_at"] for one in told if one["wamid"] == wamid}
            assert dates["sent"] <= dates["delivered"] <= dates["read"]


async def test_statuses_keep_one_waiting_as_long_as_they_are_told_to() -> None:
    fate = fate_of(Behaviour(delay_seconds=(2, 3), shuffle=True, duplicate_share=0.5), Answers(), NUMBER, 1)
    pauses = [
        later.posted_after - earlier.posted_after for earlier, later in zip(fate.steps, fate.steps[1:], strict=False)
    ]
    assert all(2 <= pause <= 3 for pause in (fate.steps[0].posted_after, *pauses))
    assert all(step.happened_after <= step.posted_after for step in fate.steps)


async def test_a_webhook_is_posted_until_it_is_acknowledged() -> None:
    async with simulator() as simulated:
        simulated.receiver.answers = lambda attempt: 200 if attempt > 3 else (500, 204, 302)[attempt - 1]
        await simulated.write({"from": CUSTOMER, "text": "Olá"})
        await simulated.settled()
        (written,) = await simulated.ledger("customers")
        assert written["attempts"] == 4
        assert written["acknowledged_at"] is not None


async def test_a_webhook_that_is_never_acknowledged_is_given_up() -> None:
    async with simulator(altogether=0.02) as simulated:
        simulated.receiver.answers = lambda _: 503
        with structlog.testing.capture_logs() as logged:
            await simulated.write({"from": CUSTOMER, "text": "segredo"})
            await simulated.settled()
        (written,) = await simulated.ledger("customers")
        assert (written["given_up"], written["acknowledged_at"]) == (True, None)
        assert [entry["event"] for entry in logged] == ["a webhook was given up"]
        assert "segredo" not in str(logged)


async def test_a_number_that_is_registered_anew_is_called_at_its_new_place() -> None:
    async with simulator() as simulated:
        simulated.receiver.answers = lambda _: 503
        await simulated.write({"from": CUSTOMER, "text": "Olá"})
        account = {"webhook_url": "http://moved/", "app_secret": "another-secret", "access_token": TOKEN}
        await simulated.client.put(f"/accounts/{NUMBER}", json=account)
        simulated.receiver.answers = lambda _: 200
        await simulated.settled()
        last = simulated.receiver.requests[-1]
        assert last.url == "http://moved/"
        assert webhook_updates_validator("another-secret", last.content, last.headers["x-hub-signature-256"])


# What goes wrong when it is told to.


async def test_an_error_is_500_and_131000_and_nothing_was_accepted() -> None:
    async with simulator() as simulated:
        await simulated.behave(error_share=1)
        assert error_of(await simulated.send()) == (500, 131000)
        assert await simulated.ledger("sends") == []


async def test_a_throttled_send_is_429_and_told_when_to_come_again() -> None:
    async with simulator() as simulated:
        await simulated.behave(throttle_share=1, retry_after_seconds=7)
        answers = [await simulated.send() for _ in range(20)]
        assert {error_of(answer) for answer in answers} == {(429, 130429), (429, 131056)}
        assert {answer.headers["retry-after"] for answer in answers} == {"7"}
        assert await simulated.ledger("sends") == []
        assert sum((await simulated.client.get("/ledger")).json()["refused"].values()) == 20


async def test_a_provider_that_is_down_answers_503_and_changes_no_later_fate() -> None:
    async with simulator() as simulated:
        await simulated.behave(down=True)
        assert error_of(await simulated.send()) == (503, 131016)
        await simulated.behave()
        await simulated.send("now")
        assert [sent["text"] for sent in await simulated.ledger("sends")] == ["now"]


async def test_a_send_that_times_out_was_accepted_and_is_told_of() -> None:
    async with simulator() as simulated:
        await simulated.behave(time_out_share=1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await simulated.send(biz_opaque_callback_data="m-1")
        await simulated.settled()
        (sent,) = await simulated.ledger("sends")
        assert (sent["answered"], sent["callback_data"]) == ("timed_out", "m-1")
        assert [status["status"] for status in simulated.receiver.statuses] == ["sent", "delivered", "read"]


async def test_who_waits_for_the_answer_for_longer_than_anybody_would_is_not_told_that_it_failed() -> None:
    async with simulator(hold_seconds=0.02) as simulated:
        await simulated.behave(time_out_share=1)
        answer = await simulated.send()
        assert (answer.status_code, answer.content) == (504, b"")
        assert len(await simulated.ledger("sends")) == 1


async def test_fates_depend_on_the_seed_and_the_place_alone() -> None:
    faults = {"error_share": 0.3, "throttle_share": 0.3, "duplicate_share": 0.5, "shuffle": True, "read_share": 0.5}

    async def fates(seed: int, *numbers: str) -> list[int]:
        async with simulator() as simulated:
            await simulated.connect(OTHER_NUMBER)
            await simulated.behave(seed=seed, **faults)
            answers = [(number, await simulated.send(number=number)) for number in numbers]
            await simulated.settled()
            return [answer.status_code for number, answer in answers if number == NUMBER]

    first = await fates(7, *[NUMBER] * 40)
    assert set(first) == {200, 429, 500}
    assert await fates(7, *[NUMBER, OTHER_NUMBER] * 40) == first
    assert await fates(8, *[NUMBER] * 40) != first


async def test_shares_are_kept_in_the_long_run() -> None:
    behaviour = Behaviour(seed=1, time_out_share=0.1, error_share=0.2, throttle_share=0.3)
    answers = [fate_of(behaviour, Answers(), NUMBER, place).answer for place in range(2000)]
    found = {answer: count / len(answers) for answer, count in Counter(answers).items()}
    wanted = {"timed_out": 0.1, "error": 0.2, "throttled": 0.3, "accepted": 0.4}
    assert found == pytest.approx(wanted, abs=0.04)


@pytest.mark.parametrize(
    "behaviour",
    [
        {"time_out_share": 1.1},
        {"time_out_share": 0.5, "error_share": 0.6},
        {"delay_seconds": [3, 2]},
        {"delay_seconds": [1]},
        {"delay_seconds": [0, 10**9]},
        {"retry_after_seconds": -1},
        {"latency": 3},
    ],
    ids=str,
)
async def test_a_behaviour_that_cannot_be_is_refused_and_the_old_one_stays(behaviour: dict[str, Any]) -> None:
    async with simulator() as simulated:
        before = (await simulated.client.get("/behaviour")).json()
        answer = await simulated.client.put("/behaviour", json=behaviour)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")
        assert (await simulated.client.get("/behaviour")).json() == before


# What customers do.


async def test_a_customers_message_is_told_as_meta_tells_it() -> None:
    async with simulator() as simulated:
        (written,) = await simulated.write(
            {"from": CUSTOMER, "text": "Já saiu?", "name": "Maria", "timestamp": 1795172400, "id": "wamid.GIVEN"}
        )
        await simulated.settled()
        assert simulated.receiver.values == [
            {
                "messaging_product": "whatsapp",
                "metadata": {"display_phone_number": "551133224455", "phone_number_id": NUMBER},
                "contacts": [{"profile": {"name": "Maria"}, "wa_id": CUSTOMER}],
                "messages": [
                    {
                        "from": CUSTOMER,
                        "id": "wamid.GIVEN",
                        "timestamp": "1795172400",
                        "type": "text",
                        "text": {"body": "Já saiu?"},
                    }
                ],
            }
        ]
        assert (written["id"], written["from"], written["n"]) == ("wamid.GIVEN", CUSTOMER, 1)


async def test_a_customers_messages_do_not_overtake_one_another() -> None:
    async with simulator() as simulated:
        # Every other attempt fails, so that whoever does not wait would pass.
        simulated.receiver.answers = lambda attempt: 200 if attempt % 2 else 500
        texts = [str(number) for number in range(20)]
        written = [{"from": sender, "text": text} for text in texts for sender in (CUSTOMER, "5521912345678")]
        await simulated.write(*written)
        await simulated.settled()
        acknowledged: dict[str, list[str]] = {}
        for attempt, message in enumerate(simulated.receiver.messages, start=1):
            if attempt % 2:
                acknowledged.setdefault(message["from"], []).append(message["text"]["body"])
        assert acknowledged == {CUSTOMER: texts, "5521912345678": texts}


async def test_customers_answer_what_they_get() -> None:
    async with simulator() as simulated:
        await simulated.client.put("/customers/answers", json={"share": 1, "texts": ["Obrigada!"]})
        await simulated.send("Já saiu.")
        await simulated.settled()
        (message,) = simulated.receiver.messages
        assert (message["from"], message["text"]["body"]) == (CUSTOMER, "Obrigada!")
        (written,) = await simulated.ledger("customers")
        assert (written["id"], written["text"]) == (message["id"], "Obrigada!")
        assert (await simulated.client.put("/customers/answers", json={"share": 0.5})).status_code == 422


# The ledger.


async def test_the_ledger_is_read_page_by_page_and_by_account() -> None:
    async with simulator() as simulated:
        await simulated.connect(OTHER_NUMBER)
        for text in ("a", "b", "c"):
            await simulated.send(text)
            await simulated.send(text.upper(), number=OTHER_NUMBER)
        page = (await simulated.client.get("/ledger/sends", params={"limit": 4})).json()
        assert ([sent["text"] for sent in page["items"]], page["next_after"]) == (["a", "A", "b", "B"], 4)
        page = (await simulated.client.get("/ledger/sends", params={"limit": 4, "after": 4})).json()
        assert ([sent["text"] for sent in page["items"]], page["next_after"]) == (["c", "C"], None)
        others = await simulated.ledger("sends", phone_number_id=OTHER_NUMBER, after=2)
        assert [(sent["n"], sent["text"]) for sent in others] == [(4, "B"), (6, "C")]
        assert (await simulated.client.get("/ledger/sends", params={"phone_number": NUMBER})).status_code == 422


async def test_a_ledger_that_is_forgotten_begins_anew() -> None:
    async with simulator() as simulated:
        await simulated.send()
        await simulated.write({"from": CUSTOMER, "text": "Olá"})
        await simulated.settled()
        assert (await simulated.client.get("/ledger")).json() == {
            "sends": 1,
            "refused": {},
            "customers": 1,
            "statuses": 3,
        }
        assert (await simulated.client.delete("/ledger")).status_code == 204
        assert [await simulated.ledger(kind) for kind in ("sends", "customers", "statuses")] == [[], [], []]
        await simulated.send()
        assert [sent["n"] for sent in await simulated.ledger("sends")] == [1]


def test_a_full_ledger_forgets_the_oldest_and_keeps_counting() -> None:
    book = Book[Record]()
    for _ in range(MOST_RECORDS + 2):
        book.write(Record(n=book.next_n, phone_number_id=NUMBER))
    assert [record.n for record in book.read(None, 0, 2).items] == [3, 4]
    assert [record.n for record in book.read(None, 10, 1).items] == [11]
    assert book.count == MOST_RECORDS + 2


async def test_it_says_that_it_lives() -> None:
    async with simulator() as simulated:
        assert (await simulated.client.get("/live")).json() == {"status": "live"}


async def test_a_simulator_that_was_killed_knows_its_accounts_when_it_is_back(tmp_path: Path) -> None:
    ports, keys = free_ports(), Keys.of(tmp_path)
    local = LocalSimulator(ports)
    channel = {
        "webhook_url": "http://127.0.0.1:9/",
        "phone_number_id": NUMBER,
        "secrets": {"app_secret": APP_SECRET, "verify_token": "verify"},
    }
    body = {"messaging_product": "whatsapp", "to": CUSTOMER, "text": {"body": "Olá"}}
    headers = {"Authorization": f"Bearer {access_token(keys)}"}
    with closing(Journal(tmp_path / "logs")) as journal:
        async with supervised(tmp_path, journal) as supervisor, httpx.AsyncClient(timeout=10) as client:
            await supervisor.start(local.program(), within=30)
            await local.connect(channel, keys)
            messages = f"{ports.url('simulator')}/whatsapp/{NUMBER}/messages"

            async def send() -> int:
                with suppress(httpx.TransportError):
                    return (await client.post(messages, json=body, headers=headers)).status_code
                return 0

            assert await send() == 200
            # Who has no token is refused, and that is logged.
            assert (await client.post(messages, json=body)).is_client_error
            supervisor.kill("simulator")
            await until(send, lambda status: status == 0)
            await until(send, lambda status: status == 200)
            page = await client.get(f"{ports.url('simulator')}/docs")
            assert page.is_success
    assert "Olá" not in (tmp_path / "logs" / "simulator.log").read_text()


def _counting(receiver: Receiver, wanted: int) -> Callable[[], Any]:
    async def enough() -> bool:
        return len(receiver.requests) >= wanted

    return enough
