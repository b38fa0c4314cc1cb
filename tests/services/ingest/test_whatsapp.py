"""WhatsApp Cloud API webhooks: authenticity, the way from a body to items, and what each item means."""

import copy
import hashlib
import hmac
import json
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pywa import handlers
from pywa.client import WhatsApp as IndependentClient
from pywa.utils import webhook_updates_validator

from services.ingest.channels import CHANNELS
from services.ingest.channels.whatsapp.batch import MOST_ITEMS
from services.ingest.domain import (
    Item,
    Kept,
    Meaning,
    MisunderstoodError,
    StatusReport,
    UnreadableBodyError,
    Whereabouts,
)
from shared.events.base import Envelope
from shared.events.ingest import (
    Address,
    AddressChanged,
    Attachment,
    Content,
    FromChannel,
    Location,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReactionChanged,
    Referral,
    Reply,
    Unsupported,
)

WHATSAPP = CHANNELS["whatsapp"]
SECRETS = {"app_secret": "5f2b-app-secret", "verify_token": "segredo-é-segredo"}
FIXTURES = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "whatsapp").glob("*.json"))}

ACCOUNT = "106540352242922"
SENT_AT = datetime(2026, 6, 1, 14, 29, 35, tzinfo=UTC)
RECEIVED_AT = SENT_AT + timedelta(seconds=3)
WHERE = Whereabouts(
    tenant_id=UUID(int=1),
    channel_id=UUID(int=2),
    raw_event_id=UUID(int=3),
    received_at=RECEIVED_AT,
    fingerprint=lambda address: f"ref of {address.kind} {address.value}",
)
MARIA = Address(kind="wa_bsuid", value="BR.1A94f20cQ7731")
MARIA_SHARED = Address(kind="wa_bsuid", value="BR.ENT.77cD31")
MARIA_PHONE = Address(kind="wa_phone", value="5582990000001")

fuzz = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def items(name: str) -> list[Item]:
    return WHATSAPP.split(FIXTURES[name])


def meaning(name: str) -> Meaning:
    [item] = items(name)
    return WHATSAPP.understand(item, WHERE)


def received(name: str) -> MessageReceived:
    event = meaning(name)
    assert isinstance(event, MessageReceived)
    return event


def signed(body: bytes, secret: str = SECRETS["app_secret"]) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def body_with(*messages: object, contacts: object = None, **value: object) -> bytes:
    """A body of one change, as the provider writes it: ASCII with escapes."""
    told = {"metadata": {"phone_number_id": ACCOUNT}, "contacts": contacts, "messages": list(messages), **value}
    change = {"field": "messages", "value": told}
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"changes": [change]}]}).encode()


def text(id_: object = "wamid.T", body: object = "oi", **more: object) -> dict[str, object]:
    said: dict[str, object] = {"from": MARIA_PHONE.value, "id": id_, "timestamp": "1780324175", "type": "text"}
    return said | {"text": {"body": body}} | more


def understood(*messages: object, **value: Any) -> MessageReceived:
    [item] = WHATSAPP.split(body_with(*messages, **value))
    event = WHATSAPP.understand(item, WHERE)
    assert isinstance(event, MessageReceived)
    return event


QUESTION = {"hub.mode": "subscribe", "hub.verify_token": SECRETS["verify_token"], "hub.challenge": "1158201444"}


class TestHandshake:
    def test_the_challenge_is_given_back_to_who_knows_the_token(self) -> None:
        assert WHATSAPP.handshake(QUESTION, SECRETS) == "1158201444"

    @pytest.mark.parametrize(
        "change", [{"hub.verify_token": "outro"}, {"hub.verify_token": "\ud800"}, {"hub.mode": "unsubscribe"}]
    )
    def test_any_other_question_is_refused(self, change: dict[str, str]) -> None:
        assert WHATSAPP.handshake(QUESTION | change, SECRETS) is None

    @pytest.mark.parametrize("missing", ["hub.mode", "hub.verify_token", "hub.challenge"])
    def test_an_incomplete_question_is_refused(self, missing: str) -> None:
        question = {name: value for name, value in QUESTION.items() if name != missing}
        assert WHATSAPP.handshake(question, SECRETS) is None

    def test_a_channel_without_a_token_refuses_even_an_empty_one(self) -> None:
        assert WHATSAPP.handshake(QUESTION | {"hub.verify_token": ""}, {"verify_token": ""}) is None
        assert WHATSAPP.handshake(QUESTION | {"hub.verify_token": ""}, {}) is None


