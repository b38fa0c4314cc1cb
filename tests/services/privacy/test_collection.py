"""Gathering what the services hold: whoever was asked hands it over in whatever order, and who is silent is named."""

from datetime import UTC, datetime, timedelta

import pytest

from services.privacy.handlers.collection import SILENT_AFTER, CollectionTimedOut
from services.privacy.models import DepositPart
from shared.events.privacy import NoticeQueued, SubjectDataRequested
from shared.http import Conflict
from shared.ids import new_id
from shared.rights import PART_BYTES, PARTICIPANTS
from tests.services.privacy.gathering import Gathering, complete, rows_of


async def test_every_service_is_asked_once_with_the_request_s_own_key(gathering: Gathering) -> None:
    (asked,) = [event for event in await gathering.said() if isinstance(event, SubjectDataRequested)]
    assert asked.services == list(PARTICIPANTS)
    assert (asked.attempt, asked.references) == (1, gathering.references)
    other = await gathering.another()
    assert len(gathering.key) == 32
    assert gathering.key != other.key


async def test_what_is_deposited_in_any_order_and_twice_is_evidence_in_the_end(gathering: Gathering) -> None:
    first, second = rows_of("messages", {"text": "oi"}, {"text": "tudo bem?"}), rows_of("messages", {"text": "tchau"})
    last = complete(first, second, messages=(3, {"text": "message.content"}), notes=(0, {}))
    for number, plain in ((3, last), (2, second), (2, second), (1, first), (1, first)):
        assert await gathering.deposit("conversation", number, plain) == 204
    told = (await gathering.evidence())["conversation"]
    assert told["state"] == "complete"
    assert told["tables"] == {
        "messages": {"rows": 3, "categories": {"text": "message.content"}},
        "notes": {"rows": 0, "categories": {}},
    }
    assert told["parts"] == 2
    assert len(told["sha256"]) == 64


async def test_evidence_names_who_was_asked_and_holds_nothing_of_the_person(gathering: Gathering) -> None:
    await gathering.hand_over("ingest", rows_of("raw_events", {"body": "Maria Xq7z"}), raw_events=(1, {}))
    told = await gathering.evidence()
    assert sorted(told) == sorted(PARTICIPANTS)
    assert [service for service, one in told.items() if one["state"] == "complete"] == ["ingest"]
    assert "Maria" not in str(told)


async def test_a_part_that_does_not_open_is_answered_like_an_unknown_request(gathering: Gathering) -> None:
    part = gathering.sealed("ingest", 1, rows_of("raw_events", {"body": "x"}))
    assert await gathering.put("ingest", 1, part[:-1] + bytes([part[-1] ^ 1])) == 404
    assert await gathering.put("ingest", 2, part) == 404
    assert await gathering.put("routing", 1, part) == 404
    assert await gathering.put("ingest", 1, b"short") == 404
    assert await gathering.put("nobody", 1, part) == 404
    assert await gathering.put("ingest", 0, part) == 404
    unknown = await gathering.another()
    assert await unknown.put("ingest", 1, part) == 404
    assert await gathering.put("ingest", 1, part, attempt=2) == 404
    assert await gathering.put("ingest", 1, part, attempt=0) == 404
    for address in (f"{gathering.tenant_id}/{new_id()}/ingest/1/1", "x/y/ingest/1/1"):
        assert (await gathering.served.stranger.put(f"/deposits/{address}", content=part)).status_code == 404
    assert await gathering.count(DepositPart) == 0


async def test_what_opens_and_is_no_part_is_not_taken(gathering: Gathering) -> None:
    for plain in (b"no json", b"[]", b'{"rows":[]}', b'{"complete":{"parts":0,"digest":"","tables":{}}}'):
        assert await gathering.deposit("ingest", 1, plain) == 404


async def test_a_part_has_its_bounds(gathering: Gathering) -> None:
    assert await gathering.put("ingest", 1, bytes(PART_BYTES + 1)) == 413


async def test_a_later_deposit_takes_the_earlier_one_s_place_until_its_service_is_complete(
    gathering: Gathering,
) -> None:
    await gathering.deposit("ingest", 1, rows_of("raw_events", {"body": "first"}))
    await gathering.hand_over("ingest", rows_of("raw_events", {"body": "second"}), raw_events=(1, {}))
    before = (await gathering.evidence())["ingest"]
    assert await gathering.deposit("ingest", 1, rows_of("raw_events", {"body": "third"}, {"body": "fourth"})) == 204
    assert (await gathering.evidence())["ingest"] == before
    assert [row["body"] for row in await gathering.stored("ingest", 1)] == ["second"]


async def test_what_was_announced_and_did_not_come_keeps_a_service_waiting(gathering: Gathering) -> None:
    one, two = rows_of("raw_events", {"body": "one"}), rows_of("raw_events", {"body": "two"})
    await gathering.hand_over("ingest", one, raw_events=(2, {}))
    assert (await gathering.evidence())["ingest"]["state"] == "waiting", "a row is missing"
    await gathering.deposit("ingest", 2, complete(two, raw_events=(1, {})))
    assert (await gathering.evidence())["ingest"]["state"] == "waiting", "it is another part"
    await gathering.deposit("ingest", 1, two)
    assert (await gathering.evidence())["ingest"]["state"] == "complete"


