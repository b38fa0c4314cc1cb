"""Words that exist once, left in every personal field that the API and the channels accept."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx

from deploy.local.running import RunningSet
from tests.journeys.access import ask
from tests.support.waiting import until
from tests.support.whatsapp import signed

MARIA = "5511987654321"


class Marks:
    """The words of one person, by where they were written."""

    def __init__(self) -> None:
        self.written: dict[str, str] = {}

    def __call__(self, where: str) -> str:
        return self.written.setdefault(where, f"Marca{uuid4().hex}")

    def found_in(self, text: str) -> set[str]:
        """Where those were written that stand in the text, whatever became of their capitals."""
        there = set(re.findall(r"marca[0-9a-f]{32}", text.lower()))
        return {where for where, word in self.written.items() if word.lower() in there}


class Counter:
    """The public API as the staff uses it, and all that it refused."""

    def __init__(self, client: httpx.AsyncClient, running: RunningSet) -> None:
        self.client = client
        self.running = running
        self.refusals: list[str] = []
        self.lost = Marks()
        """What was refused, and is held by nobody."""

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """What is answered, which must not be a refusal."""
        return await ask(self.client, method, path, body, **more)

    async def refused(self, method: str, path: str, body: Any = None, **more: Any) -> None:
        """Ask for what is refused, and keep what is said of it."""
        answer = await self.client.request(method, path, json=body, **more)
        assert 400 <= answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text}"
        self.refusals.append(answer.text + str(dict(answer.headers)))

    async def contact_of(self, address: str) -> dict[str, Any]:
        """The contact of an address, once he is known."""

        async def look() -> dict[str, Any] | None:
            for contact in (await self.ask("GET", "/v1/contacts?limit=200"))["items"]:
                if any(one["value"] == address for one in contact["addresses"]):
                    return dict(contact)
            return None

        found = await until(look)
        assert found is not None
        return found

    async def conversation_of(self, contact_id: str, messages: int) -> dict[str, Any]:
        """His conversation, once it has so many messages."""

        async def look() -> dict[str, Any] | None:
            found = (await self.ask("GET", f"/v1/conversations?contact_id={contact_id}"))["items"]
            return dict(found[0]) if found and found[0]["message_count"] >= messages else None

        found = await until(look)
        assert found is not None
        return found


def _messages(mark: Marks, sender: str) -> list[dict[str, Any]]:
    """A message of every kind that a person can send by WhatsApp, in their order."""
    ids = iter(range(1000))
    began = int(datetime.now(UTC).timestamp()) - 100

    def said(kind: str, content: Any, **more: Any) -> dict[str, Any]:
        n = next(ids)
        who = {"from": sender, "from_user_id": f"BR.{mark('address')}"}
        told = {"id": f"wamid.{sender}.{n}", "timestamp": str(began + n), "type": kind, kind: content}
        return who | told | more

    listed = {"type": "list_reply", "list_reply": {"id": "l", "title": mark("list"), "description": mark("list more")}}
    form = {"body": "Sent", "name": "flow", "response_json": json.dumps({"answer": mark("form")})}
    card = {"name": {"formatted_name": mark("card")}, "phones": [{"phone": mark("card phone")}]}
    referral = {
        "source_type": "ad", "source_id": "1", "source_url": f"https://ads.example/{mark('ad address')}",
        "headline": mark("ad headline"), "body": mark("ad body"), "ctwa_clid": mark("ad click"),
    }  # fmt: skip
    edited = {"type": "text", "text": {"body": mark("edit")}}
    early = {"type": "document", "document": {"id": "3", "caption": mark("early edit"), "filename": mark("early file")}}
    return [
        said("text", {"body": mark("text")}, referral=referral),
        said("text", {"body": mark("text to be edited")}),
        said("text", {"body": mark("text to be taken back")}),
        said("image", {"id": "1", "mime_type": "image/jpeg", "caption": mark("caption")}),
        said("document", {"id": "2", "mime_type": "application/pdf", "filename": mark("file name")}),
        said("location", {"latitude": 1, "longitude": 2, "name": mark("place"), "address": mark("place address")}),
        said("contacts", [card]),
        said("interactive", listed),
        said("interactive", {"type": "button_reply", "button_reply": {"id": "b", "title": mark("button")}}),
        said("interactive", {"type": "nfm_reply", "nfm_reply": form}),
        said("button", {"payload": mark("quick reply payload"), "text": mark("quick reply")}),
        said("order", {"catalog_id": "c", "text": mark("order"), "product_items": []}),
        said("poll", {"question": mark("what is not supported")}),
        said("text", {"body": 7, "odd": mark("what is not understood")}),
        said("edit", {"original_message_id": f"wamid.{sender}.1", "message": edited}),
        said("edit", {"original_message_id": f"wamid.{sender}.none", "message": early}),
        said("revoke", {"original_message_id": f"wamid.{sender}.2"}),
        said("reaction", {"message_id": f"wamid.{sender}.0", "emoji": mark("reaction")}),
    ]  # fmt: skip


SHOWN = 13
"""How many of them become messages."""


async def write_by_whatsapp(mark: Marks, sender: str, counter: Counter) -> None:
    """Everything that a person can send by WhatsApp, posted by the provider."""
    channel = counter.running.demo["channels"]["whatsapp"]
    contact = {"profile": {"name": mark("profile name"), "username": mark("user name")}, "wa_id": sender}
    contact |= {"user_id": f"BR.{mark('address')}"}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "551133224455", "phone_number_id": channel["phone_number_id"]},
        "contacts": [contact],
        "messages": _messages(mark, sender),
    }
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    async with httpx.AsyncClient() as provider:
        answer = await provider.post(
            channel["webhook_url"], content=body, headers=signed(body, channel["secrets"]["app_secret"])
        )
        assert answer.status_code == 200
        forged = await provider.post(channel["webhook_url"], content=body, headers=signed(body, "another"))
        assert forged.status_code in {401, 403}
        counter.refusals.append(forged.text)


async def write_by_web_chat(mark: Marks, counter: Counter) -> tuple[str, dict[str, str]]:
    """Everything that a visitor can tell; his session's path and what lets him go on."""
    question = {"key": "order_number", "label": "Pedido", "required": True}
    channel = await counter.ask(
        "POST", "/v1/channels",
        {"kind": "web_chat", "name": "Chat", "settings": {"title": "Fale connosco", "pre_chat_fields": [question]}},
    )  # fmt: skip
    told = {"name": mark("visitor"), "email": f"{mark('e-mail')}@example.com", "locale": "fr"}
    path = f"/v1/public/chat/{channel['id']}/sessions"
    await counter.refused("POST", path, told | {"pre_chat": {"order_number": [counter.lost("refused answer")]}})
    begun = await counter.ask("POST", path, told | {"pre_chat": {"order_number": mark("pre-chat answer")}})
    session, headers = f"/v1/public/chat/sessions/{begun['id']}", {"X-Visitor-Token": begun["token"]}
    said = {"text": mark("chat text"), "client_message_id": str(uuid4())}
    await counter.ask("POST", f"{session}/messages", said, headers=headers)
    await counter.refused(
        "POST", f"{session}/messages", {"text": counter.lost("refused chat"), "odd": 1}, headers=headers
    )
    return session, headers