class TestAuthenticity:
    BODY = '{"text":"não é ação 📦"}'.encode()

    def test_the_raw_bytes_signed_with_the_app_secret_are_authentic(self) -> None:
        header = {"x-hub-signature-256": f"sha256={signed(self.BODY)}"}
        assert WHATSAPP.is_authentic(header, self.BODY, SECRETS)
        assert not WHATSAPP.is_authentic(header, self.BODY + b" ", SECRETS)

    @given(body=st.binary(), secret=st.text(min_size=1), other=st.binary())
    @fuzz
    def test_an_independent_validator_agrees(self, body: bytes, secret: str, other: bytes) -> None:
        for signature in (signed(body, secret), signed(other, secret)):
            header = f"sha256={signature}"
            assert WHATSAPP.is_authentic(
                {"x-hub-signature-256": header}, body, {"app_secret": secret}
            ) == webhook_updates_validator(secret, body, header)

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "sha256",
            "sha256=",
            "sha1={}",
            "{}",
            "SHA256={}",
            "sha256={}0",
            "sha256= {}",
            "sha256=é{}",
            "sha256=\ud800",
        ],
    )
    def test_a_malformed_header_is_not_authentic(self, header: str) -> None:
        given = {"x-hub-signature-256": header.format(signed(self.BODY))}
        assert not WHATSAPP.is_authentic(given, self.BODY, SECRETS)

    def test_a_missing_header_or_secret_is_not_authentic(self) -> None:
        assert not WHATSAPP.is_authentic({}, self.BODY, SECRETS)
        for secrets in ({}, {"app_secret": ""}):
            header = {"x-hub-signature-256": f"sha256={signed(self.BODY, '')}"}
            assert not WHATSAPP.is_authentic(header, self.BODY, secrets)


