"""The simulated provider: takes sends, lets customers write, and tells of both by webhooks."""

import asyncio
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from deploy.simulator.behaviour import Answers, Behaviour, Fate, Step, fate_of, is_posted_twice
from deploy.simulator.ledger import CustomerMessage, Ledger, Sent, StatusTold
from deploy.simulator.webhooks import Account, Webhooks
from deploy.simulator.whatsapp import (
    CUSTOMER,
    MOST_CHARACTERS,
    Refusal,
    Send,
    message_body,
    new_wamid,
    read_send,
    status_body,
    unauthorized,
    unavailable,
    unknown_number,
)
from shared.http import Body

MOST_MESSAGES: Final = 1000

Customer = Annotated[str, StringConstraints(pattern=f"^({CUSTOMER})$")]


class Written(Body):
    """A text that a customer writes."""

    from_: Customer = Field(
        alias="from", description="His number in digits, or his business-scoped user id.", examples=["5511987654321"]
    )
    text: str = Field(min_length=1, max_length=MOST_CHARACTERS, examples=["O bolo já está pronto?"])
    name: str | None = Field(None, max_length=200, examples=["Maria Aparecida"])
    timestamp: int | None = Field(
        None, ge=0, lt=10**10, description="Seconds since 1970, UTC; now if left out.", examples=[1795172400]
    )
    id: str | None = Field(None, min_length=1, max_length=500, description="Made if left out.")


class Provider:
    """Meta's side of WhatsApp for any number of accounts."""

    def __init__(self, webhooks: Webhooks, accounts: dict[str, Account]) -> None:
        self.accounts = accounts
        self.behaviour = Behaviour()
        self.answers = Answers()
        self.ledger = Ledger()
        self._webhooks = webhooks

    def take_send(self, phone_number_id: str, authorization: str, raw: bytes) -> tuple[Send, Sent]:
        """Accept a send and let its statuses follow; raises the `Refusal` that Meta would give."""
        try:
            return self._take_send(phone_number_id, authorization, raw)
        except Refusal as refusal:
            self.ledger.count_refusal(refusal.code)
            raise

    def has_room(self, messages: int) -> bool:
        """Whether as many messages of customers can be told of."""
        return self._webhooks.has_room(messages)

    def write(self, phone_number_id: str, messages: Sequence[Written]) -> list[CustomerMessage]:
        """Let customers write to a registered number; each one's messages are told in turn."""
        written = [self._record_message(phone_number_id, message) for message in messages]
        for message in written:
            self._webhooks.tell(self._tell_message(message, self.behaviour))
        return written

    def _take_send(self, phone_number_id: str, authorization: str, raw: bytes) -> tuple[Send, Sent]:
        account = self.accounts.get(phone_number_id)
        if account is None:
            raise unknown_number(phone_number_id)
        if not hmac.compare_digest(authorization.encode(), f"Bearer {account.access_token}".encode()):
            raise unauthorized()
        send = read_send(raw)
        if self.behaviour.down or not self._webhooks.has_room():
            raise unavailable("The service is temporarily unavailable or overloaded.")
        fate = fate_of(self.behaviour, self.answers, phone_number_id, self.ledger.place(phone_number_id))
        match fate.answer:
            case "error":
                raise Refusal(500, fate.code, "Message failed to send because of an unknown error.")
            case "throttled":
                wait = self.behaviour.retry_after_seconds
                raise Refusal(429, fate.code, "Too many messages in a short time.", retry_after=wait)
            case answered:
                sent = self._record_send(phone_number_id, send, answered)
        self._webhooks.tell(self._tell_statuses(send, sent, fate))
        return send, sent

    def _record_send(self, phone_number_id: str, send: Send, answered: Literal["accepted", "timed_out"]) -> Sent:
        sends = self.ledger.sends
        return sends.write(
            Sent(
                n=sends.next_n,
                phone_number_id=phone_number_id,
                received_at=datetime.now(UTC),
                to=send.to,
                text=send.text,
                callback_data=send.callback_data,
                wamid=new_wamid(),
                answered=answered,
                body=send.body,
            )
        )

    async def _tell_statuses(self, send: Send, sent: Sent, fate: Fate) -> None:
        for step in fate.steps:
            await _until(sent.received_at + timedelta(seconds=step.posted_after))
            told = self._record_status(sent, step)
            await self._webhooks.post(status_body(send, told), told)
        if fate.reply is not None:
            await asyncio.sleep(fate.reply.after)
            answer = Written.model_validate({"from": send.customer, "text": fate.reply.text})
            await self._tell_message(self._record_message(sent.phone_number_id, answer), self.behaviour)

    def _record_status(self, sent: Sent, step: Step) -> StatusTold:
        statuses = self.ledger.statuses
        return statuses.write(
            StatusTold(
                n=statuses.next_n,
                phone_number_id=sent.phone_number_id,
                wamid=sent.wamid,
                status=step.status,
                happened_at=sent.received_at + timedelta(seconds=step.happened_after),
            )
        )

    def _record_message(self, phone_number_id: str, message: Written) -> CustomerMessage:
        customers, now = self.ledger.customers, datetime.now(UTC)
        return customers.write(
            CustomerMessage(
                n=customers.next_n,
                phone_number_id=phone_number_id,
                id=message.id or new_wamid(),
                from_=message.from_,
                name=message.name,
                text=message.text,
                sent_at=now if message.timestamp is None else datetime.fromtimestamp(message.timestamp, UTC),
            )
        )

    async def _tell_message(self, message: CustomerMessage, behaviour: Behaviour) -> None:
        body = message_body(message)
        async with self._webhooks.turn(message.phone_number_id, message.from_):
            await self._webhooks.post(body, message)
        if is_posted_twice(behaviour, message.id):
            # What becomes of the second is nobody's concern: the first was told.
            await self._webhooks.post(body, message.model_copy())


async def _until(moment: datetime) -> None:
    await asyncio.sleep(max(0, (moment - datetime.now(UTC)).total_seconds()))
