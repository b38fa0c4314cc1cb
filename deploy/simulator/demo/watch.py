"""Looks at the counter and at the provider as the morning goes on, through their public APIs alone."""

from collections import Counter as Tally
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from deploy.simulator.behaviour import STATUSES
from deploy.simulator.demo.script import customers
from deploy.simulator.demo.stage import Stage, name_of

_SHOWN: Final = 12
_CUSTOMERS: Final = {customer.number: customer.name for customer in customers()}
_LAST: Final = 1_000_000
_POSITIONS: Final = 8
"""Of how many who wait the place is asked for."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation, as one line."""

    customer: str
    agent: str | None
    messages: int
    position: int | None = None
    eta_seconds: tuple[int, int] | None = None
    """Half of such waits are over by the first, nine in ten by the second."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent, as one line."""

    name: str
    presence: str
    load: float
    capacity: float


@dataclass(slots=True)
class Sent:
    """A message that the provider accepted, and how far it has come."""

    to: str
    text: str
    status: str = "accepted"


@dataclass(frozen=True, slots=True)
class View:
    """All that the terminal shows of one moment."""

    share: float
    caption: str
    provider_is_down: bool
    agents: list[Agent] = field(default_factory=list)
    waiting: list[Talk] = field(default_factory=list)
    waiting_count: int = 0
    answered: list[Talk] = field(default_factory=list)
    sends: list[Sent] = field(default_factory=list)
    written: int = 0
    """By customers."""
    answers: int = 0
    """By agents, and perhaps still to be sent."""
    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """Attempts, by Meta's code."""
    twice: int = 0
    """Messages that the provider accepted more than once: there must be none."""


class Watcher:
    """Remembers what it has seen, so that each look asks for little."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._names: dict[str, str] = {}
        self._sends: dict[str, Sent] = {}
        self._latest: deque[str] = deque(maxlen=_SHOWN)
        self._accepted = Tally[str]()
        self._after = {"sends": 0, "statuses": 0}
        self._before: dict[str, Any] = {}

    async def begin(self) -> None:
        """Count from here: what earlier mornings left in the ledger is not this one's."""
        self._before = await self._stage.simulator.ask("GET", "/ledger")
        self._after = {kind: int(self._before[kind]) for kind in self._after}

    async def look(self) -> View:
        stage, act = self._stage, self._stage.act
        agents = await stage.admin.items("/v1/agents")
        names = {agent["id"]: name_of(agent) for agent in stage.demo["agents"]}
        talks = await stage.admin.items("/v1/conversations", status="open", limit=100)
        unanswered = sorted(
            (one for one in talks if one["assignee_id"] is None), key=lambda one: str(one["created_at"])
        )
        waiting = [await self._waiting(one) for one in unanswered[-_POSITIONS:]]
        answered = [one for one in talks if one["assignee_id"] is not None][:_SHOWN]
        await self._follow_sends()
        ledger = await stage.simulator.ask("GET", "/ledger") or self._before
        return View(
            share=min(1, stage.share),
            caption=act.caption,
            provider_is_down=bool(act.provider.get("down")),
            agents=[
                Agent(names[agent["id"]], agent["status"], agent["load"], agent["capacity"])
                for agent in agents
                if agent["id"] in names
            ],
            waiting=sorted(waiting, key=lambda talk: talk.position or _LAST),
            waiting_count=len(unanswered),
            answered=[
                Talk(await self._name(one), names.get(one["assignee_id"]), one["message_count"]) for one in answered
            ],
            sends=[self._sends[wamid] for wamid in self._latest],
            written=ledger["customers"] - self._before["customers"],
            answers=stage.answers,
            accepted=ledger["sends"] - self._before["sends"],
            refused=dict(Tally(ledger["refused"]) - Tally(self._before["refused"])),
            twice=sum(count - 1 for count in self._accepted.values()),
        )

    async def _waiting(self, conversation: dict[str, Any]) -> Talk:
        told = await self._stage.admin.ask("GET", f"/v1/conversations/{conversation['id']}/queue-position")
        eta = told.get("eta")
        return Talk(
            await self._name(conversation),
            None,
            conversation["message_count"],
            told.get("position"),
            (eta["p50_seconds"], eta["p90_seconds"]) if eta else None,
        )

    async def _name(self, conversation: dict[str, Any]) -> str:
        id_ = conversation["contact_id"]
        if id_ not in self._names:
            contact = await self._stage.admin.ask("GET", f"/v1/contacts/{id_}")
            if not contact:
                return "…"
            self._names[id_] = contact["name"] or "without a name"
        return self._names[id_]

    async def _follow_sends(self) -> None:
        for send in await self._new("sends"):
            self._sends[send["wamid"]] = Sent(_CUSTOMERS.get(send["to"], send["to"]), send["text"] or "")
            self._latest.append(send["wamid"])
            self._accepted[send["callback_data"] or send["wamid"]] += 1
        for told in await self._new("statuses"):
            sent = self._sends.get(told["wamid"])
            # Told in any order: a message is as far as the furthest of them says.
            if sent is not None and _rank(told["status"]) > _rank(sent.status):
                sent.status = told["status"]

    async def _new(self, kind: str) -> list[dict[str, Any]]:
        items = await self._stage.simulator.items(f"/ledger/{kind}", after=self._after[kind], limit=1000)
        if items:
            self._after[kind] = items[-1]["n"]
        return items


def _rank(status: str) -> int:
    return ("accepted", *STATUSES).index(status)