class TestSplit:
    def test_every_message_status_and_echo_is_an_item_for_its_own_account(self) -> None:
        assert [(item.path, item.account, item.dedup_key) for item in items("batch")] == [
            ("entry[0].changes[0].messages[0]", ACCOUNT, "message:wamid.ANA"),
            ("entry[0].changes[0].messages[1]", ACCOUNT, "message:wamid.JOAO"),
            ("entry[0].changes[0].messages[2]", ACCOUNT, "message:wamid.NOBODY"),
            ("entry[0].changes[0].statuses[0]", ACCOUNT, "status:wamid.SENT:read:1780324175"),
            ("entry[0].changes[1].messages[0]", "200000000000042", "message:wamid.RUI"),
            ("entry[1].changes[0].message_echoes[0]", ACCOUNT, "echo:wamid.ECHO"),
        ]

    def test_nobody_gets_the_contact_of_someone_else(self) -> None:
        events = [WHATSAPP.understand(item, WHERE) for item in items("batch")]
        names = {e.content.text: e.sender_name for e in events if isinstance(e, MessageReceived)}
        assert names == {
            "wamid.ANA": "Ana",
            "wamid.JOAO": "João",
            "wamid.NOBODY": None,
            "wamid.RUI": "Rui",
            "wamid.ECHO": None,
        }

    def test_a_lone_contact_beside_messages_of_several_people_goes_to_its_own_only(self) -> None:
        body = body_with(
            text("a"),
            text("b", **{"from": "351910000000"}),
            contacts=[{"profile": {"name": "Rui"}, "wa_id": "351910000000"}],
        )
        events = [WHATSAPP.understand(item, WHERE) for item in WHATSAPP.split(body)]
        assert [e.sender_name for e in events if isinstance(e, MessageReceived)] == [None, "Rui"]

    @pytest.mark.parametrize("name", FIXTURES)
    def test_a_redelivery_has_the_same_keys_and_bodies(self, name: str) -> None:
        again = json.dumps(json.loads(FIXTURES[name])).encode()
        assert WHATSAPP.split(again) == items(name)

    def test_each_status_of_a_message_is_told_apart(self) -> None:
        assert len({item.dedup_key for item in items("statuses")}) == 4

    def test_each_participant_of_a_group_has_a_status_of_his_own(self) -> None:
        assert len({item.dedup_key for item in items("statuses_in_group")}) == 2

    @pytest.mark.parametrize("id_", [None, "", 7, ["wamid.T"], "w" * 256])
    def test_a_message_without_a_usable_id_is_known_by_its_content(self, id_: object) -> None:
        one, same, other = (WHATSAPP.split(body_with(text(id_, body)))[0] for body in ("oi", "oi", "olá"))
        assert one.dedup_key.startswith("sha256:")
        assert one.dedup_key == same.dedup_key != other.dedup_key
        event = WHATSAPP.understand(one, WHERE)
        assert isinstance(event, MessageReceived)
        assert event.provider_message_id == one.dedup_key

    def test_a_field_that_we_do_not_know_is_kept_whole_as_one_item(self) -> None:
        [item] = items("history")
        assert (item.path, item.account) == ("entry[0].changes[0]", ACCOUNT)
        assert json.loads(item.body)["item"] == json.loads(FIXTURES["history"])["entry"][0]["changes"][0]["value"]
        [item] = items("template_status")
        assert item.account is None

    def test_a_lone_surrogate_or_nul_in_one_message_spoils_none(self) -> None:
        body = body_with(text("a", "quebrado \ud83d fim"), text("b", "nulo \x00 fim"), text("c", "inteiro 📦"))
        events = [WHATSAPP.understand(item, WHERE) for item in WHATSAPP.split(body)]
        texts = [e.content.text for e in events if isinstance(e, MessageReceived)]
        assert texts == ["quebrado \ufffd fim", "nulo  fim", "inteiro 📦"]

    def test_an_item_that_is_nested_absurdly_spoils_no_other(self) -> None:
        deep = {"type": "text", "x": json.loads("[" * 400 + "]" * 400)}
        good, bad = WHATSAPP.split(body_with(text(), deep))
        assert isinstance(WHATSAPP.understand(good, WHERE), MessageReceived)
        with pytest.raises(MisunderstoodError):
            WHATSAPP.understand(bad, WHERE)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"null",
            b"[]",
            b'"whatsapp_business_account"',
            b'{"object":"page","entry":[]}',
            b'{"object":"whatsapp_business_account"}',
            b'{"object":"whatsapp_business_account","entry":{}}',
            b'{"object":"whatsapp_business_account","entry":[NaN]}',
            b'{"object":"whatsapp_business_account","entry":[' + b"9" * 5000 + b"]}",
            b'{"object":"whatsapp_business_account","entry":["\xff"]}',
            b"[" * 100_000,
        ],
    )
    def test_what_the_provider_does_not_send_is_unreadable(self, body: bytes) -> None:
        with pytest.raises(UnreadableBodyError):
            WHATSAPP.split(body)

    def test_more_items_than_the_provider_sends_are_not_taken_apart(self) -> None:
        assert len(WHATSAPP.split(body_with(*([1] * MOST_ITEMS)))) == MOST_ITEMS
        with pytest.raises(UnreadableBodyError, match="items"):
            WHATSAPP.split(body_with(*([1] * (MOST_ITEMS + 1))))

    def test_a_body_cannot_grow_by_what_each_of_its_items_repeats(self) -> None:
        value = {"metadata": {"a": "x" * 1_000_000}, "messages": [{"id": str(number)} for number in range(100)]}
        entry = {"changes": [{"field": "messages", "value": value}]}
        with pytest.raises(UnreadableBodyError, match="repeats"):
            WHATSAPP.split(json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode())

    @pytest.mark.parametrize("broken", [None, 7, "x", [], {}, {"changes": {}}, {"changes": [None]}, {"changes": [{}]}])
    def test_a_malformed_entry_becomes_an_item_that_nobody_understands(self, broken: object) -> None:
        whole = json.loads(FIXTURES["text"])
        whole["entry"].insert(0, broken)
        bad, good = WHATSAPP.split(json.dumps(whole).encode())
        with pytest.raises(MisunderstoodError):
            WHATSAPP.understand(bad, WHERE)
        assert WHATSAPP.understand(good, WHERE) == meaning("text")

    @pytest.mark.parametrize("broken", [7, "x", {}, {"id": "wamid.T"}])
    def test_a_list_that_is_none_becomes_an_item_that_nobody_understands(self, broken: object) -> None:
        bad, status = WHATSAPP.split(
            body_with(messages=broken, statuses=[{"id": "wamid.S", "status": "read", "timestamp": "1780324175"}])
        )
        assert bad.account == ACCOUNT
        with pytest.raises(MisunderstoodError):
            WHATSAPP.understand(bad, WHERE)
        assert isinstance(WHATSAPP.understand(status, WHERE), StatusReport)


