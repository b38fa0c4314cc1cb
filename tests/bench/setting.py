"""What every step of the bench works with: the running set, who writes to it, and who answers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import httpx

from deploy.local.plan import HOST
from deploy.local.running import RunningSet
from shared.http import Caller, ContextSigner
from shared.ids import earliest_id
from tests.bench.chains import Chain, connected
from tests.bench.posting import Load, Outcome, Stream, generate
from tests.support.waiting import until
from tests.support.whatsapp import Text

CUSTOMERS: Final = tuple(f"55119{number:08d}" for number in range(200))
"""Those with open conversations, in which nearly everything is written."""

ROOM: Final = {"GATEWAY_REQUESTS_PER_MINUTE_AND_KEY": "600000", "GATEWAY_REQUESTS_PER_MINUTE_AND_TENANT": "600000"}
"""Whoever measures asks more often than a client may."""

_READS: Final = frozenset({"routing:read"})
_AGENT: Final[Mapping[str, str]] = {"name": "Agent", "role": "agent"}
_AGENTS: Final = 50
_CAPACITY: Final = 100
_CONNECTIONS: Final = 192
_FOLLOW_SECONDS: Final = 30


@dataclass(slots=True)
class Setting:
    """One run of the bench."""

    running: RunningSet
    admin_url: str
    whole: Chain
    bare: Chain
    """It stands still, save when it is measured."""
    signer: ContextSigner
    """The gateway's, for whoever goes past it."""
    outcomes: list[Outcome] = field(default_factory=list)
    """Of the loads of the step that is under way."""
    _written: Counter[str] = field(default_factory=Counter)
    _strangers: int = 0

    @property
    def gateway_port(self) -> int:
        return self.running.ports["gateway"]

    def texts(self, senders: Iterable[str]) -> list[Text]:
        """The next text of each of them, dated now."""
        now, texts = a_moment_ago(), []
        for sender in senders:
            texts.append(Text(f"wamid.{sender}.{self._written[sender]}", sender, now))
            self._written[sender] += 1
        return texts

    def stranger(self) -> str:
        """Somebody who has never written."""
        self._strangers += 1
        return f"55117{self._strangers:08d}"

    async def post(self, chain: Chain, texts: Sequence[Text], *, seconds: float, **wanted: Any) -> Outcome:
        """Post a webhook for each text, within these seconds and with what else is wanted of the `Load`."""
        requests = [chain.request(one) for one in texts]
        return await self.generate(
            Load(chain.port, requests, **{"connections": _CONNECTIONS, **wanted}, seconds=seconds)
        )

    async def generate(self, load: Load) -> Outcome:
        outcome = await generate(load)
        self.outcomes.append(outcome)
        return outcome

    def get(self, path: str, *, past_gateway_to: str | None = None) -> bytes:
        """A request to the gateway, or past it to a service, as it goes over the wire."""
        bearer = self.running.demo["admin_key"]
        if past_gateway_to is not None:
            reader = Caller("bench", UUID(self.running.demo["tenant_id"]), _READS)
            bearer = self.signer.sign(reader, past_gateway_to)
        return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {bearer}\r\n\r\n".encode()

    def stream(self, mark: bytes, count: int) -> Stream:
        """The tenant's realtime stream, followed until so many events bear the mark."""
        return Stream(self.gateway_port, self.get("/v1/events"), mark, count, _FOLLOW_SECONDS)

    async def conversations_of(self, senders: Sequence[str]) -> dict[str, str]:
        """The id of each one's conversation."""
        query = (
            "SELECT value, c.id FROM contact_addresses JOIN conversations c USING (tenant_id, contact_id, channel_id)"
            " WHERE value = ANY ($1)"
        )
        async with connected(self.admin_url, "balcao_conversation") as connection:
            return {row["value"]: str(row["id"]) for row in await connection.fetch(query, senders)}

    def api(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.running.demo['admin_key']}"}
        return httpx.AsyncClient(base_url=self.running.gateway_url, headers=headers, timeout=20)


def since_now() -> UUID:
    """All ids that are made from now on are above it."""
    return earliest_id(datetime.now(UTC))


def a_moment_ago() -> datetime:
    """The second that goes on now, from its beginning: what is dated by the second is not before it."""
    return datetime.now(UTC).replace(microsecond=0)


async def hire_agents(setting: Setting) -> None:
    """As many as can take all that comes, online and accepting by themselves."""
    async with setting.api() as client:
        made = {
            (await answer_of(client.post("/v1/users", json={**_AGENT, "email": f"agent{number}@bench.example"})))["id"]
            for number in range(_AGENTS)
        }

        async def known() -> set[str]:
            listed = await answer_of(client.get("/v1/agents", params={"limit": 200}))
            return {agent["id"] for agent in listed["items"]}

        await until(known, lambda ids: made <= ids)
        for id_ in made:
            await answer_of(client.patch(f"/v1/agents/{id_}", json={"auto_accept": True, "capacity": _CAPACITY}))
            await answer_of(client.put(f"/v1/agents/{id_}/presence", json={"status": "online"}))


async def answer_of(asked: Any) -> dict[str, Any]:
    """What is answered; raises `RuntimeError` for a refusal."""
    answer: httpx.Response = await asked
    if not answer.is_success:
        raise RuntimeError(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}")
    told: dict[str, Any] = answer.json() if answer.content else {}
    return told
