"""What a WhatsApp message holds, type by type."""

from collections.abc import Callable, Mapping
from typing import Any

from services.ingest.channels.whatsapp import portable_json
from services.ingest.channels.whatsapp.reading import first_error, needed_object, optional_object, text
from services.ingest.domain import MisunderstoodError
from shared.events.ingest import Attachment, Content, Location, Referral, Reply, Unsupported

MAX_TEXT = 65_536
"""Characters of a text that a listener is given; WhatsApp itself allows 4,096."""

_MAX_FORM_DEPTH = 32
"""A form's answer is flat; what is nested more deeply is no answer and burdens every reader after us."""

_CHOICES = {"button_reply": "button", "list_reply": "list"}

Message = Mapping[str, Any]
Fields = dict[str, Any]
"""Some of the fields of a `Content`."""


def content_of(message: Message) -> Content:
    """What a message holds; of a type that we do not know, or without its content, that it is unsupported.

    Raises `MisunderstoodError`, or pydantic's `ValidationError`, where the content is not as documented.
    """
    kind = text(message, "type")
    if kind is None:
        raise MisunderstoodError("a message without a type")
    # WhatsApp leaves the content out when it could not deliver it, and tells so in `errors`.
    read = _READERS.get(kind, _unsupported) if kind in message else _unsupported
    fields = read(message, kind)
    if fields.get("text") is not None:
        fields["text"] = fields["text"][:MAX_TEXT]
    return Content(referral=_referral(message), **fields)


def _text(message: Message, kind: str) -> Fields:
    body = needed_object(message, kind).get("body")
    if not isinstance(body, str):
        raise MisunderstoodError("a text without a body")
    return {"type": "text", "text": body}


def _media(message: Message, kind: str) -> Fields:
    file = needed_object(message, kind)
    attachment = Attachment(
        kind="voice" if kind == "audio" and file.get("voice") is True else kind,
        media_id=text(file, "id"),
        url=text(file, "url"),
        mime_type=text(file, "mime_type"),
        filename=text(file, "filename"),
        sha256=text(file, "sha256"),
    )
    # The edit of a caption may come without the file.
    held = attachment.media_id is not None or attachment.url is not None
    return {"type": "media", "text": text(file, "caption"), "attachments": [attachment] if held else []}


def _location(message: Message, kind: str) -> Fields:
    return {"type": "location", "location": Location.model_validate(needed_object(message, kind))}


def _contacts(message: Message, kind: str) -> Fields:
    cards = message[kind]
    if not isinstance(cards, list) or not all(isinstance(card, dict) for card in cards):
        raise MisunderstoodError("contacts are not a list of objects")
    # Sharing one's own number on request is marked; documented on the message, seen on the first card.
    origins = [message.get("origin"), *(card.get("origin") for card in cards[:1])]
    return {"type": "contact_request" if "contact_request" in origins else "contacts", "contacts": cards}


def _button(message: Message, kind: str) -> Fields:
    button = needed_object(message, kind)
    return _choice(Reply(kind="quick_reply", id=text(button, "payload"), title=text(button, "text")))


def _interactive(message: Message, kind: str) -> Fields:
    interactive = needed_object(message, kind)
    chosen = text(interactive, "type")
    if chosen == "nfm_reply":
        form = needed_object(interactive, chosen)
        return _choice(Reply(kind="flow", title=text(form, "body"), data=_form_data(form)))
    if chosen in _CHOICES:
        row = needed_object(interactive, chosen)
        title, description = text(row, "title"), text(row, "description")
        return _choice(Reply(kind=_CHOICES[chosen], id=text(row, "id"), title=title, description=description))
    return _unsupported(message, chosen or kind)


def _choice(reply: Reply) -> Fields:
    return {"type": "interactive_reply", "text": reply.title, "reply": reply}


def _form_data(form: Message) -> dict[str, Any] | None:
    """What was filled in, if it is what the documentation promises: an object, as JSON in a text."""
    try:
        data = portable_json.loads((text(form, "response_json") or "").encode())
    except ValueError:
        return None
    return data if isinstance(data, dict) and _fits(data, _MAX_FORM_DEPTH) else None


def _fits(value: object, depth: int) -> bool:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(_fits(member, depth - 1) for member in members)


def _order(message: Message, kind: str) -> Fields:
    order = needed_object(message, kind)
    return {"type": "order", "text": text(order, "text"), "order": order}


def _system(message: Message, kind: str) -> Fields:
    return {"type": "system", "text": text(needed_object(message, kind), "body")}


def _unsupported(message: Message, kind: str) -> Fields:
    """`unsupported.type` names what it was, of late: `poll_creation`, `gif`, `pin`."""
    code, title = first_error(message)
    provider_type = text(optional_object(message, "unsupported"), "type") or kind
    unsupported = Unsupported(provider_type=provider_type, code=code, title=title)
    return {"type": "unsupported", "unsupported": unsupported}


_READERS: Mapping[str, Callable[[Message, str], Fields]] = {
    "text": _text,
    "image": _media,
    "video": _media,
    "audio": _media,
    "document": _media,
    "sticker": _media,
    "location": _location,
    "contacts": _contacts,
    "button": _button,
    "interactive": _interactive,
    "order": _order,
    "system": _system,
}


def _referral(message: Message) -> Referral | None:
    if not isinstance(message.get("referral"), dict):
        return None
    told = message["referral"]
    return Referral(
        source_type=text(told, "source_type"),
        source_id=text(told, "source_id"),
        source_url=text(told, "source_url"),
        headline=text(told, "headline"),
        body=text(told, "body"),
        click_id=text(told, "ctwa_clid"),
    )
