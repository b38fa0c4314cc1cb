"""What an item of a WhatsApp webhook means: an event about a person, news of a message sent, or nothing."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from services.ingest.channels.whatsapp import portable_json
from services.ingest.channels.whatsapp.batch import NAMINGS
from services.ingest.channels.whatsapp.contents import content_of
from services.ingest.channels.whatsapp.persons import (
    CONTACT,
    RECEIVER,
    SENDER,
    distinct,
    number,
    person,
    user_id,
)
from services.ingest.channels.whatsapp.reading import (
    error,
    first_error,
    identifier,
    moment,
    needed_identifier,
    needed_object,
    optional_object,
    text,
)
from services.ingest.domain import Item, Kept, Meaning, MisunderstoodError, StatusReport, Whereabouts
from shared.events.ingest import (
    Address,
    AddressChanged,
    FromChannel,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReactionChanged,
)

Object = Mapping[str, Any]
About = dict[str, Any]
"""The fields that every event about a person has."""

_ADDRESS_CHANGES = {"user_changed_number", "customer_changed_number", "user_changed_user_id"}


def understand(item: Item, where: Whereabouts) -> Meaning:
    """What an item means; raises `MisunderstoodError`, which names members but never what they hold."""
    stored = _stored(item)
    mean = _MEANINGS.get(text(stored, "kind") or "")
    if mean is None:
        raise MisunderstoodError("what it stands in is not as documented")
    try:
        return mean(stored, item, where)
    except ValidationError as invalid:
        places = (".".join(map(str, one["loc"])) for one in invalid.errors(include_input=False))
        raise MisunderstoodError(f"not as documented: {', '.join(places)}") from None


def named(item: Item) -> Address | None:
    """Whom an item names as its person, by the best of his addresses; None where it names nobody."""
    try:
        return _named(_stored(item))
    except MisunderstoodError:
        return None


def _named(stored: Object) -> Address | None:
    naming = NAMINGS.get(text(stored, "kind") or "")
    if naming is None:
        return None
    return next(iter(person(optional_object(stored, "item"), naming, optional_object(stored, "contact"))), None)


def _stored(item: Item) -> Object:
    try:
        stored = portable_json.loads(item.body)
    except ValueError:
        raise MisunderstoodError("the item is not JSON") from None
    if not isinstance(stored, dict):
        raise MisunderstoodError("the item is not an object")
    return stored


def _message(stored: Object, item: Item, where: Whereabouts) -> FromChannel | Kept:
    said, contact = needed_object(stored, "item"), optional_object(stored, "contact")
    if identifier(said, "group_id"):
        return Kept("it was written in a group, and an answer would go to its writer alone")
    kind = text(said, "type")
    if kind == "system":
        return _system(said, contact, item, where)
    about = _about(person(said, SENDER, contact), said, where)
    if kind == "reaction":
        return _reaction(said, about)
    return _correction(said, about) or _received(said, contact, about, item)


def _echo(stored: Object, item: Item, where: Whereabouts) -> FromChannel | Kept:
    """What the tenant did in WhatsApp's own app: the person is whom it was sent to."""
    said, contact = needed_object(stored, "item"), optional_object(stored, "contact")
    if text(said, "type") == "reaction":
        return Kept("the tenant's own reaction")
    about = _about(person(said, RECEIVER, contact), said, where)
    return _correction(said, about) or _received(said, contact, about, item, direction="outbound", opens_window=False)


def _system(said: Object, contact: Object, item: Item, where: Whereabouts) -> FromChannel:
    """A new number comes with a new user id; either may be withheld, and until August 2026 the old id was."""
    system = optional_object(said, "system")
    if text(system, "type") in _ADDRESS_CHANGES:
        new = distinct(
            user_id(system, CONTACT.user_id),
            number(system, CONTACT.number) or number(system, "new_wa_id"),
            user_id(system, CONTACT.shared_user_id),
        )
        known = distinct(
            user_id(system, "previous_user_id"),
            user_id(said, SENDER.user_id),
            number(said, SENDER.number) or number(system, "customer"),
            user_id(system, "previous_parent_user_id"),
        )
        old = [address for address in known if address not in new]
        if old and new:
            return AddressChanged(new_addresses=new, **_about(old, said, where))
    about = _about(person(said, SENDER, contact or system), said, where)
    return _received(said, contact, about, item, opens_window=False)


def _about(addresses: list[Address], said: Object, where: Whereabouts) -> About:
    if not addresses:
        raise MisunderstoodError("no address of a person")
    return {
        "tenant_id": where.tenant_id,
        "channel_id": where.channel_id,
        "channel_kind": "whatsapp",
        "raw_event_id": where.raw_event_id,
        "sender_ref": where.fingerprint(addresses[0]),
        "sender": addresses,
        "sent_at": moment(said.get("timestamp"), where.received_at),
    }


def _received(
    said: Object,
    contact: Object,
    about: About,
    item: Item,
    *,
    direction: str = "inbound",
    opens_window: bool = True,
) -> MessageReceived:
    context, profile = optional_object(said, "context"), optional_object(contact, "profile")
    return MessageReceived(
        **about,
        provider_message_id=identifier(said, "id") or item.dedup_key,
        direction=direction,
        sender_name=text(profile, "name"),
        username=text(profile, "username") or text(contact, "username"),
        content=content_of(said),
        reply_to=identifier(context, "id"),
        forwarded=context.get("forwarded") is True or context.get("frequently_forwarded") is True,
        opens_window=opens_window,
    )


def _reaction(said: Object, about: About) -> ReactionChanged:
    reaction = needed_object(said, "reaction")
    emoji = reaction.get("emoji")
    return ReactionChanged(
        **about,
        provider_message_id=needed_identifier(reaction, "message_id"),
        emoji=None if emoji == "" else emoji,
    )


def _correction(said: Object, about: About) -> MessageEdited | MessageRevoked | None:
    """An edit or a revocation: it has an id of its own and names the message that it changes."""
    match said.get("type"):
        case "edit":
            edit = needed_object(said, "edit")
            original = needed_identifier(edit, "original_message_id")
            content = content_of(needed_object(edit, "message"))
            return MessageEdited(**about, provider_message_id=original, content=content)
        case "revoke":
            original = needed_identifier(needed_object(said, "revoke"), "original_message_id")
            return MessageRevoked(**about, provider_message_id=original)
        case _:
            return None


def _status(stored: Object, _item: Item, where: Whereabouts) -> StatusReport | Kept:
    told = needed_object(stored, "item")
    if told.get("type") == "call":
        return Kept("the status of a call")
    code, title = first_error(told)
    recipient = _named(stored)
    return StatusReport(
        provider_message_id=needed_identifier(told, "id"),
        state=needed_identifier(told, "status"),
        occurred_at=moment(told.get("timestamp"), where.received_at),
        error_code=code,
        error_title=title,
        callback_data=text(told, "biz_opaque_callback_data"),
        recipient_ref=where.fingerprint(recipient) if recipient is not None else None,
    )


def _error(stored: Object, _item: Item, _where: Whereabouts) -> Kept:
    code, _ = error(optional_object(stored, "item"))
    return Kept(f"the provider reports error {code}")


def _other(stored: Object, _item: Item, _where: Whereabouts) -> Kept:
    return Kept(f"nothing is made of the field {text(stored, 'field')}")


_MEANINGS: Mapping[str, Callable[[Object, Item, Whereabouts], Meaning]] = {
    "message": _message,
    "echo": _echo,
    "status": _status,
    "error": _error,
    "other": _other,
}
