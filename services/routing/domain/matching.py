"""Who answers whom: the one who waits longest and the agent with most room, never beyond anyone's capacity."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final
from uuid import UUID

from services.routing.domain.cases import Case

CAPACITY: Final = 3
"""What an agent has until somebody sets it."""


@dataclass(frozen=True, slots=True)
class Server:
    """An agent who is online and has room."""

    id: UUID
    tenant_id: UUID
    room: int
    auto_accept: bool
    queue_ids: frozenset[UUID]
    """Whom he serves; none means all."""

    def may_take(self, case: Case, room: int) -> bool:
        """Whether he may be given a case while he has so much room."""
        serves = not self.queue_ids or case.queue_id in self.queue_ids
        return serves and case.weight <= room and self.id not in case.refused_by


def match(line: Iterable[Case], servers: Iterable[Server]) -> Iterator[tuple[Case, Server]]:
    """Each case of the line, in its order, with the agent who is to answer it; those whom nobody may take are left out.

    Who answered before goes first, then who has most room; whoever let an offer of the case expire comes last.
    """
    staff: dict[UUID, _Staff] = defaultdict(_Staff)
    for one in servers:
        staff[one.tenant_id].join(one)
    for case in line:
        server = staff[case.tenant_id].take(case)
        if server is not None:
            yield case, server


class _Staff:
    """The agents of one tenant, by the room that they have left."""

    def __init__(self) -> None:
        self._servers: dict[UUID, Server] = {}
        self._room: dict[UUID, int] = {}
        self._by_room: list[tuple[int, UUID]] = []

    def join(self, server: Server) -> None:
        self._servers[server.id] = server
        self._room[server.id] = server.room
        heappush(self._by_room, (-server.room, server.id))

    def take(self, case: Case) -> Server | None:
        """The agent whose room the case takes from now on."""
        before = self._servers.get(case.last_agent_id) if case.last_agent_id else None
        chosen = before if before and self._goes_first(before, case) else self._with_most_room(case)
        if chosen is not None:
            self._room[chosen.id] -= case.weight
            heappush(self._by_room, (-self._room[chosen.id], chosen.id))
        return chosen

    def _goes_first(self, server: Server, case: Case) -> bool:
        return server.id not in case.missed_by and server.may_take(case, self._room[server.id])

    def _with_most_room(self, case: Case) -> Server | None:
        looked_at: list[tuple[int, UUID]] = []
        late: Server | None = None
        found: Server | None = None
        while self._by_room and found is None:
            entry = heappop(self._by_room)
            room, server = -entry[0], self._servers[entry[1]]
            if room != self._room[server.id]:
                continue  # He was given something since, and stands elsewhere.
            looked_at.append(entry)
            if room < case.weight:
                break
            if server.may_take(case, room):
                if server.id in case.missed_by:
                    late = late or server
                else:
                    found = server
        for entry in looked_at:
            heappush(self._by_room, entry)
        return found or late