class TestWho:
    def test_the_user_id_comes_first_then_the_number_then_the_shared_id(self) -> None:
        event = received("text")
        assert event.sender == [MARIA, MARIA_PHONE, MARIA_SHARED]
        assert event.sender_ref == "ref of wa_bsuid BR.1A94f20cQ7731"
        assert (event.sender_name, event.username) == ("Maria Aparecida", "@maria.ap")

    def test_who_took_a_username_is_known_without_a_number(self) -> None:
        assert received("text_username_only").sender == [MARIA]

    def test_who_has_no_user_id_is_known_by_number(self) -> None:
        event = received("text_number_only")
        assert event.sender == [MARIA_PHONE]
        assert event.sender_ref == "ref of wa_phone 5582990000001"

    def test_the_two_numbers_of_a_person_are_both_his_and_the_one_he_wrote_from_is_first(self) -> None:
        assert [a.value for a in received("text_number_differs").sender] == ["5582990000001", "558290000001"]

    def test_the_same_ids_give_the_same_reference_wherever_they_stand(self) -> None:
        refs = {received(name).sender_ref for name in ("text", "image", "text_username_only", "echo_text")}
        assert refs == {"ref of wa_bsuid BR.1A94f20cQ7731"}

    def test_a_user_id_in_place_of_the_number_is_one(self) -> None:
        assert understood(text(**{"from": "BR.1A94f20cQ7731"})).sender == [MARIA]

    def test_a_formatted_number_is_taken_by_its_digits(self) -> None:
        assert understood(text(**{"from": "+55 (82) 99000-0001"})).sender == [MARIA_PHONE]

    @pytest.mark.parametrize("number", [None, "", "Maria", 5582990000001, "٥٥٨٢٩٩٠٠٠٠٠٠١", "9" * 21, "+"])
    def test_a_message_of_nobody_is_misunderstood(self, number: object) -> None:
        [item] = WHATSAPP.split(body_with(text(**{"from": number})))
        with pytest.raises(MisunderstoodError, match="no address"):
            WHATSAPP.understand(item, WHERE)


class TestWhen:
    def test_the_time_is_the_providers(self) -> None:
        assert received("text").sent_at == SENT_AT

    @pytest.mark.parametrize("stamp", [1780324175, "1780324175000", 1780324175000])
    def test_numbers_and_milliseconds_are_understood(self, stamp: object) -> None:
        assert understood(text(timestamp=stamp)).sent_at == SENT_AT

    @pytest.mark.parametrize(
        "stamp",
        [
            None,
            "",
            "ontem",
            "1.5",
            1.5,
            True,
            "-1",
            0,
            "1230767999",
            str(int(SENT_AT.timestamp()) + 90_000),
            "9" * 400,
            2**63,
        ],
    )
    def test_a_time_that_cannot_be_true_is_replaced_by_that_of_receipt(self, stamp: object) -> None:
        assert understood(text(timestamp=stamp)).sent_at == RECEIVED_AT


def media(kind: str, mime_type: str, text: str | None = None, filename: str | None = None) -> Content:
    attachment = Attachment(
        kind=kind,
        media_id="1003383421387256",
        url="https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1003383421387256",
        mime_type=mime_type,
        filename=filename,
        sha256="bWFyaWE=",
    )
    return Content(type="media", text=text, attachments=[attachment])


def reply(kind: str, title: str | None, **more: Any) -> Content:
    return Content(type="interactive_reply", text=title, reply=Reply(kind=kind, title=title, **more))


def unsupported(provider_type: str, **more: Any) -> Content:
    return Content(type="unsupported", unsupported=Unsupported(provider_type=provider_type, **more))


CONTENTS = {
    "text": Content(type="text", text="Bom dia! Meu pedido já saiu? 📦"),
    "image": media("image", "image/jpeg", "Chegou assim"),
    "video": media("video", "video/mp4", "Olha o barulho"),
    "audio": media("audio", "audio/mpeg"),
    "voice": media("voice", "audio/ogg; codecs=opus"),
    "document": media("document", "application/pdf", "A nota", "nota-fiscal.pdf"),
    "sticker": media("sticker", "image/webp"),
    "location": Content(
        type="location",
        location=Location(
            latitude=-9.6498,
            longitude=-35.7089,
            name="Mercado da Produção",
            address="Levada, Maceió - AL",
            url="https://example.org/mercado",
        ),
    ),
    "location_bare": Content(type="location", location=Location(latitude=-9.6498, longitude=-35.7089)),
    "button": reply("quick_reply", "Sim, confirmo", id="SIM"),
    "button_reply": reply("button", "Segunda via", id="segunda-via"),
    "list_reply": reply("list", "Loja Jatiúca", id="loja-3", description="Av. Dr. Antônio Gomes de Barros"),
    "flow_reply": reply("flow", "Enviado", data={"flow_token": "f-1", "cep": "57035-180", "dia": "2026-06-02"}),
    "flow_reply_broken": reply("flow", "Enviado"),
    "call_permission_reply": unsupported("call_permission_reply"),
    "interactive_without_content": unsupported("interactive"),
    "unsupported": unsupported("poll_creation", code=131051, title="Message type unknown"),
    "unsupported_first_contact": unsupported("unsupported", code=131060, title="This message is unavailable"),
    "type_of_tomorrow": unsupported("hologram"),
}


