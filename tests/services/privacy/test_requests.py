"""What persons ask for: taken in, proven, decided and settled, in lawful steps, in time, and without telling who is
known."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from services.privacy import handlers, store
from services.privacy.app import service
from services.privacy.handlers.decisions import extend, references_of
from services.privacy.models import Request, SubjectIdentifier
from shared.db import Database, Waiting
from shared.events.conversation import ContactAddressesAdded
from shared.events.gateway import UserChanged
from shared.events.ingest import Address
from shared.events.privacy import DeadlineNeared, PrivacyRequestChanged, SubjectDataRequested
from shared.http import Conflict, TooManyRequests
from shared.ids import new_id
from shared.jobs import Worker
from tests.services.privacy.asking import (
    BY_HER_PHONE,
    HER_PHONE,
    MARIA,
    NOBODYS_PHONE,
    PORTUGUESE,
    Asking,
    contact_added,
    other,
    tenant_changed,
)
from tests.support.events import NOON
from tests.support.hearing import said_at
from tests.support.outbox import said
from tests.support.serving import Served

MINUTE = timedelta(minutes=1)


@pytest.fixture
def asking(served: Served, database: Database, tenant_id: UUID) -> Asking:
    return Asking(served, database, tenant_id)


def slug(answer: httpx.Response) -> str:
    kind: str = answer.json()["type"]
    return kind.removeprefix("/problems/")


def shape_of(answer: httpx.Response) -> Any:
    """What can be told from an answer: all but ids, secrets and times."""
    body = answer.json()
    hidden = {"id", "tracking_token", "trace_id"}
    told = {name: value for name, value in body.items() if name not in hidden and not name.endswith(("_at", "_until"))}
    return answer.status_code, sorted(body), told


async def test_access_is_asked_for_proven_granted_and_gathered(asking: Asking) -> None:
    maria = await asking.open()
    taken = await asking.ask()
    assert taken["state"] == "identity_pending"
    proven = await asking.prove(taken)
    assert (proven["state"], proven["overdue"], proven["authority"]) == ("triage", False, None)
    granted = await asking.decide(taken["id"], "approval")
    assert granted.status_code == 200, granted.text
    assert granted.json()["state"] == "collecting"
    (asked,) = [one for one in await said(asking.database, asking.tenant_id) if isinstance(one, SubjectDataRequested)]
    index = asking.served.app.state.office.blind_index
    sender = index.of_address(asking.tenant_id, UUID(int=asking.tenant_id.int ^ 1), "wa_phone", MARIA)
    assert asked.references == {"contact": [str(maria)], "user": [], "sender": [sender], "visitor": []}
    expected = ["identity_pending", "verified", "triage", "approved", "collecting"]
    assert await asking.states(taken["id"]) == expected
    told = [
        one.state for one in await said(asking.database, asking.tenant_id) if isinstance(one, PrivacyRequestChanged)
    ]
    assert told == ["received", *expected]


async def test_a_code_goes_to_the_address_on_file_and_says_for_whom_it_is(asking: Asking) -> None:
    maria = await asking.open()
    taken = await asking.ask(locale="fr", identifiers=[{"kind": "wa_phone", "value": "551187654321"}])
    (notice,) = await asking.notices(taken["id"], "proof_code")
    assert notice.recipient == [Address(kind="wa_phone", value=MARIA)]
    assert (notice.subject_id, notice.channel_kind) == (maria, "whatsapp")
    assert notice.text.startswith("Padaria Sol. Votre code")


async def test_what_is_left_for_later_is_done_by_its_jobs(asking: Asking) -> None:
    await asking.open()
    late = await asking.receive(datetime.now(UTC) - 20 * MINUTE)
    answer = await asking.person().post("/public/privacy/requests", json=BY_HER_PHONE)
    worker = Worker(service.does, asking.database, asking.served.app.state.office.sealer)
    while await worker.do_due():
        pass
    assert len(await asking.notices(answer.json()["id"], "proof_code")) == 1
    # Its ten minutes were over before, so that its code was not even sent.
    assert await asking.state(late) == "expired"
    assert not await asking.notices(late.id, "proof_code")


async def test_who_is_known_and_who_is_not_are_answered_alike(asking: Asking) -> None:
    await asking.open()
    known = await asking.person().post("/public/privacy/requests", json=BY_HER_PHONE)
    unknown = await asking.person().post(
        "/public/privacy/requests", json={"type": "access", "identifiers": NOBODYS_PHONE}
    )
    assert shape_of(known) == shape_of(unknown)
    answers: list[list[Any]] = []
    for taken in (known.json(), unknown.json()):
        await asking.send_code(taken["id"])
        person = asking.person(taken["tracking_token"])
        path = f"/public/privacy/requests/{taken['id']}"
        wrong = other(await asking.code(taken["id"])) if taken is known.json() else "123456"
        tries = [await person.post(f"{path}/verification", json={"code": wrong}) for _ in range(7)]
        answers.append(
            [*map(shape_of, tries), shape_of(await person.get(path)), shape_of(await person.post(f"{path}/codes"))]
        )
    assert answers[0] == answers[1]
    assert [status for status, *_ in answers[0]] == [*[422] * 7, 200, 429]


async def test_both_write_the_same_rows_before_anybody_is_looked_for(asking: Asking) -> None:
    await asking.open()
    rows: list[dict[str, Any]] = []
    for identifiers in (HER_PHONE, NOBODYS_PHONE):
        request = await asking.receive(identifiers=identifiers)
        kept = await asking.request(request.id)
        rows.append({column.name: getattr(kept, column.name) is None for column in Request.__table__.columns})
    assert rows[0] == rows[1]
    assert rows[0]["subject_id"]


async def test_a_code_that_was_sent_to_nobody_is_never_right(asking: Asking) -> None:
    await asking.open()
    request = await asking.receive(identifiers=NOBODYS_PHONE)
    index = asking.served.app.state.office.blind_index
    async with asking.database.unit_of_work([asking.tenant_id]) as uow:
        row = await store.last_code(asking.tenant_id, request.id, uow.session)
        assert row is not None
        row.digest = bytes.fromhex(index.of(asking.tenant_id, "proof-code", f"{row.id}|123456"))
    await asking.send_code(request.id, NOON)
    assert not await asking.verify(request, "123456")


async def test_whether_known_or_not_who_does_not_answer_in_time_has_to_ask_again(asking: Asking) -> None:
    await asking.open()
    for identifiers in (HER_PHONE, NOBODYS_PHONE):
        request = await asking.receive(identifiers=identifiers)
        await asking.send_code(request.id, NOON)
        assert await asking.end_proof(request, NOON + 9 * MINUTE) == "identity_pending"
        assert await asking.end_proof(request, NOON + 10 * MINUTE) == "expired"
        with pytest.raises(Conflict):
            await asking.verify(request, "123456")


async def test_another_code_gives_more_time_and_takes_the_place_of_the_first(asking: Asking) -> None:
    await asking.open()
    request = await asking.receive()
    await asking.send_code(request.id, NOON)
    first = await asking.code(request.id)
    await asking.another_code(request, NOON + 5 * MINUTE)
    await asking.send_code(request.id, NOON + 5 * MINUTE)
    assert await asking.end_proof(request, NOON + 10 * MINUTE) == "identity_pending"
    second = await asking.code(request.id)
    if first != second:
        assert not await asking.verify(request, first, NOON + 6 * MINUTE)
    assert await asking.verify(request, second, NOON + 6 * MINUTE)


async def blanks(asking: Asking, request: Request) -> list[bool]:
    return [code.blank for code in await asking.codes(request.id)]


async def test_codes_are_made_once_a_minute_and_three_are_sent_in_an_hour_to_one_person(asking: Asking) -> None:
    await asking.open()
    request = await asking.receive()
    with pytest.raises(TooManyRequests) as refused:
        await asking.another_code(request, NOON + timedelta(seconds=59))
    assert refused.value.headers["Retry-After"] == "1"
    for minutes in (1, 2, 3):
        await asking.another_code(request, NOON + minutes * MINUTE)
    assert await blanks(asking, request) == [False, False, False, True]
    # However the number is written, and whichever request it is in.
    same = await asking.receive(NOON + 30 * MINUTE, identifiers=[{"kind": "wa_phone", "value": "551187654321"}])
    assert await blanks(asking, same) == [True]
    assert await blanks(asking, await asking.receive(NOON + 30 * MINUTE, identifiers=NOBODYS_PHONE)) == [False]
    assert await blanks(asking, await asking.receive(NOON + 61 * MINUTE)) == [False]


async def test_no_more_codes_are_sent_when_many_ask_at_once_but_every_request_is_taken_in(asking: Asking) -> None:
    await asking.open()
    requests = await asyncio.gather(*(asking.receive() for _ in range(6)))
    assert sum([(await blanks(asking, request))[0] for request in requests]) == 3


async def test_who_asks_above_the_limit_is_answered_as_before_and_gets_no_code(asking: Asking) -> None:
    await asking.open()
    answers = [await asking.person().post("/public/privacy/requests", json=BY_HER_PHONE) for _ in range(4)]
    assert len({str(shape_of(answer)) for answer in answers}) == 1
    for answer in (answers[0], answers[3]):
        await asking.send_code(answer.json()["id"])
    assert len(await asking.notices(answers[0].json()["id"], "proof_code")) == 1
    blank = answers[3].json()["id"]
    assert not await asking.notices(blank, "proof_code")
    assert "code_withheld" in [step["action"] for step in (await asking.shown(blank))["history"]]


async def test_strangers_use_up_no_code_that_the_staff_has_sent(asking: Asking) -> None:
    maria = await asking.open()
    for _ in range(4):
        await asking.receive()
    staff = await asking.agent.post("/privacy/requests", json=BY_HER_PHONE)
    assert [code.blank for code in await asking.codes(staff.json()["id"])] == [False]
    assert await blanks(asking, await asking.receive(contact_id=maria)) == [False]


async def test_a_code_has_five_tries_however_many_come_at_once(asking: Asking) -> None:
    await asking.open()
    request = await asking.receive()
    await asking.send_code(request.id, NOON)
    code = await asking.code(request.id)
    tried = await asyncio.gather(*(asking.verify(request, other(code)) for _ in range(8)))
    assert not any(tried)
    assert not await asking.verify(request, code)
    assert [one.tries for one in await asking.codes(request.id)] == [5]
    # What anybody can do as often as he likes leaves no more traces.
    history = (await asking.shown(str(request.id)))["history"]
    assert [step["action"] for step in history].count("code_wrong") == 5


async def test_the_right_code_is_good_for_ten_minutes_and_once(asking: Asking) -> None:
    await asking.open()
    request = await asking.receive()
    await asking.send_code(request.id, NOON)
    code = await asking.code(request.id)
    assert not await asking.verify(request, code, NOON + 10 * MINUTE)
    outcomes = await asyncio.gather(*(asking.verify(request, code) for _ in range(4)), return_exceptions=True)
    assert sum(outcome is True for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 3


async def test_no_code_is_kept_in_the_clear_or_once_it_is_sent(asking: Asking) -> None:
    await asking.open()
    request = await asking.receive()
    await asking.send_code(request.id, NOON)
    await asking.send_code(request.id, NOON)
    assert len(await asking.notices(request.id, "proof_code")) == 1
    async with asking.database.unit_of_work([asking.tenant_id]) as uow:
        row = await store.last_code(asking.tenant_id, request.id, uow.session)
    assert row is not None
    assert row.sealed is None
    assert (await asking.code(request.id)).encode() not in row.digest


async def test_confirmation_is_answered_at_once_after_proof(asking: Asking) -> None:
    await asking.open()
    taken = await asking.ask(type="confirmation")
    proven = await asking.prove(taken)
    assert (proven["state"], proven["outcome"]) == ("completed", "data_held")
    assert "ANPD" in proven["authority"]["name"]
    (notice,) = await asking.notices(taken["id"], "completed")
    assert "Temos dados pessoais seus." in notice.text


async def test_that_nothing_is_held_is_an_answer_too(asking: Asking) -> None:
    await asking.open()
    for right in ("confirmation", "access"):
        request_id = await asking.seen_by_the_dpo(type=right, identifiers=NOBODYS_PHONE)
        answered = (await asking.decide(request_id, "approval")).json()
        assert (answered["state"], answered["outcome"]) == ("completed_no_data", "no_data")


async def test_nobody_but_the_dpo_says_that_nothing_is_held_and_he_can_name_who_is_meant(asking: Asking) -> None:
    maria = await asking.open()
    request_id = await asking.seen_by_the_dpo(type="confirmation", identifiers=NOBODYS_PHONE)
    assert (await asking.shown(request_id))["outcome"] is None
    for unknown in ({"contact_id": str(new_id())}, {"user_id": str(maria)}):
        assert (await asking.decide(request_id, "approval", **unknown)).status_code == 404
    both = {"contact_id": str(maria), "user_id": str(maria)}
    assert (await asking.decide(request_id, "approval", **both)).status_code == 422
    granted = (await asking.decide(request_id, "approval", contact_id=str(maria))).json()
    assert (granted["state"], granted["outcome"], granted["subject_ids"]) == ("completed", "data_held", [str(maria)])


async def test_who_is_seen_by_the_dpo_is_named_with_it(asking: Asking) -> None:
    maria = await asking.open()
    taken = (await asking.agent.post("/privacy/requests", json={"type": "access", "identifiers": NOBODYS_PHONE})).json()
    path = f"/privacy/requests/{taken['id']}/verification"
    refused = await asking.dpo.post(path, json={"method": "document", "contact_id": str(new_id())})
    assert refused.status_code == 404
    assert (await asking.dpo.post(path, json={"code": "123456", "contact_id": str(maria)})).status_code == 422
    assert (await asking.dpo.post(path, json={"method": "document", "contact_id": str(maria)})).status_code == 200
    assert (await asking.decide(taken["id"], "approval")).json()["state"] == "collecting"


async def test_whom_a_code_has_shown_nobody_replaces(asking: Asking) -> None:
    maria = await asking.open()
    request_id = await asking.in_triage()
    answer = await asking.decide(request_id, "approval", contact_id=str(maria))
    assert (answer.status_code, slug(answer)) == (409, "identity-proved")


async def test_before_proof_a_request_is_nobodys_and_one_that_ends_unproven_keeps_nothing_of_him(
    asking: Asking,
) -> None:
    await asking.open()
    taken = await asking.ask(text="Sei onde ela mora.")
    assert (await asking.request(taken["id"])).subject_id is None
    person = asking.person(taken["tracking_token"])
    await person.post(f"/public/privacy/requests/{taken['id']}/withdrawal")
    late = await asking.receive(text="Sei onde ela mora.")
    await asking.send_code(late.id, NOON)
    assert await asking.end_proof(late, NOON + 10 * MINUTE) == "expired"
    for request_id in (taken["id"], late.id):
        kept = await asking.request(request_id)
        assert (kept.identifiers, kept.text, kept.subject_id, kept.identifier_id) == ([], None, None, None)


async def test_the_codes_of_a_settled_request_are_gone_once_they_are_counted_no_more(asking: Asking) -> None:
    await asking.open()
    request = await asking.receive()
    await asking.end_proof(request, NOON + 10 * MINUTE)
    async with asking.database.unit_of_work([asking.tenant_id]) as uow:
        waiting = await uow.session.scalar(select(Waiting.due_at).where(Waiting.key == f"codes|{request.id}"))
    assert waiting == NOON + 70 * MINUTE
    await asking.do(handlers.ForgetCodes(tenant_id=asking.tenant_id, request_id=request.id))
    assert not await asking.codes(request.id)


async def test_an_agent_takes_a_request_in_and_gives_the_code_but_only_the_dpo_proves_by_hand(asking: Asking) -> None:
    maria = await asking.open()
    taken = (await asking.agent.post("/privacy/requests", json={"type": "access", "contact_id": str(maria)})).json()
    path = f"/privacy/requests/{taken['id']}"
    await asking.send_code(taken["id"])
    assert (await asking.agent.post(f"{path}/verification", json={"method": "document"})).status_code == 403
    assert (await asking.agent.get(path)).status_code == 403
    assert (await asking.agent.post(f"{path}/approval")).status_code == 403
    given = {"code": await asking.code(taken["id"])}
    assert (await asking.agent.post(f"{path}/verification", json=given)).json()["state"] == "triage"
    shown = await asking.shown(taken["id"])
    assert (shown["proven_by"], shown["subject_ids"], shown["origin"]) == ("code", [str(maria)], "staff")


async def test_what_the_staff_took_in_waits_for_proof_until_it_is_due(asking: Asking) -> None:
    maria = await asking.open()
    request = await asking.receive(contact_id=maria)
    assert await asking.end_proof(request, NOON + 11 * MINUTE) == "identity_pending"
    assert await asking.end_proof(request, request.due_at) == "expired"


async def test_a_member_of_the_staff_is_a_data_subject_too(asking: Asking) -> None:
    await asking.open()
    user_id = new_id()
    told = {"name": "Ana", "role": "agent", "active": True, "version": 1, "changed_at": NOON}
    await asking.hear(UserChanged(tenant_id=asking.tenant_id, user_id=user_id, **told))
    taken = (await asking.dpo.post("/privacy/requests", json={"type": "access", "user_id": str(user_id)})).json()
    await asking.dpo.post(f"/privacy/requests/{taken['id']}/verification", json={"method": "in_person"})
    assert (await asking.decide(taken["id"], "approval")).json()["state"] == "collecting"
    (asked,) = [one for one in await said(asking.database, asking.tenant_id) if isinstance(one, SubjectDataRequested)]
    assert asked.references == {"contact": [], "user": [str(user_id)], "sender": [], "visitor": []}


async def test_an_operator_sends_the_person_to_its_controller(asking: Asking) -> None:
    await asking.open(role="operator")
    body = {"small_agent": False, "controller": "Clínica Sol"}
    assert (await asking.dpo.put("/privacy/settings", json=body)).status_code == 200
    proven = await asking.prove(await asking.ask())
    assert (proven["state"], proven["controller"]) == ("redirected_to_controller", "Clínica Sol")
    (notice,) = await asking.notices(proven["id"], "redirected")
    assert "Clínica Sol" in notice.text


async def test_while_an_operator_names_no_controller_its_requests_wait_for_that(asking: Asking) -> None:
    await asking.open(role="operator")
    waiting, approved = await asking.in_triage(), await asking.in_triage(type="confirmation")
    assert "controller_unknown" in [step["action"] for step in (await asking.shown(waiting))["history"]]
    early = await asking.decide(approved, "approval")
    assert (early.status_code, slug(early)) == (409, "controller-unknown")
    await asking.dpo.put("/privacy/settings", json={"small_agent": False, "controller": "Clínica Sol"})
    assert (await asking.decide(approved, "approval")).json()["state"] == "redirected_to_controller"
    await asking.do(handlers.RedirectWaiting(tenant_id=asking.tenant_id))
    for request_id in (waiting, approved):
        assert (await asking.shown(request_id))["state"] == "redirected_to_controller"
        assert len(await asking.notices(request_id, "redirected")) == 1


async def test_a_refusal_tells_why_and_where_to_complain(asking: Asking) -> None:
    await asking.open(**PORTUGUESE)
    request_id = await asking.in_triage()
    assert (await asking.decide(request_id, "rejection")).status_code == 422
    refused = (await asking.decide(request_id, "rejection", reason="Pedido repetido.")).json()
    assert (refused["state"], refused["reason"]) == ("rejected", "Pedido repetido.")
    assert "CNPD" in refused["authority"]["name"]
    (notice,) = await asking.notices(request_id, "rejected")
    assert "Pedido repetido." in notice.text
    assert "cnpd.pt" in notice.text


async def test_any_other_right_is_settled_by_hand(asking: Asking) -> None:
    await asking.open()
    request_id = await asking.in_triage(type="rectification")
    early = await asking.decide(request_id, "completion", outcome="done")
    assert (early.status_code, slug(early)) == (409, "wrong-state")
    assert (await asking.decide(request_id, "approval")).json()["state"] == "approved"
    done = (await asking.decide(request_id, "completion", outcome="done_with_exemptions", note="A fatura fica.")).json()
    assert (done["state"], done["outcome"]) == ("completed_with_exemptions", "done_with_exemptions")
    (notice,) = await asking.notices(request_id, "completed")
    assert "A fatura fica." in notice.text
    assert not [one for one in await said(asking.database, asking.tenant_id) if isinstance(one, SubjectDataRequested)]


@pytest.mark.parametrize(
    ("decision", "body"),
    [
        ("approval", {}),
        ("rejection", {"reason": "Porque sim."}),
        ("completion", {"outcome": "done"}),
        ("retries", {}),
    ],
)
async def test_what_its_state_does_not_allow_is_a_conflict_and_changes_nothing(
    asking: Asking, decision: str, body: dict[str, Any]
) -> None:
    await asking.open()
    taken = await asking.ask()
    before = await asking.shown(taken["id"])
    answer = await asking.decide(taken["id"], decision, **body)
    assert (answer.status_code, slug(answer)) == (409, "wrong-state")
    assert await asking.shown(taken["id"]) == before


async def test_a_settled_request_is_not_decided_again(asking: Asking) -> None:
    await asking.open()
    request_id = await asking.in_triage()
    await asking.decide(request_id, "rejection", reason="Pedido repetido.")
    for decision, body in (("approval", {}), ("withdrawal", {}), ("extension", {"reason": "Mais tempo."})):
        assert (await asking.decide(request_id, decision, **body)).status_code == 409
    assert (await asking.decide(request_id, "verification", method="document")).status_code == 409


async def test_a_person_takes_a_request_back_and_what_was_gathered_is_gone(asking: Asking) -> None:
    await asking.open()
    taken = await asking.ask()
    await asking.prove(taken)
    await asking.decide(taken["id"], "approval")
    path = f"/public/privacy/requests/{taken['id']}"
    person = asking.person(taken["tracking_token"])
    assert (await person.post(f"{path}/withdrawal")).json()["state"] == "withdrawn"
    assert (await person.post(f"{path}/withdrawal")).status_code == 409
    async with asking.database.unit_of_work([asking.tenant_id]) as uow:
        assert await store.package(asking.tenant_id, UUID(taken["id"]), uow.session) is None


async def test_silent_services_are_asked_again(asking: Asking) -> None:
    await asking.open()
    request_id = await asking.in_triage()
    await asking.decide(request_id, "approval")
    job = handlers.CollectionTimedOut(tenant_id=asking.tenant_id, request_id=UUID(request_id), attempt=1)
    await asking.do(job, datetime.now(UTC) + 16 * MINUTE)
    assert len((await asking.shown(request_id))["silent"]) == 6
    again = await asking.decide(request_id, "retries")
    assert (again.status_code, again.json()["state"], again.json()["silent"]) == (202, "collecting", [])
    asked = [one for one in await said(asking.database, asking.tenant_id) if isinstance(one, SubjectDataRequested)]
    assert [one.attempt for one in asked] == [1, 2]
    assert asked[0].references == asked[1].references


async def test_only_the_token_of_a_request_opens_it(asking: Asking) -> None:
    await asking.open()
    one = (await asking.person().post("/public/privacy/requests", json=BY_HER_PHONE)).json()
    two = (await asking.person().post("/public/privacy/requests", json=BY_HER_PHONE)).json()
    elsewhere = Asking(asking.served, asking.database, new_id())
    await elsewhere.open()
    refused = [
        await asking.person(two["tracking_token"]).get(f"/public/privacy/requests/{one['id']}"),
        await asking.person("").get(f"/public/privacy/requests/{one['id']}"),
        await asking.person("req_x").get(f"/public/privacy/requests/{one['id']}"),
        await asking.person(one["tracking_token"]).get(f"/public/privacy/requests/{new_id()}"),
        await elsewhere.person(one["tracking_token"]).get(f"/public/privacy/requests/{one['id']}"),
        await elsewhere.dpo.get(f"/privacy/requests/{one['id']}"),
        await elsewhere.dpo.post(f"/privacy/requests/{one['id']}/approval"),
    ]
    assert {shape_of(answer)[0] for answer in refused} == {404}
    assert len({str(shape_of(answer)) for answer in refused}) == 1
    assert (await asking.person(one["tracking_token"]).get(f"/public/privacy/requests/{one['id']}")).status_code == 200
    assert (await elsewhere.dpo.get("/privacy/requests")).json()["items"] == []


async def test_nobody_who_says_who_he_is_comes_by_the_public_way_or_the_other_way_round(asking: Asking) -> None:
    await asking.open()
    assert (await asking.dpo.post("/public/privacy/requests", json=BY_HER_PHONE)).status_code == 403
    assert (await asking.person().post("/privacy/requests", json=BY_HER_PHONE)).status_code == 403


async def test_while_a_tenant_is_not_known_here_nothing_is_taken_in(asking: Asking) -> None:
    assert (await asking.person().post("/public/privacy/requests", json=BY_HER_PHONE)).status_code == 404
    assert (await asking.dpo.post("/privacy/requests", json=BY_HER_PHONE)).status_code == 404
    assert (await asking.dpo.get("/privacy/requests")).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"type": "to_be_left_alone"},
        {"identifiers": []},
        {"identifiers": [{"kind": "phone", "value": "12345"}]},
        {"identifiers": [{"kind": "Phone!", "value": MARIA}]},
        {"identifiers": HER_PHONE * 6},
        {"scope": ["everything"]},
        {"locale": "tlh"},
        {"contact_channel": "o celular da Ana"},
        {"contact_id": str(new_id())},
    ],
)
async def test_what_cannot_be_meant_is_refused(asking: Asking, change: dict[str, Any]) -> None:
    await asking.open()
    answer = await asking.person().post("/public/privacy/requests", json=BY_HER_PHONE | change)
    assert answer.status_code == 422


async def test_a_request_of_the_staff_is_for_exactly_one(asking: Asking) -> None:
    await asking.open()
    both = BY_HER_PHONE | {"contact_id": str(new_id())}
    for body in ({"type": "access"}, both):
        assert (await asking.dpo.post("/privacy/requests", json=body)).status_code == 422


async def test_a_request_tells_its_deadline_and_from_what_it_was_counted(asking: Asking) -> None:
    await asking.open()
    request = await asking.receive()
    assert (request.due_at.isoformat(), request.rule_id) == ("2026-12-06T02:59:59+00:00", "lgpd.art-19-ii")
    shown = await asking.shown(str(request.id))
    assert shown["due_at"] == "2026-12-06T02:59:59Z"
    # A Saturday.
    assert shown["legal_latest_at"] == "2026-12-08T02:59:59Z"
    assert shown["inputs"]["received_on"] == "2026-11-20"


async def test_a_small_agent_has_twice_the_time_from_then_on(asking: Asking) -> None:
    await asking.open()
    before = await asking.receive()
    read = await asking.dpo.get("/privacy/settings")
    assert (read.json(), read.headers["etag"]) == ({"small_agent": False, "controller": None}, '"0"')
    body, if_match = {"small_agent": True}, {"If-Match": '"0"'}
    assert (await asking.dpo.put("/privacy/settings", json=body, headers=if_match)).headers["etag"] == '"1"'
    assert (await asking.dpo.put("/privacy/settings", json=body, headers=if_match)).status_code == 412
    after = await asking.receive()
    assert after.due_at - before.due_at == timedelta(days=15)
    assert (await asking.request(before.id)).due_at == before.due_at


async def extended(asking: Asking, request: Request, now: Any) -> Request:
    async with asking.database.unit_of_work([asking.tenant_id], now=now) as uow:
        held = await store.request(asking.tenant_id, request.id, uow.session, for_update=True)
        assert held is not None
        await extend(held, "São muitos dados.", None, uow, actor="dpo")
    return held


async def test_the_union_extends_once_and_within_the_first_month(asking: Asking) -> None:
    await asking.open(**PORTUGUESE)
    request = await asking.receive()
    await asking.prove_by_hand(request)
    late = request.due_at + timedelta(seconds=1)
    with pytest.raises(Conflict):
        await extended(asking, request, late)
    longer = await extended(asking, request, request.due_at)
    assert (request.due_at.month, longer.due_at.month, longer.due_at.day) == (12, 2, 20)
    assert longer.rule_id == "gdpr.art-12-3.extended"
    with pytest.raises(Conflict):
        await extended(asking, request, request.due_at)


async def test_brazil_explains_a_delay_and_what_is_overdue_stays_so(asking: Asking) -> None:
    await asking.open()
    request_id = await asking.in_triage()
    async with asking.database.unit_of_work([asking.tenant_id]) as uow:
        request = await uow.session.get_one(Request, UUID(request_id))
        request.due_at = NOON - timedelta(days=1)
    assert (await asking.decide(request_id, "extension", reason="São muitos dados.")).status_code == 200
    shown = await asking.shown(request_id)
    assert (shown["overdue"], shown["extension_reason"]) == (True, "São muitos dados.")
    assert shown["due_at"] == "2026-11-19T12:00:00Z"
    (notice,) = await asking.notices(request_id, "extended")
    assert notice.text.endswith("Motivo: São muitos dados.")
    listed = (await asking.dpo.get("/privacy/requests", params={"overdue": True})).json()["items"]
    assert [one["id"] for one in listed] == [request_id]
    assert (await asking.dpo.get("/privacy/requests", params={"overdue": False})).json()["items"] == []


async def test_who_is_not_told_keeps_the_time_that_the_union_promises(asking: Asking) -> None:
    await asking.open(**PORTUGUESE)
    user_id = new_id()
    told = {"name": "Ana", "role": "agent", "active": True, "version": 1, "changed_at": NOON}
    await asking.hear(UserChanged(tenant_id=asking.tenant_id, user_id=user_id, **told))
    taken = (await asking.dpo.post("/privacy/requests", json={"type": "access", "user_id": str(user_id)})).json()
    await asking.decide(taken["id"], "verification", method="in_person")
    unreached = await asking.decide(taken["id"], "extension", reason="São muitos dados.")
    assert (unreached.status_code, slug(unreached)) == (409, "not-told")
    assert (await asking.shown(taken["id"]))["due_at"] == taken["due_at"]
    longer = (await asking.decide(taken["id"], "extension", reason="São muitos dados.", told_by="letter")).json()
    assert longer["due_at"] > taken["due_at"]
    assert longer["history"][-1]["details"]["told_by"] == "letter"


async def test_a_new_deadline_is_told_with_its_reason(asking: Asking) -> None:
    await asking.open(**PORTUGUESE)
    request_id = await asking.in_triage()
    await asking.decide(request_id, "extension", reason="São muitos dados.")
    (notice,) = await asking.notices(request_id, "extended")
    assert "São muitos dados. Nova data-limite: " in notice.text


async def test_who_has_not_proved_who_he_is_is_told_of_a_new_deadline_when_he_has(asking: Asking) -> None:
    await asking.open(**PORTUGUESE)
    taken = await asking.ask()
    longer = (await asking.decide(taken["id"], "extension", reason="São muitos dados.")).json()
    assert longer["due_at"] > taken["due_at"]
    assert await asking.notices(taken["id"], "extended") == []
    await asking.prove(taken)
    (notice,) = await asking.notices(taken["id"], "extended")
    assert "São muitos dados. Nova data-limite: " in notice.text


async def neared(asking: Asking) -> list[float]:
    events = await said(asking.database, asking.tenant_id)
    return [event.share for event in events if isinstance(event, DeadlineNeared)]


async def test_time_that_runs_out_is_told_unless_the_request_is_settled_or_has_more(asking: Asking) -> None:
    await asking.open()
    request = await asking.receive()
    for share in (0.5, 0.75, 0.9, 1.0):
        await asking.near_deadline(request, share, request.due_at, request.due_at)
    assert await neared(asking) == [0.5, 0.75, 0.9, 1.0]
    await asking.near_deadline(request, 0.5, request.due_at, request.due_at + MINUTE)
    await asking.set(request, answered_at=NOON)
    await asking.near_deadline(request, 0.5, request.due_at, request.due_at)
    await asking.set(request, answered_at=None)
    await asking.end_proof(request, NOON + 11 * MINUTE)
    await asking.near_deadline(request, 0.5, request.due_at, request.due_at)
    assert len(await neared(asking)) == 4


async def scheduled(asking: Asking, request: Request) -> list[tuple[float, datetime]]:
    async with asking.database.unit_of_work([asking.tenant_id]) as uow:
        key = f"deadline|{request.id}|{request.due_at.isoformat()}"
        rows = await uow.session.execute(
            select(Waiting.payload, Waiting.due_at).where(Waiting.key == key).order_by(Waiting.id)
        )
        return [(payload["share"], due_at) for payload, due_at in rows]


async def test_no_alert_is_lost_when_a_job_runs_late(asking: Asking) -> None:
    await asking.open()
    request = await asking.receive()
    over = request.due_at + timedelta(seconds=1)
    await asking.near_deadline(request, 0.9, over + timedelta(days=1), request.due_at)
    assert [share for share, _ in await scheduled(asking, request)] == [0.5, 1.0]
    assert (await scheduled(asking, request))[-1][1] == over


async def test_what_comes_in_the_last_second_of_a_day_has_all_its_alerts(asking: Asking) -> None:
    await asking.open()
    request = await asking.receive(datetime(2026, 11, 21, 2, 59, 59, 500_000, tzinfo=UTC), type="marketing_objection")
    assert request.due_at < request.received_at
    ((share, at),) = await scheduled(asking, request)
    assert (share, at > request.received_at) == (0.5, True)


async def test_an_answer_that_waits_to_be_taken_is_not_late(asking: Asking) -> None:
    await asking.open()
    request_id = await asking.in_triage()
    request = await asking.request(request_id)
    await asking.set(request, due_at=NOON - timedelta(days=1))
    assert (await asking.shown(request_id))["overdue"]
    await asking.set(request, answered_at=NOON)
    assert not (await asking.shown(request_id))["overdue"]
    assert (await asking.dpo.get("/privacy/requests", params={"overdue": True})).json()["items"] == []


async def test_days_are_counted_where_the_law_is_and_not_where_the_tenant_is(asking: Asking) -> None:
    await asking.open(time_zone="America/Manaus")
    request = await asking.receive(datetime(2026, 11, 21, 3, 30, tzinfo=UTC))
    assert request.inputs["received_on"] == "2026-11-21"
    assert request.due_at == datetime(2026, 12, 7, 2, 59, 59, tzinfo=UTC)


async def test_a_history_is_whole_however_long_it_is(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    await asking.open()
    request_id = await asking.in_triage()
    whole = (await asking.shown(request_id))["history"]
    monkeypatch.setattr("services.privacy.api.showing._PAGE", 2)
    assert (await asking.shown(request_id))["history"] == whole
    assert len(whole) > 4


async def test_who_only_looks_waits_for_nobody(asking: Asking) -> None:
    await asking.open()
    taken = await asking.ask()
    async with asking.database.unit_of_work([asking.tenant_id]) as uow:
        assert await store.request(asking.tenant_id, UUID(taken["id"]), uow.session, for_update=True)
        person = asking.person(taken["tracking_token"])
        async with asyncio.timeout(5):
            assert (await person.get(f"/public/privacy/requests/{taken['id']}")).status_code == 200


async def test_a_list_is_read_page_by_page_and_by_state(asking: Asking) -> None:
    await asking.open()
    ids = [str((await asking.receive(identifiers=[{"kind": "visitor", "value": str(n)}])).id) for n in range(3)]
    first = (await asking.dpo.get("/privacy/requests", params={"limit": 2})).json()
    rest = (await asking.dpo.get("/privacy/requests", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [one["id"] for one in [*first["items"], *rest["items"]]] == sorted(ids)
    pending = await asking.dpo.get("/privacy/requests", params={"state": "identity_pending"})
    assert len(pending.json()["items"]) == 3
    assert (await asking.dpo.get("/privacy/requests", params={"state": "triage"})).json()["items"] == []


async def test_the_same_number_on_two_channels_is_one_person_unless_it_was_handed_on(asking: Asking) -> None:
    one = contact_added(asking.tenant_id, ("wa_bsuid", "BR.1"), ("wa_phone", "551187654321"))
    two = contact_added(asking.tenant_id, ("wa_phone", MARIA), channel_id=new_id())
    stranger = contact_added(asking.tenant_id, ("wa_bsuid", "BR.2"), ("wa_phone", MARIA), channel_id=new_id())
    chat = contact_added(asking.tenant_id, ("visitor", str(new_id())), channel_id=new_id(), kind="web_chat")
    await asking.hear(tenant_changed(asking.tenant_id), one, two, chat, said_at(NOON - MINUTE, stranger))
    request = await asking.receive()
    await asking.send_code(request.id, NOON)
    (notice,) = await asking.notices(request.id, "proof_code")
    assert notice.recipient == [Address(kind="wa_bsuid", value="BR.1")]
    assert await asking.verify(request, await asking.code(request.id))
    found = await asking.request(request.id)
    assert found.subject_ids == [one.contact_id, two.contact_id]
    async with asking.database.unit_of_work([asking.tenant_id]) as uow:
        references = await references_of(found, asking.served.app.state.office.blind_index, uow)
    assert (len(references["contact"]), len(references["sender"])) == (2, 3)


async def test_what_is_heard_in_any_order_and_twice_makes_the_same_register(asking: Asking) -> None:
    seen = set()
    for order in permutations(range(3)):
        tenant_id = new_id()
        added = contact_added(tenant_id, ("wa_phone", MARIA))
        more = ContactAddressesAdded(
            tenant_id=tenant_id,
            contact_id=added.contact_id,
            channel_id=added.channel_id or new_id(),
            channel_kind="whatsapp",
            addresses=[Address(kind="wa_bsuid", value="BR.1"), Address(kind="wa_phone", value=MARIA)],
        )
        events = [said_at(NOON, added), said_at(NOON + MINUTE, more), said_at(NOON, tenant_changed(tenant_id))]
        for place in (*order, *order):
            await asking.hear(events[place])
        async with asking.database.unit_of_work([tenant_id]) as uow:
            rows = (await uow.session.scalars(select(SubjectIdentifier).order_by(SubjectIdentifier.kind))).all()
            people = await store.subjects(tenant_id, [added.contact_id], uow.session)
        seen.add(
            (
                *(
                    (row.kind, row.value, row.lookup_key, row.known_since, row.subject_id == added.contact_id)
                    for row in rows
                ),
                *((person.kind, person.known_since) for person in people),
            )
        )
    assert len(seen) == 1
