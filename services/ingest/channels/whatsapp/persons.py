"""By which addresses WhatsApp knows a person, and which entry of `contacts` is about whom.

Since 2026 a person has a business-scoped user id (`BR.1A2b…`; one shared by a group of businesses is
`BR.ENT.1A2b…`). The number is withheld for those who took a username; that changes at will and is no address.
Source: developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from services.ingest.channels.whatsapp.reading import identifier
from shared.events.ingest import Address

_USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_FORMATTING = str.maketrans("", "", "+-() ")
_MAX_DIGITS = 20


class Naming(NamedTuple):
    """The members by which an object names a person."""

    user_id: str
    number: str
    shared_user_id: str


SENDER = Naming("from_user_id", "from", "from_parent_user_id")
RECEIVER = Naming("to_user_id", "to", "to_parent_user_id")
STATUS_RECIPIENT = Naming("recipient_user_id", "recipient_id", "recipient_parent_user_id")
CONTACT = Naming("user_id", "wa_id", "parent_user_id")


def person(thing: Mapping[str, Any], naming: Naming, contact: Mapping[str, Any]) -> list[Address]:
    """The addresses of the person whom a thing names, best first, completed by his entry of `contacts`.

    The order depends on nothing but the ids that are given. A user id of the thing itself outweighs the
    entry's; two numbers may lawfully differ (Brazil's ninth digit) and are both his.
    """
    return distinct(
        user_id(thing, naming.user_id) or user_id(contact, CONTACT.user_id),
        number(thing, naming.number),
        number(contact, CONTACT.number),
        user_id(thing, naming.shared_user_id) or user_id(contact, CONTACT.shared_user_id),
    )


def distinct(*given: tuple[str, str] | None) -> list[Address]:
    """The addresses among some kinds and values, each once, in their order."""
    return [Address(kind=pair[0], value=pair[1]) for pair in dict.fromkeys(given) if pair is not None]


def user_id(part: Mapping[str, Any], name: str) -> tuple[str, str] | None:
    """A business-scoped user id. It is opaque: its form is the provider's business."""
    value = identifier(part, name)
    return ("wa_bsuid", value) if value is not None else None


def number(part: Mapping[str, Any], name: str) -> tuple[str, str] | None:
    """A telephone number as digits, or the user id that may stand in its place.

    Echoes give `to` as it was typed when sending, with formatting.
    """
    value = identifier(part, name)
    if value is None:
        return None
    digits = value if value.isdigit() else value.translate(_FORMATTING)
    if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS:
        return "wa_phone", digits
    return ("wa_bsuid", value) if _USER_ID.fullmatch(value) else None


def contacts_of(things: Sequence[object], naming: Naming, contacts: object) -> list[Mapping[str, Any] | None]:
    """For each of some things, the entry of `contacts` about the person whom it names: by user id, then by number.

    A lone entry beside things of one person is about that person, too, even when `from` and `wa_id` differ;
    no other entry goes to anyone whom it does not name.
    """
    entries = [entry for entry in contacts if isinstance(entry, dict)] if isinstance(contacts, list) else []
    if len(entries) == 1 and _are_of_one_person(things, naming):
        return [entries[0]] * len(things)
    named: dict[tuple[str, str], Mapping[str, Any]] = {}
    for entry in entries:
        for member in (CONTACT.user_id, CONTACT.number):
            if value := identifier(entry, member):
                named.setdefault((member, value), entry)
    return [_entry_of(thing, naming, named) for thing in things]


def _are_of_one_person(things: Sequence[object], naming: Naming) -> bool:
    first, *others = things
    return isinstance(first, dict) and all(
        isinstance(other, dict) and all(first.get(name) == other.get(name) for name in naming) for other in others
    )


def _entry_of(
    thing: object, naming: Naming, named: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    if not isinstance(thing, dict):
        return None
    by_user_id = named.get((CONTACT.user_id, identifier(thing, naming.user_id) or ""))
    return by_user_id or named.get((CONTACT.number, identifier(thing, naming.number) or ""))