class TestMessages:
    @pytest.mark.parametrize("name", CONTENTS)
    def test_the_content_of_each_type_is_told(self, name: str) -> None:
        event = received(name)
        assert event.content == CONTENTS[name]
        assert (event.direction, event.opens_window) == ("inbound", True)
        assert event.provider_message_id == "wamid." + name.replace("_", "").upper()
        assert (event.tenant_id, event.channel_id, event.raw_event_id) == (UUID(int=1), UUID(int=2), UUID(int=3))
        assert event.channel_kind == "whatsapp"

    def test_shared_contacts_are_told_as_given(self) -> None:
        content = received("contacts").content
        assert content.type == "contacts"
        assert [card["name"]["formatted_name"] for card in content.contacts] == ["João Silva", "Ana Lima"]

    def test_ones_own_number_shared_on_request_is_told_apart(self) -> None:
        content = received("contact_request").content
        assert content.type == "contact_request"
        assert content.contacts[0]["phones"][0]["wa_id"] == MARIA_PHONE.value

    def test_an_order_is_told_as_given(self) -> None:
        content = received("order").content
        assert (content.type, content.text) == ("order", "Sem troco, por favor")
        assert content.order is not None
        assert content.order["product_items"][0]["item_price"] == 7.99

    def test_a_quote_is_told(self) -> None:
        assert received("text_reply").reply_to == "wamid.QUOTED"
        assert received("text").reply_to is None

    def test_a_forwarded_message_is_told(self) -> None:
        assert received("text_forwarded").forwarded
        assert received("text_forwarded_often").forwarded
        assert not received("text").forwarded

    def test_the_ad_that_brought_the_person_is_told(self) -> None:
        assert received("text_from_ad").content.referral == Referral(
            source_type="ad",
            source_id="120226305854810726",
            source_url="https://fb.me/3cr4Wqqkv",
            headline="Frete grátis",
            body="Só esta semana",
            click_id="Aff-n8ZTODiE79d22KtAwQ",
        )

    def test_a_message_in_a_group_is_no_message_to_its_writer(self) -> None:
        assert isinstance(meaning("text_in_group"), Kept)

    def test_a_text_beyond_the_limit_is_capped_and_nothing_else_lost(self) -> None:
        event = understood(text(body="é" * 70_000, context={"id": "wamid.QUOTED"}))
        assert event.content.text == "é" * 65_536
        assert event.reply_to == "wamid.QUOTED"

    @pytest.mark.parametrize("response", ['"texto"', "[1]", "[" * 100_000, '{"a":' * 40 + "1" + "}" * 40, "", 7, None])
    def test_an_answer_to_a_form_that_is_no_object_has_no_data(self, response: object) -> None:
        form = {"type": "nfm_reply", "nfm_reply": {"body": "Enviado", "response_json": response}}
        assert understood(text(type="interactive", interactive=form)).content == reply("flow", "Enviado")

    def test_an_answer_to_a_form_is_as_storable_as_its_message(self) -> None:
        form = {"type": "nfm_reply", "nfm_reply": {"response_json": '{"nome": "Ma\\u0000ria \\ud800"}'}}
        content = understood(text(type="interactive", interactive=form)).content
        assert content.reply is not None
        assert content.reply.data == {"nome": "Maria \ufffd"}

    @pytest.mark.parametrize("name", ["identity_changed", "number_changed_untold"])
    def test_a_system_message_is_told_and_opens_no_window(self, name: str) -> None:
        event = received(name)
        assert event.content.type == "system"
        assert event.content.text is not None
        assert not event.opens_window

    @pytest.mark.parametrize(
        "broken",
        [
            text(text=None),
            text(text={"body": 7}),
            text(type=None),
            text(type="image", image="x"),
            text(type="location", location={"latitude": "norte", "longitude": 1}),
            text(type="contacts", contacts=["Ana"]),
            text(type="button", button=[]),
            text(type="interactive", interactive={"type": "list_reply"}),
            text(type="order", order=[]),
            text(type="reaction", reaction={"emoji": "👍"}),
            text(type="reaction", reaction={"message_id": "wamid.R", "emoji": 7}),
            text(type="edit", edit={"message": {"type": "text", "text": {"body": "x"}}}),
            text(type="edit", edit={"original_message_id": "wamid.O"}),
            text(type="revoke", revoke={}),
            text(type="revoke"),
            None,
            "x",
        ],
    )
    def test_a_malformed_message_is_misunderstood_in_silence_about_its_content(self, broken: object) -> None:
        [item] = WHATSAPP.split(body_with(broken))
        with pytest.raises(MisunderstoodError) as misunderstood:
            WHATSAPP.understand(item, WHERE)
        assert not any(word in str(misunderstood.value) for word in ("norte", "Ana", "👍", MARIA_PHONE.value))


