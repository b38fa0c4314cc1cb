"""Gathering what the services hold: whoever was asked hands it over in whatever order, and who is silent is named."""

from services.privacy.models import DepositPart
from shared.events.privacy import NoticeQueued, SubjectDataRequested
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
    messages = rows_of("messages", {"text": "oi"}, {"text": "tudo bem?"})
    for number, plain in (
        (3, complete(2, messages=(3, {"text": "message.content"}), notes=(0, {}))),
        (2, rows_of("messages", {"text": "tchau"})),
        (2, rows_of("messages", {"text": "tchau"})),
        (1, messages),
        (1, messages),
    ):
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
    address = f"/deposits/{gathering.tenant_id}/{new_id()}/ingest/1"
    assert (await gathering.served.stranger.put(address, content=part)).status_code == 404
    assert (await gathering.served.stranger.put("/deposits/x/y/ingest/1", content=part)).status_code == 404
    assert await gathering.count(DepositPart) == 0


async def test_what_opens_and_is_no_part_is_not_taken(gathering: Gathering) -> None:
    for plain in (b"no json", b"[]", b'{"rows":[]}', b'{"complete":{"parts":-1,"attempt":1,"tables":{}}}'):
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


async def test_rows_that_were_announced_and_did_not_come_keep_a_service_waiting(gathering: Gathering) -> None:
    await gathering.hand_over("ingest", rows_of("raw_events", {"body": "one"}), raw_events=(2, {}))
    assert (await gathering.evidence())["ingest"]["state"] == "waiting"
    await gathering.deposit("ingest", 1, rows_of("raw_events", {"body": "one"}, {"body": "two"}))
    assert (await gathering.evidence())["ingest"]["state"] == "complete"


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
    assert await gathering.deposit(silent, 2, complete(1, messages=(1, {}))) == 409
    assert await gathering.deposit(silent, 2, complete(1, attempt=2, messages=(1, {}))) == 204
    assert (await gathering.evidence())[silent]["state"] == "waiting"
    assert await gathering.deposit(silent, 1, rows_of("messages", {"text": "anew"})) == 204
    assert await gathering.state() == "delivering"


async def test_after_the_end_nothing_is_taken(gathering: Gathering) -> None:
    await gathering.hand_over_all()
    assert await gathering.deposit("ingest", 1, rows_of("raw_events", {"body": "late"})) == 409
    assert await gathering.deposit("ingest", 1, complete(0)) == 409