async def write_as_staff(mark: Marks, contact_id: str, conversation_id: str, counter: Counter) -> None:
    """Everything that the staff can write of a contact and his conversation."""
    contact, conversation = f"/v1/contacts/{contact_id}", f"/v1/conversations/{conversation_id}"
    await counter.ask("PATCH", contact, {"name": mark("name"), "attributes": {"plan": [mark("attribute")]}})
    await counter.ask("PATCH", conversation, {"subject": mark("subject"), "attributes": {"a": mark("matter")}})
    await counter.ask("POST", f"{conversation}/notes", {"text": mark("note")})
    await counter.ask("POST", f"{conversation}/messages", {"text": mark("answer")})
    await counter.refused("PATCH", contact, {"name": {"first": counter.lost("refused name")}})
    await counter.refused("PATCH", conversation, {"subject": counter.lost("refused subject") * 20})
    await counter.refused(
        "POST", f"{conversation}/notes", {"text": counter.lost("refused note"), "x": counter.lost("refused field")}
    )
    await counter.refused("POST", f"{conversation}/messages", {"text": [counter.lost("refused text")]})
    await counter.refused("GET", f"/v1/conversations?status={counter.lost('refused query')}")
    await counter.refused("GET", f"/v1/contacts/{counter.lost('refused path')}")


async def write_of_somebody(mark: Marks, counter: Counter) -> str:
    """Everything that the staff can write of who has never written himself; his id."""
    wanted = {"name": mark("name"), "attributes": {mark("what is known"): {"of": [mark("him")]}}}
    return str((await counter.ask("POST", "/v1/contacts", wanted))["id"])


async def decline(mark: Marks, contact_id: str, counter: Counter) -> None:
    """Everything that a person is told by hand, of a request that is not granted."""
    wanted = {"type": "rectification", "contact_id": contact_id, "text": mark("what is wrong")}
    taken = await counter.ask("POST", "/v1/privacy/requests", wanted)
    request = f"/v1/privacy/requests/{taken['id']}"
    await counter.ask("POST", f"{request}/verification", {"method": "document"})
    await counter.ask("POST", f"{request}/extension", {"reason": mark("why it takes longer")})
    await counter.ask("POST", f"{request}/rejection", {"reason": mark("why not")})


async def write_of_a_colleague(mark: Marks, counter: Counter) -> str:
    """Everything that is kept of a member of the staff; his id."""
    wanted = {"name": mark("staff"), "email": f"{mark('staff e-mail')}@example.com", "role": "agent"}
    user = await counter.ask("POST", "/v1/users", wanted)
    key = {"label": mark("key label"), "role": "agent", "user_id": user["id"]}
    await counter.ask("POST", "/v1/api-keys", key)
    await counter.refused("POST", "/v1/users", wanted | {"password": {"text": counter.lost("refused password")}})
    await counter.refused(
        "POST", "/v1/auth/tokens", {"email": f"{counter.lost('nobody')}@example.com", "password": counter.lost("pass")}
    )
    return str(UUID(user["id"]))