class TestCorrections:
    @pytest.mark.parametrize(
        ("name", "emoji"), [("reaction", "👍🏽"), ("reaction_removed_empty", None), ("reaction_removed_missing", None)]
    )
    def test_a_reaction_is_put_or_taken_back(self, name: str, emoji: str | None) -> None:
        event = meaning(name)
        assert isinstance(event, ReactionChanged)
        assert (event.provider_message_id, event.emoji) == ("wamid.REACTEDTO", emoji)

    @pytest.mark.parametrize(
        ("name", "said"),
        [("edit_text", "Rua das Flores, 21"), ("edit_caption", "A caixa aberta"), ("echo_edit", "Saiu ontem")],
    )
    def test_an_edit_changes_the_message_that_it_names(self, name: str, said: str) -> None:
        event = meaning(name)
        assert isinstance(event, MessageEdited)
        assert (event.provider_message_id, event.content.text) == ("wamid.ORIGINAL", said)
        assert event.sender[0] == MARIA

    @pytest.mark.parametrize("name", ["revoke", "echo_revoke"])
    def test_a_revocation_takes_back_the_message_that_it_names(self, name: str) -> None:
        event = meaning(name)
        assert isinstance(event, MessageRevoked)
        assert event.provider_message_id == "wamid.ORIGINAL"
        assert event.sender[0] == MARIA

    def test_a_correction_is_no_redelivery_of_what_it_corrects(self) -> None:
        assert [item.dedup_key for name in ("edit_text", "revoke") for item in items(name)] == [
            "message:wamid.EDITTEXT",
            "message:wamid.REVOKE",
        ]


class TestAddressChanges:
    @pytest.mark.parametrize(
        ("name", "old", "new"),
        [
            (
                "number_changed",
                [MARIA, MARIA_PHONE],
                [Address(kind="wa_bsuid", value="BR.9Zz81"), Address(kind="wa_phone", value="5582990000003")],
            ),
            ("number_changed_2023", [MARIA_PHONE], [Address(kind="wa_phone", value="5582990000003")]),
            ("number_changed_2022", [MARIA_PHONE], [Address(kind="wa_phone", value="5582990000003")]),
            ("user_id_changed", [MARIA], [Address(kind="wa_bsuid", value="PT.44aaBB")]),
        ],
    )
    def test_a_new_address_is_told_of_the_person_known_by_the_old(
        self, name: str, old: list[Address], new: list[Address]
    ) -> None:
        event = meaning(name)
        assert isinstance(event, AddressChanged)
        assert (event.sender, event.new_addresses) == (old, new)

    def test_a_change_of_which_the_old_address_is_withheld_is_a_system_message(self) -> None:
        event = understood(
            {"id": "wamid.S", "type": "system", "system": {"type": "user_changed_user_id", "user_id": "PT.44aaBB"}}
        )
        assert event.sender == [Address(kind="wa_bsuid", value="PT.44aaBB")]
        assert not event.opens_window


class TestEchoes:
    def test_an_echo_is_outbound_in_the_conversation_of_its_receiver(self) -> None:
        event = received("echo_text")
        assert (event.direction, event.opens_window) == ("outbound", False)
        assert event.sender == [MARIA, MARIA_PHONE, MARIA_SHARED]
        assert event.sender_name == "Maria Aparecida"
        assert (event.content.text, event.reply_to) == ("Saiu hoje cedo!", "wamid.QUOTED")

    def test_a_reaction_of_the_tenant_is_not_taken_for_the_persons(self) -> None:
        assert isinstance(meaning("echo_reaction"), Kept)


