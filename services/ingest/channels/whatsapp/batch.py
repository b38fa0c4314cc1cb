"""Takes a webhook's body apart into items that can be understood one by one: a bad one spoils no other."""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any, NamedTuple

from services.ingest.channels.whatsapp import portable_json
from services.ingest.channels.whatsapp.persons import (
    RECEIVER,
    SENDER,
    STATUS_RECIPIENT,
    Naming,
    contacts_of,
)
from services.ingest.channels.whatsapp.reading import identifier, optional_object
from services.ingest.domain import Item, UnreadableBodyError


class _Listed(NamedTuple):
    """What the elements of a change's list are."""

    kind: str
    naming: Naming | None = None
    identity: tuple[str, ...] = ()
    """The members that together are the same for every delivery of the same thing and for nothing else."""
    identity_in_groups: tuple[str, ...] = ()
    """Further such members, where they are present."""


_LISTED = {
    "messages": _Listed("message", SENDER, ("id",)),
    "statuses": _Listed(
        "status",
        STATUS_RECIPIENT,
        ("id", "status", "timestamp"),
        # Every participant has a status of his own, often in the same second as the others.
        ("recipient_participant_id", "recipient_participant_user_id"),
    ),
    "message_echoes": _Listed("echo", RECEIVER, ("id",)),
    "errors": _Listed("error"),
}
NAMINGS = {listed.kind: listed.naming for listed in _LISTED.values() if listed.naming is not None}
"""By which members an item names its person, by what kind of item it is."""


MOST_ITEMS = 2_000
"""Twice the 1,000 updates that https://developers.facebook.com/docs/graph-api/webhooks/getting-started tells of."""
GROWTH = 4
ROOM_BYTES = 512 * 1024


def split(body: bytes) -> list[Item]:
    """The items of a body, in order of entries, changes and lists.

    Raises `UnreadableBodyError`, also for what has more items than WhatsApp sends at once, or would grow by being taken
    apart: every item repeats what is told around it.
    """
    try:
        return list(_bounded(_items(portable_json.loads(body)), GROWTH * len(body) + ROOM_BYTES))
    except ValueError:
        raise UnreadableBodyError("the body is not JSON, or is nested too deeply") from None


def _bounded(items: Iterator[Item], most_bytes: int) -> Iterator[Item]:
    size = 0
    for number, item in enumerate(items, start=1):
        size += len(item.body)
        if number > MOST_ITEMS or size > most_bytes:
            raise UnreadableBodyError(f"the body has more than {MOST_ITEMS} items, or repeats too much in each")
        yield item


def _items(document: object) -> Iterator[Item]:
    if not isinstance(document, dict) or document.get("object") != "whatsapp_business_account":
        raise UnreadableBodyError("the body is not of a WhatsApp Business account")
    entries = document.get("entry")
    if not isinstance(entries, list):
        raise UnreadableBodyError("the body has no list of entries")
    for i, entry in enumerate(entries):
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            yield _item(f"entry[{i}]", None, kind="malformed", item=entry)
            continue
        for j, change in enumerate(changes):
            yield from _of_change(f"entry[{i}].changes[{j}]", change)


def _of_change(path: str, change: object) -> Iterator[Item]:
    value = change.get("value") if isinstance(change, dict) else None
    if not isinstance(change, dict) or not isinstance(value, dict):
        yield _item(path, None, kind="malformed", item=change)
        return
    account = identifier(optional_object(value, "metadata"), "phone_number_id")
    around = {"field": change.get("field"), "metadata": value.get("metadata")}
    # Where another bot holds the thread, the same lists come one level deeper.
    value = {**value, **optional_object(value, "standby")}
    lists = {name: value[name] for name in _LISTED if value.get(name) not in (None, [])}
    if not lists:
        yield _item(path, account, kind="other", item=value, **around)
    for name, things in lists.items():
        if not isinstance(things, list):
            yield _item(f"{path}.{name}", account, kind="malformed", item=things, **around)
            continue
        listed = _LISTED[name]
        contacts = contacts_of(things, listed.naming, value.get("contacts")) if listed.naming else repeat(None)
        for k, (thing, contact) in enumerate(zip(things, contacts, strict=False)):
            stored = {"kind": listed.kind, "item": thing, "contact": contact, **around}
            yield _item(f"{path}.{name}[{k}]", account, _identity(thing, listed), **stored)


def _item(path: str, account: str | None, identity: str | None = None, **stored: Any) -> Item:
    try:
        body = portable_json.dumps(stored)
    except ValueError:
        # Nested deeper than anything that means something: it alone is lost, and its place tells that it was there.
        return _item(path, account, identity, kind="malformed", item=None)
    return Item(path=path, account=account, dedup_key=identity or _digest(stored), body=body)


def _identity(thing: object, listed: _Listed) -> str | None:
    if not isinstance(thing, dict) or not listed.identity:
        return None
    names = listed.identity + tuple(name for name in listed.identity_in_groups if name in thing)
    values = [value for name in names if (value := identifier(thing, name)) is not None]
    return ":".join([listed.kind, *values]) if len(values) == len(names) else None


def _digest(stored: Mapping[str, Any]) -> str:
    return "sha256:" + hashlib.sha256(portable_json.dumps(stored, canonical=True)).hexdigest()