async def test_parts_of_two_attempts_never_become_one_package(gathering: Gathering) -> None:
    late, *others = PARTICIPANTS
    for service in others:
        await gathering.hand_over(service)
    old = [rows_of("messages", {"text": f"old {number}"}) for number in (1, 2)]
    new = [rows_of("messages", {"text": f"new {number}"}) for number in (1, 2)]
    await gathering.deposit(late, 1, old[0])
    await gathering.time_out()
    await gathering.ask_again()
    assert await gathering.deposit(late, 1, new[0], attempt=2) == 204
    # Who was given up is still at it, and what he seals has the numbers of the new attempt.
    assert await gathering.deposit(late, 1, old[0]) == 409
    assert await gathering.deposit(late, 2, old[1]) == 409
    assert await gathering.deposit(late, 3, complete(*old, messages=(2, {}))) == 409
    assert await gathering.put(late, 2, gathering.sealed(late, 2, old[1]), attempt=2) == 404
    assert await gathering.deposit(late, 2, new[1], attempt=2) == 204
    assert await gathering.deposit(late, 3, complete(new[0], old[1], messages=(2, {})), attempt=2) == 204
    assert await gathering.state() == "collecting", "what was said over the parts is not what came"
    assert await gathering.deposit(late, 3, complete(*new, messages=(2, {})), attempt=2) == 204
    assert await gathering.state() == "delivering"


async def test_when_the_package_is_ready_the_request_is_answered(gathering: Gathering) -> None:
    assert (await gathering.request()).answered_at is None
    await gathering.hand_over_all()
    request = await gathering.request()
    assert request.answered_at is not None
    assert request.settled_at is None


async def test_when_all_are_complete_the_person_is_told_and_the_package_waits_a_week(gathering: Gathering) -> None:
    await gathering.hand_over_all()
    assert await gathering.state() == "delivering"
    (notice,) = [event for event in await gathering.said() if isinstance(event, NoticeQueued)]
    assert notice.kind == "package_ready"
    package = await gathering.package()
    assert package is not None
    assert package.expires_at is not None
    assert "deposit_completed" in await gathering.actions()


async def test_who_is_silent_for_a_quarter_of_an_hour_is_named_and_may_still_answer(gathering: Gathering) -> None:
    for service in PARTICIPANTS[2:]:
        await gathering.hand_over(service)
    await gathering.time_out()
    assert await gathering.state() == "action_required"
    assert await gathering.silent() == list(PARTICIPANTS[:2])
    await gathering.hand_over(PARTICIPANTS[0])
    assert (await gathering.state(), await gathering.silent()) == ("action_required", [PARTICIPANTS[1]])
    await gathering.hand_over(PARTICIPANTS[1])
    assert (await gathering.state(), await gathering.silent()) == ("delivering", [])


async def test_when_all_have_answered_in_time_nobody_is_named(gathering: Gathering) -> None:
    await gathering.hand_over_all()
    await gathering.time_out()
    assert (await gathering.state(), await gathering.silent()) == ("delivering", [])


async def test_only_who_was_silent_is_asked_again_and_begins_anew(gathering: Gathering) -> None:
    silent, *others = PARTICIPANTS
    for service in others:
        await gathering.hand_over(service)
    await gathering.deposit(silent, 1, rows_of("messages", {"text": "of the attempt that was given up"}))
    await gathering.time_out()
    await gathering.ask_again()
    asked = [event for event in await gathering.said() if isinstance(event, SubjectDataRequested)][-1]
    assert (asked.attempt, asked.services) == (2, [silent])
    # The look at the first attempt comes to nothing now.
    await gathering.time_out(attempt=1)
    assert await gathering.state() == "collecting"
    anew = rows_of("messages", {"text": "anew"})
    assert await gathering.deposit(silent, 2, complete(anew, messages=(1, {})), attempt=2) == 204
    assert (await gathering.evidence())[silent]["state"] == "waiting"
    assert await gathering.deposit(silent, 1, anew, attempt=2) == 204
    assert await gathering.state() == "delivering"


async def test_nobody_is_named_while_something_is_handed_over(gathering: Gathering) -> None:
    slow, silent, *others = PARTICIPANTS
    for service in others:
        await gathering.hand_over(service)
    for service in (slow, silent):
        await gathering.heard(service, ago=SILENT_AFTER)
    await gathering.deposit(slow, 1, rows_of("messages", {"text": "the first of many"}))
    job = CollectionTimedOut(tenant_id=gathering.tenant_id, request_id=gathering.request_id, attempt=1)
    await gathering.do(job, after=SILENT_AFTER - timedelta(minutes=1))
    assert await gathering.state() == "collecting"
    due_at = await gathering.due(CollectionTimedOut)
    assert SILENT_AFTER - timedelta(minutes=1) < due_at - datetime.now(UTC) < SILENT_AFTER
    await gathering.time_out()
    assert (await gathering.state(), await gathering.silent()) == ("action_required", [slow, silent])


async def test_who_is_silent_is_asked_again_though_another_is_still_at_it(gathering: Gathering) -> None:
    slow, silent, *others = PARTICIPANTS
    for service in others:
        await gathering.hand_over(service)
    with pytest.raises(Conflict, match="No service is silent"):
        await gathering.ask_again()
    await gathering.heard(silent, ago=SILENT_AFTER)
    part = rows_of("messages", {"text": "of the first attempt"})
    await gathering.deposit(slow, 1, part)
    await gathering.ask_again()
    asked = [event for event in await gathering.said() if isinstance(event, SubjectDataRequested)][-1]
    assert (asked.attempt, asked.services) == (2, [silent])
    assert await gathering.deposit(slow, 2, complete(part, messages=(1, {}))) == 204
    assert await gathering.deposit(silent, 1, complete(), attempt=2) == 204
    assert await gathering.state() == "delivering"


async def test_after_the_end_nothing_is_taken(gathering: Gathering) -> None:
    await gathering.hand_over_all()
    assert await gathering.deposit("ingest", 1, rows_of("raw_events", {"body": "late"})) == 409
    assert await gathering.deposit("ingest", 1, complete()) == 409