class TestStatuses:
    def test_each_state_is_reported(self) -> None:
        reports = [WHATSAPP.understand(item, WHERE) for item in items("statuses")]
        recipient = "ref of wa_bsuid BR.1A94f20cQ7731"
        assert reports == [
            StatusReport("wamid.SENT", "sent", SENT_AT, callback_data="0197-outbox", recipient_ref=recipient),
            StatusReport("wamid.SENT", "delivered", SENT_AT, recipient_ref=recipient),
            StatusReport("wamid.SENT", "read", SENT_AT, recipient_ref=recipient),
            StatusReport("wamid.SENT", "played", SENT_AT, recipient_ref=recipient),
        ]

    def test_a_failure_tells_why(self) -> None:
        report = meaning("status_failed")
        assert isinstance(report, StatusReport)
        assert (report.state, report.error_code, report.error_title) == ("failed", 131047, "Re-engagement message")

    @pytest.mark.parametrize("broken", [{}, {"id": "wamid.S"}, {"status": "read"}, {"id": 7, "status": "read"}])
    def test_a_status_of_nothing_is_misunderstood(self, broken: object) -> None:
        [item] = WHATSAPP.split(body_with(statuses=[broken]))
        with pytest.raises(MisunderstoodError):
            WHATSAPP.understand(item, WHERE)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("errors", "the provider reports error 130429"),
        ("call_status", "the status of a call"),
        ("history", "nothing is made of the field history"),
        ("template_status", "nothing is made of the field message_template_status_update"),
    ],
)
def test_what_concerns_no_person_and_no_message_is_kept(name: str, reason: str) -> None:
    assert meaning(name) == Kept(reason)


class TestAgainstAnIndependentClient:
    """pywa parses the same bodies; both must see the same in them."""

    @staticmethod
    def seen(name: str) -> Any:
        client = IndependentClient(phone_id=ACCOUNT, token="-", server=None, filter_updates=False)
        updates: list[Any] = []
        for handler in (
            handlers.MessageHandler,
            handlers.MessageStatusHandler,
            handlers.CallbackButtonHandler,
            handlers.CallbackSelectionHandler,
            handlers.FlowCompletionHandler,
            handlers.PhoneNumberChangeHandler,
            handlers.EditedMessageHandler,
            handlers.DeletedMessageHandler,
            handlers.OutgoingMessageHandler,
        ):
            client.add_handlers(handler(lambda _, update: updates.append(update)))
        client.webhook_update_handler(FIXTURES[name])
        [update] = updates
        return update

    @pytest.mark.parametrize("name", ["text", "text_reply", "text_forwarded", "text_from_ad"])
    def test_messages(self, name: str) -> None:
        event, update = received(name), self.seen(name)
        assert event.provider_message_id == update.id
        assert event.sent_at == update.timestamp
        assert event.sender[0].value == update.from_user.bsuid
        assert event.sender[1].value == update.from_user.wa_id
        assert event.sender_name == update.from_user.name
        assert event.username == update.from_user.username
        assert event.content.text == update.text
        assert event.forwarded == update.forwarded
        assert event.reply_to == (update.reply_to_message and update.reply_to_message.id)
        assert (event.content.referral and event.content.referral.click_id) == (
            update.referral and update.referral.ctwa_clid
        )

    @pytest.mark.parametrize("name", ["image", "video", "audio", "voice", "document", "sticker"])
    def test_media(self, name: str) -> None:
        event, update = received(name), self.seen(name)
        [attachment] = event.content.attachments
        assert event.content.text == update.caption
        assert (attachment.media_id, attachment.sha256) == (update.media.id, update.media.sha256)
        assert attachment.mime_type == update.media.mime_type
        assert (attachment.kind == "voice") == (name == "voice") == bool(getattr(update.media, "voice", False))

    @pytest.mark.parametrize(
        ("name", "theirs", "ours"),
        [
            ("location", lambda u: u.location.latitude, lambda e: e.content.location.latitude),
            (
                "order",
                lambda u: u.order.products[0].sku,
                lambda e: e.content.order["product_items"][0]["product_retailer_id"],
            ),
            (
                "contacts",
                lambda u: u.contacts[1].name.formatted_name,
                lambda e: e.content.contacts[1]["name"]["formatted_name"],
            ),
            (
                "reaction",
                lambda u: (u.reaction.message_id, u.reaction.emoji),
                lambda e: (e.provider_message_id, e.emoji),
            ),
            ("reaction_removed_empty", lambda u: u.reaction.emoji, lambda e: e.emoji),
            ("button", lambda u: (u.data, u.title), lambda e: (e.content.reply.id, e.content.reply.title)),
            ("button_reply", lambda u: (u.data, u.title), lambda e: (e.content.reply.id, e.content.reply.title)),
            (
                "list_reply",
                lambda u: (u.data, u.description),
                lambda e: (e.content.reply.id, e.content.reply.description),
            ),
            ("flow_reply", lambda u: u.response["cep"], lambda e: e.content.reply.data["cep"]),
            ("unsupported", lambda u: u.error.code, lambda e: e.content.unsupported.code),
            (
                "number_changed_2023",
                lambda u: (u.old_wa_id, u.new_wa_id),
                lambda e: (e.sender[0].value, e.new_addresses[0].value),
            ),
            (
                "edit_text",
                lambda u: (u.original_message_id, u.message.text),
                lambda e: (e.provider_message_id, e.content.text),
            ),
            ("revoke", lambda u: u.original_message_id, lambda e: e.provider_message_id),
            ("echo_text", lambda u: u.text, lambda e: e.content.text),
        ],
    )
    def test_other_types(self, name: str, theirs: Callable[[Any], object], ours: Callable[[Any], object]) -> None:
        assert ours(meaning(name)) == theirs(self.seen(name))

    def test_statuses(self) -> None:
        report, update = WHATSAPP.understand(items("statuses")[0], WHERE), self.seen("statuses")
        assert isinstance(report, StatusReport)
        seen = (report.provider_message_id, report.state, report.occurred_at, report.callback_data)
        assert seen == (update.id, update.status, update.timestamp, update.tracker)


