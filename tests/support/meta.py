"""Meta as the sender of messages meets it: WhatsApp's Cloud API at the transport, made to answer in every way."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from typing import Any

import httpx

URL = "https://graph.example/v24.0"


@dataclass(frozen=True)
class Taken:
    """A message that Meta was given."""

    account: str
    token: str
    body: dict[str, Any]

    @property
    def text(self) -> str:
        return str(self.body["text"]["body"])

    @property
    def reference(self) -> str:
        return str(self.body["biz_opaque_callback_data"])

    @property
    def id(self) -> str:
        return id_of(self.reference)


def id_of(reference: str) -> str:
    """The id that Meta gives to the message of this reference."""
    return f"wamid.{reference}"


def refusal(status: int, code: int, *, headers: dict[str, str] | None = None, **members: Any) -> httpx.Response:
    """An answer with an error as the Graph API tells it."""
    told = {"message": f"(#{code}) Refused", "type": "OAuthException", "code": code, **members}
    return httpx.Response(status, json={"error": told}, headers=headers)


class Meta:
    """Takes every message, unless there is another answer for it."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.answers: deque[httpx.Response | Exception] = deque()
        """What the next calls meet instead, one each."""
        self.by_account: dict[str, Exception] = {}
        """What all calls of an account meet."""
        self.held: dict[str, asyncio.Event] = {}
        """Who sends the message of a reference waits for the answer until this is set."""

    def hold(self, reference: str) -> asyncio.Event:
        """Keep whoever sends the message of a reference waiting until the event is set."""
        return self.held.setdefault(reference, asyncio.Event())

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        account = request.url.path.split("/")[-2]
        token = request.headers["authorization"].removeprefix("Bearer ")
        taken = Taken(account, token, json.loads(request.content))
        self.taken.append(taken)
        if taken.reference in self.held:
            await self.held[taken.reference].wait()
        if account in self.by_account:
            raise self.by_account[account]
        answer = self.answers.popleft() if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer or httpx.Response(
            200, json={"messaging_product": "whatsapp", "contacts": [], "messages": [{"id": taken.id}]}
        )
