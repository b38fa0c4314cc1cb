"""WhatsApp's side of a webhook: bodies in Meta's shape, signed with the app secret, posted until acknowledged."""

import asyncio
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
_ATTEMPT_SECONDS = 20
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Text:
    """A text that a customer writes; `sender` is his number in digits, `sent_at` counts by the second."""

    id: str
    sender: str
    sent_at: datetime


def text(sender: str, number: int = 0) -> Text:
    """The `number`-th text of a sender, a second after the one before."""
    return Text(f"wamid.{sender}.{number}", sender, _NOON + timedelta(seconds=number))


def message_of(one: Text) -> dict[str, Any]:
    """An element of `messages`."""
    return {
        "from": one.sender,
        "from_user_id": _user_id(one.sender),
        "id": one.id,
        "timestamp": str(int(one.sent_at.timestamp())),
        "type": "text",
        "text": {"body": f"Olá, já saiu? {one.id}"},
    }


def body_of(phone_number_id: str, messages: Sequence[Mapping[str, Any]], senders: Iterable[str]) -> bytes:
    """A POST's body with `messages` and an entry of `contacts` for each of `senders`."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "551133224455", "phone_number_id": phone_number_id},
        "contacts": [
            {"profile": {"name": f"Cliente {sender}"}, "wa_id": sender, "user_id": _user_id(sender)}
            for sender in dict.fromkeys(senders)
        ],
        "messages": messages,
    }
    entry = {"id": "102290129340398", "changes": [{"value": value, "field": "messages"}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def signed(body: bytes, app_secret: str) -> dict[str, str]:
    """The headers of a POST with this body."""
    digest = hmac.digest(app_secret.encode(), body, "sha256").hex()
    return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}


class WhatsApp:
    """Meta, as far as one business number's webhook is concerned; `channel` is what `demo.json` tells of it."""

    def __init__(self, channel: Mapping[str, Any], client: httpx.AsyncClient) -> None:
        self.url: str = channel["webhook_url"]
        self.phone_number_id: str = channel["phone_number_id"]
        self.app_secret: str = channel["secrets"]["app_secret"]
        self._client = client

    def body(self, *texts: Text) -> bytes:
        """A POST's body with these texts."""
        return body_of(self.phone_number_id, [message_of(one) for one in texts], (one.sender for one in texts))

    async def attempt(self, body: bytes) -> httpx.Response:
        """Post once, signed."""
        headers = signed(body, self.app_secret)
        return await self._client.post(self.url, content=body, headers=headers, timeout=_ATTEMPT_SECONDS)

    async def deliver(self, *texts: Text, within: float = 30) -> None:
        """Post these texts until the answer is 200; raises `AssertionError` with the last failure after `within` s."""
        body, pause, failure = self.body(*texts), _FIRST_PAUSE, "no attempt ended"
        try:
            async with asyncio.timeout(within):
                while True:
                    try:
                        answer = await self.attempt(body)
                    except httpx.TransportError as error:
                        failure = repr(error)
                    else:
                        if answer.status_code == httpx.codes.OK:
                            return
                        failure = f"{answer.status_code} {answer.text}"
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        except TimeoutError:
            raise AssertionError(f"a webhook was not acknowledged within {within:g} s; at last: {failure}") from None


def _user_id(sender: str) -> str:
    return f"BR.{sender}"
