"""Routing by API: what a tenant sets, what an agent does for himself, and what a customer may be told."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.routing import handlers, store
from shared.events.routing import BusinessHoursChanged
from shared.ids import new_id
from tests.services.routing.counter import Counter, tenant_changed
from tests.support.conversations import Conversation
from tests.support.events import NOON
from tests.support.serving import Served

AGENT = ["presence:write", "routing:read", "conversations:read"]
SPAN = {"start": "09:00", "end": "18:00"}


@pytest.fixture
def admin(served: Served, tenant_id: UUID) -> httpx.AsyncClient:
    return served.caller(tenant_id)


def agent_of(served: Served, counter: Counter, agent_id: UUID) -> httpx.AsyncClient:
    """An agent who may decide for himself alone."""
    return served.caller(counter.tenant_id, AGENT, name=str(agent_id))


def slug(answer: httpx.Response) -> str:
    kind: str = answer.json()["type"]
    return kind.removeprefix("/problems/")


async def add_queue(admin: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await admin.post("/queues", json={"name": "Financeiro"} | fields)
    assert answer.status_code == 201, answer.text
    queue: dict[str, Any] = answer.json()
    return queue


async def test_every_tenant_has_a_queue_in_its_language(admin: httpx.AsyncClient, counter: Counter) -> None:
    await counter.hear(tenant_changed(counter.tenant_id, locale="fr"))
    (queue,) = (await admin.get("/queues")).json()["items"]
    assert (queue["name"], queue["is_default"]) == ("Général", True)
    await admin.patch(f"/queues/{queue['id']}", json={"name": "Accueil"})
    await counter.hear(tenant_changed(counter.tenant_id, locale="en", version=2))
    assert (await admin.get(f"/queues/{queue['id']}")).json()["name"] == "Accueil"


async def test_conversations_wait_in_the_queue_of_their_channel(admin: httpx.AsyncClient, counter: Counter) -> None:
    channel_id = new_id()
    queue = await add_queue(admin, channel_ids=[str(channel_id)])
    await add_queue(admin, name="Outra", priority=0, channel_ids=[str(new_id())])
    (one,) = await counter.begin(channel_id=channel_id)
    assert str((await counter.case(one)).queue_id) == queue["id"]


async def test_the_queue_with_the_higher_priority_is_served_first(admin: httpx.AsyncClient, counter: Counter) -> None:
    channel_id = new_id()
    await add_queue(admin, channel_ids=[str(channel_id)], priority=10)
    begun = [*await counter.begin(), *await counter.begin(channel_id=channel_id)]
    agent = await counter.agent(capacity=1)
    assert await counter.owners(begun) == [None, agent]


async def test_a_queue_is_changed_with_care(admin: httpx.AsyncClient) -> None:
    queue = await add_queue(admin)
    read = await admin.get(f"/queues/{queue['id']}")
    changed = await admin.patch(
        f"/queues/{queue['id']}", json={"priority": 7}, headers={"If-Match": read.headers["etag"]}
    )
    assert (changed.json()["priority"], changed.headers["etag"]) == (7, '"2"')
    stale = await admin.patch(
        f"/queues/{queue['id']}", json={"priority": 8}, headers={"If-Match": read.headers["etag"]}
    )
    assert stale.status_code == 412


async def test_a_queue_in_use_is_not_removed(admin: httpx.AsyncClient, counter: Counter) -> None:
    channel_id = new_id()
    waited_in = await add_queue(admin, channel_ids=[str(channel_id)])
    served_by_name = await add_queue(admin)
    free = await add_queue(admin)
    (one,) = await counter.begin(channel_id=channel_id)
    await counter.begin()
    await counter.agent("offline", queue_ids=[UUID(served_by_name["id"])])
    for queue_id in (waited_in["id"], served_by_name["id"], counter.tenant_id):
        answer = await admin.delete(f"/queues/{queue_id}")
        assert (answer.status_code, slug(answer)) == (409, "queue-in-use")
    assert (await admin.delete(f"/queues/{free['id']}")).status_code == 204
    assert (await admin.get(f"/queues/{free['id']}")).status_code == 404
    await counter.hear(one.resolved(9))
    assert (await admin.delete(f"/queues/{waited_in['id']}")).status_code == 204
    await counter.hear(one.reopened(10))
    assert (await counter.case(one)).queue_id == counter.tenant_id


async def test_an_agent_is_changed_and_given_what_he_has_room_for(admin: httpx.AsyncClient, counter: Counter) -> None:
    agent_id = await counter.agent(capacity=0)
    (one,) = await counter.begin()
    read = await admin.get(f"/agents/{agent_id}")
    change = {"capacity": 2, "skills": ["fr"], "auto_accept": True}
    changed = await admin.patch(f"/agents/{agent_id}", json=change, headers={"If-Match": read.headers["etag"]})
    assert {name: changed.json()[name] for name in (*change, "load")} == change | {"load": 1}
    assert await counter.owners([one]) == [agent_id]
    stale = await admin.patch(f"/agents/{agent_id}", json=change, headers={"If-Match": read.headers["etag"]})
    assert stale.status_code == 412
    assert [agent["id"] for agent in (await admin.get("/agents")).json()["items"]] == [str(agent_id)]


@pytest.mark.parametrize("change", [{"capacity": 101}, {"capacity": -1}, {"capacity": None}, {"wage": 1}])
async def test_what_an_agent_cannot_be_is_refused(
    admin: httpx.AsyncClient, counter: Counter, change: dict[str, Any]
) -> None:
    agent_id = await counter.agent()
    assert (await admin.patch(f"/agents/{agent_id}", json=change)).status_code == 422


async def test_an_agent_serves_queues_that_there_are(admin: httpx.AsyncClient, counter: Counter) -> None:
    agent_id, queue = await counter.agent(), await add_queue(admin)
    answer = await admin.patch(f"/agents/{agent_id}", json={"queue_ids": [queue["id"], str(new_id())]})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/queue_ids/1"]


async def test_who_comes_and_goes_says_so_for_himself(served: Served, counter: Counter) -> None:
    agent_id, other = await counter.agent("offline"), await counter.agent("offline")
    agent = agent_of(served, counter, agent_id)
    assert (await agent.put(f"/agents/{agent_id}/presence", json={"status": "online"})).json()["status"] == "online"
    assert (await agent.put(f"/agents/{other}/presence", json={"status": "online"})).status_code == 403
    supervisor = served.caller(counter.tenant_id, ["routing:write"], name=str(new_id()))
    assert (await supervisor.put(f"/agents/{other}/presence", json={"status": "away"})).json()["status"] == "away"
    assert (await supervisor.put(f"/agents/{new_id()}/presence", json={"status": "away"})).status_code == 404
    viewer = served.caller(counter.tenant_id, ["routing:read"], name=str(agent_id))
    assert (await viewer.put(f"/agents/{agent_id}/presence", json={"status": "online"})).status_code == 403


async def test_an_agent_of_another_tenant_is_not_there(served: Served, counter: Counter) -> None:
    agent_id = await counter.agent()
    stranger = served.caller(new_id())
    assert (await stranger.get(f"/agents/{agent_id}")).status_code == 404
    assert (await stranger.put(f"/agents/{agent_id}/presence", json={"status": "away"})).status_code == 404


async def test_an_agent_answers_his_own_offers(served: Served, counter: Counter) -> None:
    started = datetime.now(UTC)
    agent_id = await counter.agent(auto_accept=False)
    (one, _) = await counter.begin(2, now=started)
    agent, other = agent_of(served, counter, agent_id), agent_of(served, counter, new_id())
    offers = (await agent.get("/offers")).json()["items"]
    (offer,) = (item for item in offers if item["conversation_id"] == str(one.conversation_id))
    assert (await other.get("/offers")).json()["items"] == []
    assert len((await served.caller(counter.tenant_id).get("/offers")).json()["items"]) == 2
    path = f"/offers/{offer['id']}"
    assert (await other.put(path, json={"state": "accepted"})).status_code == 404
    assert (await agent.put(path, json={"state": "accepted"})).json()["state"] == "accepted"
    assert await counter.owners([one]) == [agent_id]
    ended = await agent.put(path, json={"state": "declined"})
    assert (ended.status_code, slug(ended)) == (409, "offer-ended")
    assert (await agent.put(path, json={"state": "expired"})).status_code == 422


async def test_a_conversation_is_taken_moved_and_given_back(served: Served, counter: Counter) -> None:
    agent_id, other_id = await counter.agent("away", capacity=1), await counter.agent("away", capacity=1)
    one, two = await counter.begin(2)
    path = f"/conversations/{one.conversation_id}/assignee"
    agent, admin = agent_of(served, counter, agent_id), served.caller(counter.tenant_id)
    assert (await agent.put(path, json={"agent_id": str(other_id)})).status_code == 403
    assert (await agent.put(path, json={"agent_id": str(agent_id)})).json()["agent_id"] == str(agent_id)
    full = await agent.put(f"/conversations/{two.conversation_id}/assignee", json={"agent_id": str(agent_id)})
    assert (full.status_code, slug(full)) == (409, "over-capacity")
    assert (await admin.put(path, json={"agent_id": str(other_id)})).json()["agent_id"] == str(other_id)
    assert (await agent.put(path, json={"agent_id": None})).status_code == 403
    back = await admin.put(path, json={"agent_id": None})
    assert (back.json()["agent_id"], back.json()["queue_id"]) == (None, str(counter.tenant_id))
    assert (await admin.put(path, json={"agent_id": str(new_id())})).status_code == 404
    assert (await admin.put(path, json={})).status_code == 422
    unknown = await admin.put(f"/conversations/{new_id()}/assignee", json={"agent_id": str(agent_id)})
    assert unknown.status_code == 404
    await counter.hear(one.resolved(9))
    closed = await admin.put(path, json={"agent_id": str(agent_id)})
    assert (closed.status_code, slug(closed)) == (409, "conversation-closed")


async def position(admin: httpx.AsyncClient, one: Conversation) -> dict[str, Any]:
    told: dict[str, Any] = (await admin.get(f"/conversations/{one.conversation_id}/queue-position")).json()
    return told


async def test_who_waits_is_told_his_position(admin: httpx.AsyncClient, counter: Counter) -> None:
    begun = await counter.begin(3)
    assert [(await position(admin, one))["position"] for one in begun] == [1, 2, 3]
    await counter.agent(capacity=1)
    assert [(await position(admin, one))["position"] for one in begun] == [None, 1, 2]
    assert (await admin.get(f"/conversations/{new_id()}/queue-position")).status_code == 404


async def test_how_long_it_takes_is_told_from_what_it_took(admin: httpx.AsyncClient, counter: Counter) -> None:
    await counter.agent(capacity=1)
    for one in await counter.begin(6):
        assert (await position(admin, one))["eta"] is None
        at = NOON + timedelta(minutes=5)
        await counter.hear(one.resolved(600), now=at)
    first, second = await counter.begin(2)
    told = await position(admin, second)
    assert told["position"] == 1
    assert 0 < told["eta"]["p50_seconds"] <= told["eta"]["p90_seconds"] <= 1000
    assert (await position(admin, first)) == {"position": None, "eta": None, "opens_at": None}


async def test_out_of_hours_the_opening_is_told(admin: httpx.AsyncClient, counter: Counter) -> None:
    await counter.hear(tenant_changed(counter.tenant_id, time_zone="UTC"))
    (one,) = await counter.begin()
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    closed = {"week": {}, "exceptions": {tomorrow.isoformat(): [SPAN]}}
    assert (await admin.put("/business-hours", json=closed)).status_code == 200
    told = await position(admin, one)
    assert told == {"position": 1, "eta": None, "opens_at": f"{tomorrow}T09:00:00Z"}
    always = {"week": {day: [{"start": "00:00", "end": "00:00"}] for day in WEEK}}
    assert (
        await admin.put("/business-hours", params={"queue_id": str(counter.tenant_id)}, json=always)
    ).status_code == 200
    assert (await position(admin, one))["opens_at"] is None
    await admin.delete("/business-hours", params={"queue_id": str(counter.tenant_id)})
    assert (await position(admin, one))["opens_at"] is not None


WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


async def test_business_hours_are_kept_as_they_were_set(admin: httpx.AsyncClient, counter: Counter) -> None:
    assert (await admin.get("/business-hours")).status_code == 404
    wanted = {"week": {"monday": [SPAN]}, "exceptions": {"2026-12-24": []}, "holidays": True}
    first = await admin.put("/business-hours", json=wanted)
    assert {name: first.json()[name] for name in wanted} == wanted
    stale = {"If-Match": first.headers["etag"]}
    assert (await admin.put("/business-hours", json=wanted | {"holidays": False}, headers=stale)).status_code == 200
    assert (await admin.put("/business-hours", json=wanted, headers=stale)).status_code == 412
    assert (await admin.get("/business-hours")).json()["holidays"] is False
    assert (await admin.delete("/business-hours")).status_code == 204
    assert (await admin.get("/business-hours")).status_code == 404
    assert (await admin.put("/business-hours", params={"queue_id": str(new_id())}, json=wanted)).status_code == 404


async def test_each_change_of_business_hours_is_told_whole_and_with_a_later_version(
    admin: httpx.AsyncClient, counter: Counter
) -> None:
    wanted = {"week": {"monday": [SPAN]}, "exceptions": {"2026-12-24": []}, "holidays": True}
    for given in (wanted, wanted, wanted | {"holidays": False}):
        await admin.put("/business-hours", json=given)
    await admin.delete("/business-hours")
    assert (await admin.delete("/business-hours")).status_code == 404
    again = await admin.put("/business-hours", json=wanted)
    told = await counter.said(BusinessHoursChanged)
    assert [(one.week, one.exceptions, one.holidays, one.queue_id) for one in told] == [
        (wanted["week"], wanted["exceptions"], True, None),
        (wanted["week"], wanted["exceptions"], False, None),
        (None, {}, False, None),
        (wanted["week"], wanted["exceptions"], True, None),
    ]
    assert [one.version for one in told] == [1, 2, 3, 4]
    assert [one.changed_at for one in told] == sorted({one.changed_at for one in told})
    assert again.headers["etag"] == '"4"'


async def test_hours_that_were_let_in_late_are_told_as_the_later_ones(counter: Counter) -> None:
    for minutes in (5, 0):
        fields: dict[str, Any] = {"week": {}, "exceptions": {}, "holidays": minutes == 0}
        async with counter.database.unit_of_work([counter.tenant_id], now=NOON + timedelta(minutes=minutes)) as uow:
            hours = await store.business_hours(counter.tenant_id, None, uow.session)
            await handlers.set_hours(hours, counter.tenant_id, None, fields, uow)
    first, second = await counter.said(BusinessHoursChanged)
    assert (second.holidays, second.version) == (True, 2)
    assert second.changed_at > first.changed_at


async def test_a_queue_forgets_its_hours_with_its_removal_and_has_the_tenants_until_then(
    admin: httpx.AsyncClient, counter: Counter
) -> None:
    queue = await add_queue(admin)
    of_queue = {"queue_id": queue["id"]}
    for _ in range(2):
        await admin.put("/business-hours", params=of_queue, json={"week": {"monday": [SPAN]}})
        assert (await admin.get("/business-hours", params=of_queue)).status_code == 200
        await admin.delete("/business-hours", params=of_queue)
        assert (await admin.get("/business-hours", params=of_queue)).status_code == 404
    await admin.put("/business-hours", params=of_queue, json={"week": {}})
    assert (await admin.delete(f"/queues/{queue['id']}")).status_code == 204
    told = await counter.said(BusinessHoursChanged)
    assert {str(one.queue_id) for one in told} == {queue["id"]}
    monday = {"monday": [SPAN]}
    assert [(one.week, one.version) for one in told] == [
        (monday, 1), (None, 2), (monday, 3), (None, 4), ({}, 5), (None, 6)
    ]  # fmt: skip


async def test_a_queue_without_hours_tells_of_none_when_it_is_removed(
    admin: httpx.AsyncClient, counter: Counter
) -> None:
    queue = await add_queue(admin)
    assert (await admin.delete(f"/queues/{queue['id']}")).status_code == 204
    assert await counter.said(BusinessHoursChanged) == []


@pytest.mark.parametrize(
    ("hours", "pointer"),
    [
        ({"week": {"tuesday": [SPAN, {"start": "17:00", "end": "19:00"}]}}, "/week/tuesday/1"),
        ({"week": {}, "exceptions": {"2026-12-24": [{"start": "12:00", "end": "09:00"}]}}, "/exceptions/2026-12-24/0"),
        ({"week": {"monday": [{"start": "9:00", "end": "18:00"}]}}, "/week/monday/0/start"),
    ],
)
async def test_hours_that_cannot_be_are_refused(admin: httpx.AsyncClient, hours: dict[str, Any], pointer: str) -> None:
    answer = await admin.put("/business-hours", json=hours)
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [pointer])


async def test_nothing_is_said_by_itself_until_it_is_switched_on(admin: httpx.AsyncClient) -> None:
    off = {"greeting": False, "out_of_hours": False, "tone": "formal"}
    read = await admin.get("/auto-replies")
    assert (read.json(), read.headers["etag"]) == (off, '"0"')
    on = off | {"greeting": True, "tone": "friendly"}
    assert (await admin.put("/auto-replies", json=on, headers={"If-Match": '"0"'})).json() == on
    assert (await admin.put("/auto-replies", json=off, headers={"If-Match": '"0"'})).status_code == 412


@pytest.mark.parametrize("path", ["/queues", "/agents", "/offers", "/business-hours", "/auto-replies"])
async def test_who_lacks_the_scope_learns_nothing(served: Served, path: str) -> None:
    assert (await served.caller(new_id(), ["conversations:read"]).get(path)).status_code == 403
