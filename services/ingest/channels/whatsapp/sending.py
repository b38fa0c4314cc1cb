"""WhatsApp Cloud API, outbound: what a message looks like to Meta, and what Meta's answer says of it.

Shapes: developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages; codes: …/support/
error-codes. Nothing makes a request harmless to repeat, so a message is only sent again where the answer says that it
was not taken.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from services.ingest.channels.sending import UNKNOWN, Cause, NotNow, Order, Outcome, UnsendableError
from services.ingest.channels.whatsapp.reading import error, identifier, optional_object, text

_RECIPIENT_CODES: Final = {131056}
_ACCOUNT_CODES: Final = {4, 80007, 130429, 131048, 131064, 133016}
_OUTAGE_CODES: Final = {2, 131000, 131016, 131053, 131057}
"""Of these Meta says that the message was not sent, and may be later."""
_TELLING_NOTHING: Final = {None, 1}
"""No code, as of a proxy on the way, and "possible server error"."""

_MOST_SECONDS: Final = 3600.0
"""No header keeps a person's messages back for longer."""
_TITLE_LENGTH: Final = 200
_CODE_PREFIX: Final = re.compile(r"^\(#\d+\)\s*")
_NUMBER: Final = re.compile(r"\d{7,}")


def body_of(order: Order) -> dict[str, Any]:
    """The body of `POST /{phone_number_id}/messages`; raises `UnsendableError`."""
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **_to(order),
        **_content(order),
        "biz_opaque_callback_data": order.reference,
    }
    if order.reply_to is not None:
        body["context"] = {"message_id": order.reply_to}
    return body


def _to(order: Order) -> dict[str, str]:
    """A number goes into `to` verbatim; who has withheld his is reached as `recipient` by his user id."""
    for kind, member in (("wa_phone", "to"), ("wa_bsuid", "recipient")):
        for address in order.recipient:
            if address.kind == kind:
                return {member: address.value}
    raise UnsendableError("no_address", "The contact has no address on WhatsApp.")


def _content(order: Order) -> dict[str, Any]:
    content = order.content
    if content.type != "text" or not content.text:
        raise UnsendableError("content_unsupported", f"Content of type {content.type} cannot be sent by WhatsApp.")
    return {"type": "text", "text": {"preview_url": False, "body": content.text}}


def read_answer(status: int, headers: Mapping[str, str], content: bytes, now: datetime) -> Outcome | NotNow:
    """What an HTTP answer to a message says of it. Header names are lower case; times are UTC.

    2xx with an id: sent. A code that says so, or Meta's own `is_transient` beside a code: nothing was taken, not now.
    Any other code, and any other 4xx: failed. What does not tell, as a proxy's 5xx or a 2xx without an id: unknown.
    """
    answer = _object(content)
    if 200 <= status < 300:
        return _sent(answer)
    told = optional_object(answer, "error")
    number, _ = error(told)
    code, title = str(number) if number is not None else f"http_{status}", _title(told)
    # That something is transient says that it may work later, not that nothing was taken now.
    if status == 408 or (status >= 500 and number in _TELLING_NOTHING):
        return UNKNOWN
    cause = _cause(status, number, told)
    if cause is not None:
        return NotNow(cause, code, title, _seconds(headers, now))
    return Outcome("failed", error_code=code, error_title=title)


def _sent(answer: Mapping[str, Any]) -> Outcome:
    messages = answer.get("messages")
    first = messages[0] if isinstance(messages, list) and messages and isinstance(messages[0], dict) else {}
    id_ = identifier(first, "id")
    return Outcome("sent", provider_message_id=id_) if id_ is not None else UNKNOWN


def _cause(status: int, code: int | None, told: Mapping[str, Any]) -> Cause | None:
    if code in _RECIPIENT_CODES:
        return Cause.RECIPIENT
    if code in _ACCOUNT_CODES or status == 429:
        return Cause.ACCOUNT
    if code in _OUTAGE_CODES or told.get("is_transient") is True:
        return Cause.OUTAGE
    return None


def _title(told: Mapping[str, Any]) -> str | None:
    """Meta's words without the code before them, and without what could be somebody's number."""
    words = text(told, "error_user_title") or text(told, "message")
    return _NUMBER.sub("…", _CODE_PREFIX.sub("", words))[:_TITLE_LENGTH] if words else None


def _seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """`Retry-After`, as seconds or as a date (RFC 9110 §10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(_MOST_SECONDS, float(value[:9]))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return min(_MOST_SECONDS, max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()))


def _object(content: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}