ANY_TEXT = st.text(st.characters(exclude_categories=()))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


def places(value: object) -> list[tuple[Any, Any]]:
    """Every container of a JSON value with each of its keys."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    here = [(value, key) for key in keys]
    return here + [place for _, key in here for place in places(value[key])]  # type: ignore[index]  # a container


def mutated(whole: Any, replacement: object, chance: random.Random) -> Any:
    whole = copy.deepcopy(whole)
    container, key = chance.choice(places(whole))
    if chance.random() < 0.3:
        del container[key]
    else:
        container[key] = replacement
    return whole


def assert_wireable(meaning: Meaning) -> None:
    if isinstance(meaning, FromChannel):
        record = meaning.in_envelope(Envelope(id=UUID(int=4), occurred_at=meaning.sent_at)).to_record()
        assert b"\\u0000" not in record.value
        assert type(meaning).from_wire(record.headers, record.value) == meaning


class TestWhateverComes:
    @given(body=st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
    @fuzz
    def test_any_bytes_are_split_or_unreadable(self, body: bytes) -> None:
        with suppress(UnreadableBodyError):
            assert isinstance(WHATSAPP.split(body), list)

    @given(name=st.sampled_from(sorted(FIXTURES)), replacement=ANY_JSON, chance=st.randoms(use_true_random=False))
    @fuzz
    def test_any_body_is_understood_or_misunderstood_item_by_item(
        self, name: str, replacement: object, chance: random.Random
    ) -> None:
        body = json.dumps(mutated(json.loads(FIXTURES[name]), replacement, chance)).encode()
        try:
            found = WHATSAPP.split(body)
        except UnreadableBodyError:
            return
        for item in found:
            assert b"\\u0000" not in item.body
            item.body.decode()
            with suppress(MisunderstoodError):
                assert_wireable(WHATSAPP.understand(item, WHERE))

    @given(name=st.sampled_from(sorted(FIXTURES)), replacement=ANY_JSON, chance=st.randoms(use_true_random=False))
    @fuzz
    def test_any_stored_item_is_understood_or_misunderstood(
        self, name: str, replacement: object, chance: random.Random
    ) -> None:
        item = chance.choice(items(name))
        body = json.dumps(mutated(json.loads(item.body), replacement, chance)).encode()
        with suppress(MisunderstoodError):
            assert_wireable(WHATSAPP.understand(Item(item.path, item.account, item.dedup_key, body), WHERE))

    @given(body=st.binary())
    @fuzz
    def test_any_stored_bytes_are_understood_or_misunderstood(self, body: bytes) -> None:
        with pytest.raises(MisunderstoodError):
            WHATSAPP.understand(Item("", None, "", body), WHERE)

    @given(broken=ANY_JSON, at=st.integers(0, 3))
    @fuzz
    def test_a_broken_message_takes_no_other_with_it(self, broken: object, at: int) -> None:
        messages: list[object] = [text(f"wamid.{n}", f"mensagem {n}") for n in range(3)]
        messages.insert(at, broken)
        found = WHATSAPP.split(body_with(*messages))
        assert len(found) == 4
        whole = [item for item in found if item.dedup_key.startswith("message:wamid.")]
        events = [WHATSAPP.understand(item, WHERE) for item in whole]
        assert [e.content.text for e in events if isinstance(e, MessageReceived)] == [
            "mensagem 0",
            "mensagem 1",
            "mensagem 2",
        ]
