"""Figures by API: what is counted and measured, in which groups, and what cannot be asked."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import pytest

from services.metrics.app import service
from services.metrics.domain import FIGURES, Grouping, Metric, Source
from shared.db import Database
from shared.ids import new_id
from tests.services.metrics.stories import AFTERNOONS, ANA, LATER, REPAIRS, RUI, SALES, Story, hours, measure, tenant
from tests.support.events import NOON
from tests.support.hearing import hear
from tests.support.serving import Served

MIDNIGHT_IN_SAO_PAULO = (datetime(2026, 11, 21, 3, tzinfo=UTC) - NOON).total_seconds()
DAY = 86_400
LONG_AGO = (NOON - timedelta(days=300)).isoformat()
"""Whenever these tests are run, the stories are told from then on."""


async def read(served: Served, tenant_id: UUID, metric: str, **query: Any) -> list[dict[str, Any]]:
    whole = {"from": LONG_AGO, "to": LATER.isoformat()} | query
    return await read_as_asked(served, tenant_id, metric, **whole)


async def read_as_asked(served: Served, tenant_id: UUID, metric: str, **query: Any) -> list[dict[str, Any]]:
    answer = await served.caller(tenant_id).get(f"/metrics/{metric}", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def counts(served: Served, tenant_id: UUID, metric: str = "messages-received", **query: Any) -> dict[Any, int]:
    return {item["group"]: item["count"] for item in await read(served, tenant_id, metric, **query)}


async def medians(served: Served, tenant_id: UUID, metric: str, **query: Any) -> dict[Any, float]:
    return {item["group"]: item["p50"] for item in await read(served, tenant_id, metric, **query)}


async def happened(database: Database, *events: Any) -> None:
    """Heard and measured."""
    await hear(service, database, *events)
    await measure(database)


async def test_each_thing_is_counted_under_its_name(served: Served, database: Database, tenant_id: UUID) -> None:
    one, other = Story(tenant_id), Story(tenant_id)
    messages = [one.wrote(1), one.replied(2), one.wrote(3), one.replied_elsewhere(4), one.replied_automatically(4)]
    events = [one.opened(0), *messages, one.resolved(5), one.reopened(6), one.resolved(7), other.opened(8)]
    await happened(database, *events)
    assert {name: (await counts(served, tenant_id, name))[None] for name, it in FIGURES.items() if not it.unit} == {
        "messages-received": 2,
        "messages-sent": 3,
        "automatic-messages-sent": 1,
        "conversations-opened": 2,
        "conversations-reopened": 1,
        "conversations-resolved": 2,
        "backlog": 1,
    }


async def test_those_who_wrote_stand_apart(served: Served, database: Database, tenant_id: UUID) -> None:
    one = Story(tenant_id)
    sent = [one.replied(2), one.replied_elsewhere(4), one.replied_automatically(4), one.replied(5, RUI)]
    await hear(service, database, *sent)
    assert await counts(served, tenant_id, "messages-sent", group_by="author") == {"human": 3, "automatic": 1}
    by_agent = {str(ANA): 1, str(RUI): 1, None: 2}
    assert await counts(served, tenant_id, "messages-sent", group_by="agent") == by_agent


async def test_a_duration_has_its_mean_and_percentiles(served: Served, database: Database, tenant_id: UUID) -> None:
    stories = [Story(tenant_id) for _ in range(10)]
    for seconds, one in enumerate(stories, start=1):
        await hear(service, database, one.opened(0), one.wrote(0), one.replied(seconds * 10))
    await measure(database)
    (item,) = await read(served, tenant_id, "first-reply-time")
    assert item == {"group": None, "count": 10, "mean": 55, "p50": 55, "p90": 91, "p95": 95.5}


async def test_a_count_has_none(served: Served, database: Database, tenant_id: UUID) -> None:
    await hear(service, database, Story(tenant_id).wrote(1))
    nothing = dict.fromkeys(("mean", "p50", "p90", "p95"))
    assert await read(served, tenant_id, "messages-received") == [{"group": None, "count": 1, **nothing}]


async def test_a_figure_is_told_in_groups(served: Served, database: Database, tenant_id: UUID) -> None:
    one, other = Story(tenant_id), Story(tenant_id)
    await happened(
        database,
        *(one.opened(0), one.wrote(0), one.queued(0), one.assigned(5), one.replied(10), one.resolved_as(60, "a", "b")),
        *(other.opened(0), other.wrote(0), other.queued(0, REPAIRS), other.assigned(7, RUI, REPAIRS)),
        *(other.replied(30, RUI), other.labelled(40, "b")),
    )
    expected: dict[str, dict[Any, float]] = {
        "channel": {str(one.channel_id): 10, str(other.channel_id): 30},
        "queue": {str(SALES): 10, str(REPAIRS): 30},
        "agent": {str(ANA): 10, str(RUI): 30},
        "label": {"a": 10, "b": 20},
    }
    for group_by, groups in expected.items():
        assert await medians(served, tenant_id, "first-reply-time", group_by=group_by) == groups
    assert await medians(served, tenant_id, "waiting-time", group_by="queue") == {str(SALES): 5, str(REPAIRS): 7}
    assert await medians(served, tenant_id, "handling-time", group_by="agent") == {str(ANA): 55}
    assert await counts(served, tenant_id, "backlog", group_by="label") == {"b": 1}
    assert await counts(served, tenant_id, "conversations-opened", group_by="queue") == {str(SALES): 1, str(REPAIRS): 1}


async def test_business_hours_leave_out_what_was_closed(served: Served, database: Database, tenant_id: UUID) -> None:
    one = Story(tenant_id)
    await hear(service, database, tenant(tenant_id), hours(tenant_id, AFTERNOONS))
    await happened(database, one.opened(0), one.wrote(0), one.replied(7200))
    assert await medians(served, tenant_id, "first-reply-time") == {None: 7200}
    assert await medians(served, tenant_id, "first-reply-time", business_hours=True) == {None: 3600}


@pytest.mark.parametrize(
    ("time_zone", "days"),
    [
        ("America/Sao_Paulo", {"2026-11-20": 1, "2026-11-21": 2}),
        ("Europe/Lisbon", {"2026-11-21": 3}),
    ],
)
async def test_a_day_is_the_tenants(
    served: Served, database: Database, tenant_id: UUID, time_zone: str, days: dict[str, int]
) -> None:
    stories = [Story(tenant_id) for _ in range(3)]
    moments = [MIDNIGHT_IN_SAO_PAULO + seconds for seconds in (-1, 0, 1)]
    await hear(service, database, tenant(tenant_id, time_zone))
    for one, at in zip(stories, moments, strict=True):
        await hear(service, database, one.opened(at), one.wrote(at), one.resolved(at))
    await measure(database)
    for metric in ("messages-received", "conversations-opened", "resolution-time"):
        assert await counts(served, tenant_id, metric, group_by="day") == days


async def test_of_a_tenants_time_zone_the_newest_version_holds(
    served: Served, database: Database, tenant_id: UUID
) -> None:
    versions = [tenant(tenant_id, "Europe/Lisbon", 3), tenant(tenant_id, "Asia/Tokyo", 2)]
    await hear(service, database, *versions)
    await hear(service, database, tenant(tenant_id, "America/Sao_Paulo", 1))
    await hear(service, database, Story(tenant_id).wrote(MIDNIGHT_IN_SAO_PAULO - 1))
    assert await counts(served, tenant_id, group_by="day") == {"2026-11-21": 1}


async def test_while_the_time_zone_is_not_known_there_are_no_days(served: Served, tenant_id: UUID) -> None:
    for path in ("/metrics/backlog", "/metrics/backlog/chart.svg"):
        answer = await served.caller(tenant_id).get(path, params={"group_by": "day"})
        assert answer.status_code == 404


async def test_a_span_begins_with_its_first_moment_and_ends_before_its_last(
    served: Served, database: Database, tenant_id: UUID
) -> None:
    stories = [Story(tenant_id) for _ in range(10)]
    await happened(
        database,
        *(event for second, one in enumerate(stories) for event in (one.wrote(second), one.opened(second))),
    )
    span = {"from": "2026-11-20T12:00:02Z", "to": "2026-11-20T09:00:05-03:00"}
    assert await counts(served, tenant_id, **span) == {None: 3}
    assert await counts(served, tenant_id, "conversations-opened", **span) == {None: 3}


async def test_the_backlog_is_that_of_the_end(served: Served, database: Database, tenant_id: UUID) -> None:
    one, other, third = (Story(tenant_id) for _ in range(3))
    past = -300 * DAY
    await hear(service, database, tenant(tenant_id, "America/Sao_Paulo"))
    await happened(
        database,
        *(one.opened(past), one.resolved(past + 2 * DAY), one.reopened(past + 4 * DAY)),
        *(other.opened(past + DAY), other.resolved(past + 4 * DAY)),
        *(third.opened(past + 3 * DAY), third.resolved(past + 3 * DAY + 1)),
    )
    assert await counts(served, tenant_id, "backlog") == {None: 1}
    assert await counts(served, tenant_id, "backlog", **{"from": NOON.isoformat()}) == {None: 1}

    def at(days: int) -> str:
        return (NOON + timedelta(seconds=past + days * DAY, hours=3)).isoformat()

    assert [await counts(served, tenant_id, "backlog", **{"from": at(-9), "to": at(day)}) for day in range(6)] == [
        {None: 1}, {None: 2}, {None: 1}, {None: 1}, {None: 1}, {None: 1},
    ]  # fmt: skip
    by_day = await counts(served, tenant_id, "backlog", **{"from": at(-1), "to": at(6)}, group_by="day")
    assert list(by_day.values()) == [0, 1, 2, 1, 1, 1, 1, 1]
    first = (NOON + timedelta(seconds=past - DAY)).date().isoformat()
    assert next(iter(by_day)) == first
    later = await counts(served, tenant_id, "backlog", **{"from": at(2)}, group_by="day")
    assert set(later.values()) == {1}
    assert len(await read_as_asked(served, tenant_id, "backlog", group_by="day")) in {366, 367}


async def test_what_is_old_is_told_only_when_it_is_asked_for(
    served: Served, database: Database, tenant_id: UUID
) -> None:
    async def count(metric: str, **query: Any) -> int:
        return sum(item["count"] for item in await read_as_asked(served, tenant_id, metric, **query))

    old, new = -20_000 * DAY, (datetime.now(UTC) - NOON).total_seconds() - 365 * DAY
    await hear(service, database, tenant(tenant_id))
    await happened(database, *(event for at in (old, new) for one in [Story(tenant_id)] for event in began(one, at)))
    assert await count("messages-received") == 2
    for metric, query in [
        ("messages-received", {"group_by": "channel"}),
        ("messages-received", {"group_by": "day"}),
        ("conversations-opened", {"group_by": "queue"}),
        ("first-reply-time", {}),
    ]:
        assert await count(metric, **query) == 1
        assert await count(metric, **query, **{"from": "1900-01-01T00:00:00Z"}) == 2
        assert await count(metric, **query, to=(NOON + timedelta(seconds=old + DAY)).isoformat()) == 1


def began(one: Story, at: float) -> list[Any]:
    return [one.opened(at), one.wrote(at), one.replied(at + 1)]


async def test_nothing_is_told_of_another_tenant(served: Served, database: Database, tenant_id: UUID) -> None:
    one, stranger = Story(tenant_id), new_id()
    await happened(database, tenant(stranger), one.opened(0), one.wrote(0), one.replied(9), one.resolved(10))
    for metric, figure in FIGURES.items():
        assert await counts(served, stranger, metric) == {}
        for grouping in figure.groupings:
            told = await counts(served, stranger, metric, group_by=grouping)
            assert set(told.values()) <= {0}


async def test_all_figures_are_listed_with_what_they_mean(served: Served, tenant_id: UUID) -> None:
    items = (await served.caller(tenant_id).get("/metrics")).json()["items"]
    assert [item["name"] for item in items] == list(Metric)
    for item in items:
        shown = (await served.caller(tenant_id).get(f"/metrics/{item['name']}")).json()
        assert item["definition"] == shown["definition"]
        assert item["definition"].endswith(".")
        assert item["unit"] == shown["unit"] == ("seconds" if item["business_hours"] else None)


async def test_who_lacks_the_scope_is_told_nothing(served: Served, tenant_id: UUID) -> None:
    for path in ("/metrics", "/metrics/backlog", "/metrics/backlog/chart.svg"):
        assert (await served.caller(tenant_id, ["routing:read"]).get(path)).status_code == 403


@pytest.mark.parametrize("ending", ["", "/chart.svg"])
@pytest.mark.parametrize(
    ("metric", "query", "pointer"),
    [
        ("tears-shed", {}, "path:name"),
        ("messages-sent", {"from": "2026-11-20T12:00:00"}, "query:from"),
        ("messages-sent", {"to": "0001-01-01T00:00:00+14:00"}, "query:to"),
        ("messages-sent", {"from": "2026-11-20T12:00:00Z", "to": "2026-11-20T12:00:00Z"}, "query:to"),
        ("messages-sent", {"group_by": "mood"}, "query:group_by"),
        ("messages-sent", {"group_by": "label"}, "query:group_by"),
        ("waiting-time", {"group_by": "author"}, "query:group_by"),
        ("backlog", {"group_by": "agent"}, "query:group_by"),
        ("messages-sent", {"business_hours": "true"}, "query:business_hours"),
        ("backlog", {"group_by": "day", "from": "0001-01-01T00:00:00Z"}, "query:from"),
        ("backlog", {"colour": "blue"}, "query:colour"),
    ],
)
async def test_a_question_that_has_no_answer_is_refused(
    served: Served, metric: str, ending: str, query: dict[str, str], pointer: str
) -> None:
    answer = await served.caller(new_id()).get(f"/metrics/{metric}{ending}", params=query)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


SPANS = [
    {},
    {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999999Z"},
    {"from": "0001-01-01T00:00:00Z", "to": "0001-01-02T00:00:00Z"},
    {"from": "9999-12-31T23:59:59Z"},
    {"to": "0001-01-01T00:00:01Z"},
    {"from": "2026-11-20T00:00:00Z", "to": "9999-12-31T23:59:59Z"},
]


@pytest.mark.parametrize("time_zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("metric", ["messages-received", "conversations-resolved", "backlog", "resolution-time"])
async def test_no_span_is_too_strange(
    served: Served, database: Database, tenant_id: UUID, time_zone: str, metric: str
) -> None:
    """Of each kind of figure one."""
    one = Story(tenant_id)
    await happened(database, tenant(tenant_id, time_zone), one.opened(0), one.wrote(0), one.replied(1), one.resolved(2))
    figure = FIGURES[Metric(metric)]
    for span in SPANS:
        for grouping in {None, Grouping.DAY, figure.groupings[-2]}:
            query = span | ({"group_by": grouping} if grouping else {})
            answer = await served.caller(tenant_id).get(f"/metrics/{metric}", params=query)
            too_long = figure.read[grouping] is Source.STOCK_BY_DAY and span == SPANS[1]
            assert answer.status_code == (422 if too_long else 200), (query, answer.text)


@pytest.mark.parametrize("metric", Metric)
async def test_every_figure_is_drawn(served: Served, database: Database, tenant_id: UUID, metric: Metric) -> None:
    one = Story(tenant_id)
    await happened(
        database,
        *(tenant(tenant_id), one.opened(0), one.wrote(0), one.queued(1), one.assigned(2), one.replied_automatically(3)),
        *(one.replied(5), one.wrote(7), one.replied(99), one.resolved_as(200, "<b>&</b>"), one.reopened(300)),
    )
    for grouping in (None, *FIGURES[metric].groupings):
        query = {"from": LONG_AGO, "to": LATER.isoformat()} | ({"group_by": grouping} if grouping else {})
        answer = await served.caller(tenant_id).get(f"/metrics/{metric}/chart.svg", params=query)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml"), answer.text
        picture = ElementTree.fromstring(answer.text)  # noqa: S314 - our own
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        assert "There is nothing yet." not in answer.text
        assert FIGURES[metric].definition in "".join(picture.itertext())
