"""Lets the morning happen: customers write, agents answer, the provider behaves as the act says."""

import asyncio
import random
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from deploy.simulator.demo.script import QUESTIONS, REPLIES, THANKS, Act, act_at, customers
from shared.http import outgoing_client

_ANSWERING: Final = 0.4
"""The share of what customers get that they answer."""
_SETTLING: Final = 0.6
"""The share of answers after which a conversation is settled."""
_THINKING: Final = (1.5, 4.5)
"""Seconds, before each answer."""
_AWAY: Final = frozenset({404, 409, 412, 429, 503})
"""What may come about while others act, too, and passes by itself."""


class Counter:
    """Balcão or the simulator as somebody with a key meets it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        """What is answered; nothing, when it only cannot be just now. Raises `httpx.HTTPStatusError`."""
        try:
            answer = await self._client.request(method, path, json=body, params=query)
        except httpx.TransportError:
            return {}
        if answer.status_code in _AWAY or not answer.content:
            return {}
        told: dict[str, Any] = answer.raise_for_status().json()
        return told

    async def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """The first page of a list."""
        items: list[dict[str, Any]] = (await self.ask("GET", path, **query)).get("items", [])
        return items


@dataclass
class Stage:
    """Where all of it takes place."""

    demo: Mapping[str, Any]
    admin: Counter
    simulator: Counter
    agents: dict[str, Counter]
    """By name."""
    seconds: float
    """How long the morning is."""
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - a play
    started: float = field(default_factory=time.monotonic)
    here: set[str] = field(default_factory=set)
    """The agents who answer."""
    answers: int = 0
    """How many they have written."""

    @property
    def share(self) -> float:
        """How much of the morning has passed."""
        return (time.monotonic() - self.started) / self.seconds

    @property
    def act(self) -> Act:
        return act_at(self.share)

    async def play(self) -> None:
        """The whole morning."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write())
            serving = [group.create_task(self._serve(agent)) for agent in self.demo["agents"]]
            await self._direct()
            for task in serving:
                task.cancel()

    async def restore(self) -> None:
        """Everything as it was: who is there, and a provider that does what it is asked."""
        await self.simulator.ask("PUT", "/behaviour", {})
        await self.simulator.ask("PUT", "/customers/answers", {})
        for name in self.agents:
            await self._be(name, "online")

    async def _direct(self) -> None:
        await self.simulator.ask("PUT", "/customers/answers", {"share": _ANSWERING, "texts": list(THANKS)})
        played: Act | None = None
        while self.share < 1:
            if (act := self.act) is not played:
                await self.simulator.ask("PUT", "/behaviour", dict(act.provider))
                for name, presence in act.presence.items():
                    await self._be(name, presence)
                played = act
            await asyncio.sleep(0.2)

    async def _be(self, name: str, presence: str) -> None:
        (self.here.add if presence == "online" else self.here.discard)(name)
        path = f"/v1/agents/{_agent(self.demo, name)['id']}/presence"
        await self.agents[name].ask("PUT", path, {"status": presence})

    async def _write(self) -> None:
        """Customers come at the pace of the act, none of them twice in a row, until nobody comes any more."""
        cast = list(customers())
        while pace := self.act.customers_per_minute:
            await asyncio.sleep(60 / pace)
            customer = cast.pop(self.chance.randrange(len(cast) // 2))
            cast.append(customer)
            message = {"from": customer.number, "name": customer.name, "text": self.chance.choice(QUESTIONS)}
            body = {"phone_number_id": self.demo["channels"]["whatsapp"]["phone_number_id"], "messages": [message]}
            await self.simulator.ask("POST", "/customers/messages", body)

    async def _serve(self, agent: Mapping[str, Any]) -> None:
        """An agent at work: what he has in hand, one answer after the other, while he is there."""
        name = name_of(agent)
        desk = self.agents[name]
        while True:
            await asyncio.sleep(self.chance.uniform(*_THINKING))
            if name not in self.here:
                continue
            own = await desk.items("/v1/conversations", assignee_id=agent["id"], status="open")
            if own:
                await self._answer(desk, self.chance.choice(own)["id"])

    async def _answer(self, desk: Counter, conversation_id: str) -> None:
        path = f"/v1/conversations/{conversation_id}"
        if await desk.ask("POST", f"{path}/messages", {"text": self.chance.choice(REPLIES)}):
            self.answers += 1
        if self.chance.random() < _SETTLING:
            await desk.ask("PATCH", path, {"status": "resolved"})


async def set_stage(
    stack: AsyncExitStack, demo: Mapping[str, Any], gateway_url: str, simulator_url: str, seconds: float
) -> Stage:
    """A stage on the running set; its connections end with `stack`."""

    async def counter(url: str, key: str | None = None) -> Counter:
        client = await stack.enter_async_context(outgoing_client(url))
        if key is not None:
            client.headers["Authorization"] = f"Bearer {key}"
        return Counter(client)

    return Stage(
        demo=demo,
        admin=await counter(gateway_url, demo["admin_key"]),
        simulator=await counter(simulator_url),
        agents={name_of(agent): await counter(gateway_url, agent["key"]) for agent in demo["agents"]},
        seconds=seconds,
    )


def name_of(agent: Mapping[str, Any]) -> str:
    """What a demo agent is called."""
    return str(agent["email"]).partition("@")[0].capitalize()


def _agent(demo: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(agent for agent in demo["agents"] if name_of(agent) == name)
    return found
