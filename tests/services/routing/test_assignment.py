"""Who answers: who waits longest is given to who has most room, whatever comes first."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.routing.app import service
from shared.bus.consumer import give
from shared.events.conversation import ConversationOpened
from shared.events.routing import (
    ConversationAssigned,
    ConversationOffered,
    ConversationQueued,
    ConversationUnassigned,
    OfferEnded,
    PresenceChanged,
)
from shared.http import Conflict, Forbidden, NotFound
from shared.ids import new_id
from shared.jobs import Worker
from tests.services.routing.counter import Counter, user_changed
from tests.support.conversations import Conversation
from tests.support.events import NOON


async def test_a_conversation_is_queued_and_given_to_an_agent_who_is_online(counter: Counter) -> None:
    agent = await counter.agent()
    (one,) = await counter.begin()
    assert await counter.owners([one]) == [agent]
    queued, assigned = await counter.said(ConversationQueued, ConversationAssigned)
    assert (queued.queue_id, queued.queued_at) == (counter.tenant_id, NOON + timedelta(seconds=1))
    assert (assigned.agent_id, assigned.queue_id) == (agent, counter.tenant_id)
    assert queued.envelope.caused_by == assigned.envelope.caused_by is not None


async def test_whoever_comes_online_is_given_those_who_wait_longest(counter: Counter) -> None:
    begun = await counter.begin(5)
    agent = await counter.agent()
    assert await counter.owners(begun) == [agent] * 3 + [None] * 2
    assert await counter.load(agent) == 3


async def test_the_agent_with_most_room_is_given_the_next(counter: Counter) -> None:
    small, large = await counter.agent(capacity=1), await counter.agent(capacity=3)
    begun = await counter.begin(4)
    assert sorted(map(str, await counter.owners(begun))) == sorted(map(str, [small, *[large] * 3]))
    assert (await counter.owners(begun))[:2] == [large, large]


async def test_a_resolved_conversation_makes_room_for_the_next(counter: Counter) -> None:
    agent = await counter.agent(capacity=1)
    first, second = await counter.begin(2)
    await counter.hear(first.resolved(10))
    assert await counter.owners([first, second]) == [None, agent]
    (unassigned,) = await counter.said(ConversationUnassigned)
    assert (unassigned.agent_id, unassigned.reason) == (agent, "resolved")


async def test_a_call_fills_an_agent(counter: Counter) -> None:
    agent = await counter.agent()
    call, message = Conversation(counter.tenant_id), Conversation(counter.tenant_id)
    opened = call.opened(1)
    voice = ConversationOpened(**opened.model_dump() | {"channel_kind": "voice"}).in_envelope(opened.envelope)
    await counter.hear(voice, message.opened(2))
    assert await counter.owners([call, message]) == [agent, None]
    assert await counter.load(agent) == 3


async def test_what_does_not_fit_does_not_hold_back_what_does(counter: Counter) -> None:
    agent = await counter.agent(capacity=2)
    call, message = Conversation(counter.tenant_id), Conversation(counter.tenant_id)
    opened = call.opened(1)
    voice = ConversationOpened(**opened.model_dump() | {"channel_kind": "voice"}).in_envelope(opened.envelope)
    await counter.hear(voice, message.opened(2))
    assert await counter.owners([call, message]) == [None, agent]


async def test_put_off_or_asked_back_it_stays_with_its_agent(counter: Counter) -> None:
    agent = await counter.agent()
    snoozed, pending = await counter.begin(2)
    await counter.hear(snoozed.changed(5, "snoozed"), pending.changed(5, "pending"))
    assert await counter.owners([snoozed, pending]) == [agent, agent]
    assert await counter.load(agent) == 2


@pytest.mark.parametrize("status", ["snoozed", "pending"])
async def test_what_is_put_off_before_anybody_answers_waits_when_it_goes_on(counter: Counter, status: str) -> None:
    (one,) = await counter.begin()
    await counter.hear(one.changed(5, status))
    agent = await counter.agent()
    assert await counter.owners([one]) == [None]
    await counter.hear(one.message(9))
    assert await counter.owners([one]) == [agent]


async def test_what_goes_on_goes_to_who_answered_before(counter: Counter) -> None:
    before = await counter.agent(capacity=1)
    (one,) = await counter.begin()
    await counter.agent(capacity=9)
    await counter.hear(one.resolved(5))
    await counter.hear(one.reopened(9))
    assert await counter.owners([one]) == [before]


async def test_what_goes_on_waits_for_nobody_in_particular(counter: Counter) -> None:
    before = await counter.agent()
    (one,) = await counter.begin()
    await counter.hear(one.resolved(5))
    await counter.presence(before, "offline")
    other = await counter.agent()
    await counter.hear(one.reopened(9))
    assert await counter.owners([one]) == [other]


async def test_whoever_goes_offline_gives_all_back_and_it_keeps_its_age(counter: Counter) -> None:
    gone = await counter.agent(capacity=2)
    begun = await counter.begin(3)
    await counter.presence(gone, "offline", now=NOON + timedelta(hours=1))
    assert (await counter.case(begun[1])).queued_at == NOON + timedelta(seconds=2)
    assert [event.reason for event in await counter.said(ConversationUnassigned)] == ["taken_back"] * 2
    assert len(await counter.said(ConversationQueued)) == 5
    assert await counter.load(gone) == 0
    other = await counter.agent(capacity=2)
    assert await counter.owners(begun) == [other, other, None]


async def test_whoever_is_away_keeps_what_he_has_and_gets_nothing_new(counter: Counter) -> None:
    agent = await counter.agent()
    begun = await counter.begin()
    await counter.presence(agent, "away")
    begun += await counter.begin()
    assert await counter.owners(begun) == [agent, None]
    assert [event.status for event in await counter.said(PresenceChanged)] == ["online", "away"]


async def test_a_capacity_lowered_below_the_load_takes_nothing_and_gives_nothing(counter: Counter) -> None:
    agent = await counter.agent()
    begun = await counter.begin(2)
    await counter.change(agent, capacity=1)
    begun += await counter.begin()
    assert await counter.owners(begun) == [agent, agent, None]
    await counter.hear(begun[0].resolved(10))
    assert await counter.owners(begun) == [None, agent, None]
    await counter.change(agent, capacity=2)
    assert await counter.owners(begun) == [None, agent, agent]


async def test_whoever_does_not_accept_by_himself_is_asked(counter: Counter) -> None:
    agent = await counter.agent(auto_accept=False)
    (one,) = await counter.begin()
    (offer,) = await counter.offers()
    assert (offer.agent_id, offer.expires_at) == (agent, NOON + timedelta(seconds=30))
    assert (await counter.load(agent), await counter.owners([one])) == (1, [None])
    await counter.answer(offer, "accepted")
    assert (await counter.load(agent), await counter.owners([one])) == (1, [agent])
    told = await counter.said(ConversationOffered, OfferEnded, ConversationAssigned)
    assert [type(event) for event in told] == [ConversationOffered, OfferEnded, ConversationAssigned]
    assert told[1].outcome == "accepted"


async def test_open_offers_take_capacity(counter: Counter) -> None:
    await counter.agent(auto_accept=False, capacity=2)
    await counter.begin(3)
    assert len(await counter.offers()) == 2


async def test_whoever_declined_is_not_asked_again(counter: Counter) -> None:
    declining = await counter.agent(auto_accept=False)
    (one,) = await counter.begin()
    (offer,) = await counter.offers()
    await counter.answer(offer, "declined")
    assert (await counter.offers(), await counter.load(declining)) == ([], 0)
    other = await counter.agent(auto_accept=False)
    (offer,) = await counter.offers()
    assert offer.agent_id == other
    with pytest.raises(Conflict):
        await counter.answer((await counter.offers("declined"))[0], "accepted")
    await counter.hear(one.resolved(5))
    await counter.hear(one.reopened(6))
    assert len(await counter.offers()) == 1


async def test_whoever_lets_an_offer_expire_is_asked_after_the_others(counter: Counter) -> None:
    silent = await counter.agent(auto_accept=False, capacity=9)
    await counter.begin()
    await counter.agent(auto_accept=False, capacity=1)
    asked = []
    for _ in range(3):
        (offer,) = await counter.offers()
        asked.append(offer.agent_id == silent)
        await counter.expire(offer)
    assert asked == [True, False, True]
    assert [event.outcome for event in await counter.said(OfferEnded)] == ["expired"] * 3


async def test_whoever_missed_an_offer_and_then_declines_is_not_asked_again(counter: Counter) -> None:
    await counter.agent(auto_accept=False)
    await counter.begin()
    (offer,) = await counter.offers()
    await counter.expire(offer)
    (offer,) = await counter.offers()
    await counter.answer(offer, "declined")
    assert await counter.offers() == []


async def test_an_offer_is_withdrawn_by_itself_when_its_time_is_over(counter: Counter) -> None:
    agent = await counter.agent(auto_accept=False)
    await counter.begin(now=datetime.now(UTC) - timedelta(minutes=1))
    worker = Worker(service.does, counter.database)
    while await worker.do_due():
        pass
    assert [event.outcome for event in await counter.said(OfferEnded)] == ["expired"]
    assert [offer.agent_id for offer in await counter.offers()] == [agent]


async def test_an_offer_is_withdrawn_when_nobody_needs_to_answer_any_more(counter: Counter) -> None:
    agent = await counter.agent(auto_accept=False)
    (one,) = await counter.begin()
    await counter.hear(one.resolved(5))
    (ended,) = await counter.said(OfferEnded)
    assert (ended.outcome, await counter.load(agent)) == ("withdrawn", 0)


async def test_the_offers_of_one_who_goes_away_are_made_to_others(counter: Counter) -> None:
    gone = await counter.agent(auto_accept=False, capacity=9)
    await counter.begin()
    other = await counter.agent(auto_accept=False)
    await counter.presence(gone, "away")
    assert [offer.agent_id for offer in await counter.offers()] == [other]


async def test_after_its_time_an_offer_cannot_be_accepted(counter: Counter) -> None:
    await counter.agent(auto_accept=False)
    await counter.begin()
    (offer,) = await counter.offers()
    with pytest.raises(Conflict):
        await counter.answer(offer, "accepted", now=offer.expires_at)


async def test_nobody_answers_an_offer_of_another(counter: Counter) -> None:
    await counter.agent(auto_accept=False)
    await counter.begin()
    (offer,) = await counter.offers()
    offer.agent_id = new_id()
    with pytest.raises(NotFound):
        await counter.answer(offer, "accepted")


async def test_an_offer_cannot_be_accepted_beyond_a_capacity_lowered_meanwhile(counter: Counter) -> None:
    agent = await counter.agent(auto_accept=False, capacity=2)
    await counter.begin(2)
    first, second = await counter.offers()
    await counter.change(agent, capacity=1)
    with pytest.raises(Conflict, match="capacity"):
        await counter.answer(first, "accepted")
    await counter.answer(second, "declined")
    await counter.answer(first, "accepted")
    assert await counter.load(agent) == 1


async def test_a_conversation_is_given_to_somebody_by_hand(counter: Counter) -> None:
    first, second = await counter.agent(), await counter.agent()
    (one,) = await counter.begin()
    (owner,) = await counter.owners([one])
    other = second if owner == first else first
    await counter.assign(one, other)
    assert (await counter.owners([one]), await counter.load(other)) == ([other], 1)
    assigned, unassigned, moved = await counter.said(ConversationUnassigned, ConversationAssigned)
    assert (assigned.agent_id, unassigned.agent_id, moved.agent_id) == (owner, owner, other)
    assert unassigned.reason == "reassigned"


async def test_who_may_decide_for_himself_alone_takes_nothing_from_a_colleague(counter: Counter) -> None:
    holder, colleague = await counter.agent(capacity=1), await counter.agent("away")
    held, waiting = await counter.begin(2)
    with pytest.raises(Forbidden):
        await counter.assign(held, colleague, only_for=colleague)
    with pytest.raises(Forbidden):
        await counter.assign(held, None, only_for=colleague)
    with pytest.raises(Forbidden):
        await counter.assign(waiting, holder, only_for=colleague)
    await counter.assign(waiting, colleague, only_for=colleague)
    assert await counter.owners([held, waiting]) == [holder, colleague]


async def test_nobody_is_given_more_by_hand_than_he_has_room_for(counter: Counter) -> None:
    agent = await counter.agent(capacity=1)
    first, second = await counter.begin(2)
    with pytest.raises(Conflict):
        await counter.assign(second, agent)
    assert await counter.owners([first, second]) == [agent, None]


async def test_whoever_is_asked_may_take_it_at_once(counter: Counter) -> None:
    agent = await counter.agent(auto_accept=False, capacity=1)
    (one,) = await counter.begin()
    await counter.assign(one, agent)
    assert (await counter.owners([one]), await counter.load(agent)) == ([agent], 1)
    assert [event.outcome for event in await counter.said(OfferEnded)] == ["accepted"]


async def test_what_is_given_back_goes_to_another(counter: Counter) -> None:
    agent = await counter.agent()
    (one,) = await counter.begin()
    await counter.assign(one, None)
    assert await counter.owners([one]) == [None]
    other = await counter.agent()
    assert await counter.owners([one]) == [other]
    assert await counter.load(agent) == 0


async def test_agents_serve_their_queues_alone(counter: Counter) -> None:
    general = await counter.agent(capacity=1)
    begun = await counter.begin(2)
    await counter.agent(queue_ids=[new_id()])
    assert await counter.owners(begun) == [general, None]


async def test_who_is_behind_those_whom_nobody_may_take_is_served(counter: Counter) -> None:
    agent = await counter.agent(auto_accept=False, capacity=1)
    begun = await counter.begin(3)
    for _ in begun:
        (offer,) = await counter.offers()
        await counter.answer(offer, "declined")
    begun += await counter.begin()
    (offer,) = await counter.offers()
    assert (offer.conversation_id, offer.agent_id) == (begun[-1].conversation_id, agent)


async def test_a_user_who_no_longer_serves_gives_all_back(counter: Counter) -> None:
    agent = await counter.agent()
    begun = await counter.begin(2)
    await counter.hear(user_changed(counter.tenant_id, agent, active=False, version=2))
    assert await counter.owners(begun) == [None, None]
    assert [event.status for event in await counter.said(PresenceChanged)] == ["online", "offline"]
    with pytest.raises(NotFound):
        await counter.presence(agent, "online")


async def test_a_user_who_is_back_before_it_was_heard_that_he_had_gone_has_given_all_back(counter: Counter) -> None:
    agent = await counter.agent()
    begun = await counter.begin(2)
    left = user_changed(counter.tenant_id, agent, active=False, version=2)
    await counter.hear(left, user_changed(counter.tenant_id, agent, version=3))
    assert await counter.owners(begun) == [None, None]
    assert [event.status for event in await counter.said(PresenceChanged)] == ["online", "offline"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_of_two_states_of_a_user_the_newer_holds(counter: Counter, order: tuple[int, int]) -> None:
    user_id = new_id()
    states = [
        user_changed(counter.tenant_id, user_id),
        user_changed(counter.tenant_id, user_id, role="viewer", version=2),
    ]
    for place in order:
        await counter.hear(states[place])
    with pytest.raises(NotFound):
        await counter.presence(user_id, "online")


async def test_the_whole_of_a_batch_is_matched_together(counter: Counter) -> None:
    agents = [await counter.agent(capacity=4) for _ in range(3)]
    begun = [Conversation(counter.tenant_id) for _ in range(20)]
    async with counter.database.unit_of_work([counter.tenant_id], now=NOON) as uow:
        await give(service.hears, [one.opened(place) for place, one in enumerate(begun)], uow)
    owners: list[UUID | None] = await counter.owners(begun)
    assert all(owners[:12])
    assert not any(owners[12:])
    assert {owners.count(agent) for agent in agents} == {4}
    assert await counter.broken_promises() == []
