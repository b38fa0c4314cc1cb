"""Replicas as their callers and their operator see them: one address in front, and what each of them has done."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families


class InTurn(httpx.AsyncBaseTransport):
    """What stands before the replicas of a process: asks them in turn, and passes over one that is away or leaves."""

    def __init__(self, *doors: str) -> None:
        self.doors = [httpx.URL(door) for door in doors]
        self.answers: Counter[tuple[int, int]] = Counter()
        """How often each port gave each status."""
        self._transport = httpx.AsyncHTTPTransport()
        self._turn = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The first answer that does not say to come back; else the last one's, or its failure."""
        self._turn += 1
        first = self._turn % len(self.doors)
        *others, last = self.doors[first:] + self.doors[:first]
        for door in others:
            try:
                answer = await self._ask(door, request)
            except httpx.TransportError:
                continue
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return answer
            await answer.aclose()
        return await self._ask(last, request)

    async def _ask(self, door: httpx.URL, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(host=door.host, port=door.port)
        answer = await self._transport.handle_async_request(request)
        self.answers[request.url.port or 0, answer.status_code] += 1
        return answer

    async def close(self) -> None:
        """Let go of all connections; what its clients close is theirs alone."""
        await self._transport.aclose()


@dataclass
class Follower:
    """A front-end on the stream, which comes back with the last id that it was given whenever the stream ends."""

    told: list[dict[str, Any]] = field(default_factory=list)
    answered: int = 0
    """How often a stream began."""
    _last: dict[str, str] = field(default_factory=dict)

    async def began(self) -> bool:
        return self.answered > 0

    async def follow(self, client: httpx.AsyncClient) -> None:
        """Until cancelled."""
        while True:
            try:
                async with client.stream("GET", "/v1/events", headers=self._last) as answer:
                    if answer.is_success:
                        self.answered += 1
                        await self._read(answer)
            except httpx.TransportError:
                continue

    async def _read(self, answer: httpx.Response) -> None:
        fields: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
                continue
            if "data" in fields:
                self.told.append(json.loads(fields["data"]))
            if "id" in fields:
                self._last = {"Last-Event-ID": fields["id"]}
            fields.clear()


@dataclass(frozen=True, slots=True)
class Work:
    """What a process has done since it started, by its own telemetry."""

    events: int
    """Which took effect."""
    requests: int
    """Those of its API, answered well."""
    behind: int
    """Records that it has not handled yet."""


async def work_of(url: str, client: httpx.AsyncClient) -> Work:
    """What the process at this address tells of itself; raises `httpx.HTTPError` while it is away."""
    # A connection that was kept may be one to its former life.
    answer = await client.get(f"{url}/telemetry", headers={"Connection": "close"})
    told = answer.raise_for_status().text
    counts: Counter[str] = Counter()
    for family in text_string_to_metric_families(told):
        for sample in family.samples:
            match sample.name, sample.labels:
                case "balcao_events_handled_total", {"outcome": "took effect"}:
                    counts["events"] += int(sample.value)
                case "balcao_http_requests_total", {"route": route, "status": "200" | "201"} if route[1:] not in _ASIDE:
                    counts["requests"] += int(sample.value)
                case "balcao_consumer_lag", _:
                    counts["behind"] += int(sample.value)
    return Work(counts["events"], counts["requests"], counts["behind"])


_ASIDE = {"live", "ready", "telemetry"}
