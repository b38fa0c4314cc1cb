"""Who waits for an answer, and since when, whatever is heard twice or late."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from services.routing.app import service
from shared.db import Database
from shared.events import Event
from shared.ids import new_id
from tests.support.conversations import Conversation
from tests.support.events import NOON
from tests.support.hearing import hear
from tests.support.serving import Served


async def waiting(served: Served, one: Conversation) -> tuple[int, float | None]:
    """How many wait, and since how many seconds after noon."""
    told: dict[str, Any] = (await served.caller(one.tenant_id).get("/waiting")).json()
    since = told["oldest_since"]
    return told["count"], (datetime.fromisoformat(since) - NOON).total_seconds() if since else None


Story = Callable[[Conversation], list[Event]]

STORIES: dict[str, tuple[Story, tuple[int, float | None]]] = {
    "who writes waits": (lambda one: [one.message(1)], (1, 1)),
    "since his first word": (lambda one: [one.message(1), one.message(5)], (1, 1)),
    "until he is answered": (lambda one: [one.message(1), one.message(2, "outbound")], (0, None)),
    "and again": (lambda one: [one.message(1), one.message(2, "outbound"), one.message(3)], (1, 3)),
    "not while he is asked": (lambda one: [one.message(1), one.changed(2, "pending")], (0, None)),
    "not while it is put off": (lambda one: [one.message(1), one.changed(2, "snoozed")], (0, None)),
    "until he answers": (lambda one: [one.message(1), one.changed(2, "pending"), one.message(3)], (1, 3)),
    "until it wakes": (lambda one: [one.message(1), one.changed(2, "snoozed"), one.changed(3, "open")], (1, 1)),
    "or he writes": (lambda one: [one.message(1), one.changed(2, "snoozed"), one.message(3)], (1, 1)),
    "labels change nothing": (lambda one: [one.message(1), one.changed(2, "open")], (1, 1)),
    "not when it is settled": (lambda one: [one.message(1), one.resolved(2)], (0, None)),
    "but when it goes on": (lambda one: [one.message(1), one.resolved(2), one.reopened(3), one.message(3)], (1, 3)),
}


@pytest.mark.parametrize(("story", "expected"), STORIES.values(), ids=STORIES)
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
async def test_a_customer_waits_from_his_first_word_to_the_answer(
    served: Served, database: Database, story: Story, expected: tuple[int, float | None], together: bool
) -> None:
    one = Conversation(new_id())
    events = story(one)
    for batch in [events] if together else [[event] for event in events]:
        await hear(service, database, *batch)
    assert await waiting(served, one) == expected


@pytest.mark.parametrize("late", range(4))
async def test_what_is_heard_again_or_late_changes_nothing(served: Served, database: Database, late: int) -> None:
    one = Conversation(new_id())
    events: list[Event] = [one.message(1), one.message(2, "outbound"), one.message(3), one.resolved(4)]
    await hear(service, database, *events)
    await hear(service, database, events[late])
    assert await waiting(served, one) == (0, None)


async def test_the_one_who_waits_longest_is_told_of_all_who_wait(served: Served, database: Database) -> None:
    tenant_id = new_id()
    conversations = [Conversation(tenant_id) for _ in range(5)]
    await hear(service, database, *(one.message(9 - place) for place, one in enumerate(conversations)))
    await hear(service, database, Conversation(new_id()).message(1))
    assert await waiting(served, conversations[0]) == (5, 5)


async def test_who_lacks_the_scope_is_not_told(served: Served) -> None:
    assert (await served.caller(new_id(), ["metrics:read"]).get("/waiting")).status_code == 403
