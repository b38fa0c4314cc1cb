"""WhatsApp Cloud API as Meta speaks it: the bodies that it takes, its answers and errors, and its webhooks.

Shapes: developers.facebook.com/documentation/business-messaging/whatsapp, "Messages", "Error codes" and "Webhooks".
"""

import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from starlette.responses import JSONResponse

from deploy.simulator.ledger import CustomerMessage, StatusTold

MOST_CHARACTERS: Final = 4096
CUSTOMER: Final = r"[0-9]{5,20}|[A-Z]{2}\.[A-Za-z0-9.]{1,128}"
"""A number in digits, or a business-scoped user id, as a pattern."""
_FORMATTING: Final = str.maketrans("", "", "+-() ")
_MOST_CALLBACK_CHARACTERS: Final = 512
_TYPES: Final = frozenset(
    {
        "audio", "contacts", "document", "image", "interactive", "location", "reaction", "sticker", "template", "text",
        "video",
    }
)  # fmt: skip
_TITLES: Final = {
    100: "Invalid parameter",
    130429: "Rate limit hit",
    131000: "Something went wrong",
    131016: "Service unavailable",
    131056: "(Business Account, Consumer Account) pair rate limit hit",
}
_BUSINESS_ACCOUNT: Final = "102290129340398"
_DISPLAY_PHONE_NUMBER: Final = "551133224455"


class Refusal(Exception):
    """A send that is not accepted, in Meta's shape of errors."""

    def __init__(
        self,
        status: int,
        code: int,
        details: str,
        *,
        kind: str = "OAuthException",
        message: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(details)
        self.status = status
        self.code = code
        self.details = details
        self.kind = kind
        self.message = message or f"(#{code}) {_TITLES[code]}"
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}

    def to_response(self) -> JSONResponse:
        error = {
            "message": self.message,
            "type": self.kind,
            "code": self.code,
            "error_data": {"messaging_product": "whatsapp", "details": self.details},
            "fbtrace_id": secrets.token_urlsafe(8),
        }
        return JSONResponse({"error": error}, self.status, self.headers)


def invalid(details: str) -> Refusal:
    """400, code 100."""
    return Refusal(400, 100, details)


def unauthorized() -> Refusal:
    """401, code 190."""
    return Refusal(401, 190, "The access token is not valid for this number.", message="Invalid OAuth access token.")


def unknown_number(phone_number_id: str) -> Refusal:
    """400, code 100, as Meta answers for an object that is not there or not the caller's."""
    told = f"Unsupported post request. Object with ID '{phone_number_id}' does not exist"
    return Refusal(400, 100, told, kind="GraphMethodException", message=told)


def unavailable(details: str) -> Refusal:
    """503, code 131016."""
    return Refusal(503, 131016, details)


@dataclass(frozen=True, slots=True)
class Send:
    """A message that the business wants to be sent, as it came."""

    to: str
    """The number in the form in which it was given, or the person's business-scoped user id."""
    customer: str
    """The number as Meta tells it, in digits; or the user id."""
    text: str | None
    callback_data: str | None
    body: dict[str, Any]


def read_send(raw: bytes) -> Send:
    """The message in the body of a POST; raises the `Refusal` that Meta would give."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise invalid("The body is not JSON.") from None
    if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
        raise invalid("Param messaging_product must be 'whatsapp'.")
    if body.get("recipient_type", "individual") != "individual":
        raise invalid("Param recipient_type must be 'individual'.")
    to, user_id = _text(body, "to"), _text(body, "recipient")
    customer = to.translate(_FORMATTING) if to else user_id or ""
    if not re.fullmatch(CUSTOMER, customer) or customer.isdigit() != bool(to):
        raise invalid("Param to must be a number, or else recipient a business-scoped user id.")
    return Send(
        to or customer,
        customer,
        _content(body),
        _text(body, "biz_opaque_callback_data", _MOST_CALLBACK_CHARACTERS),
        body,
    )


def accepted(send: Send, wamid: str) -> dict[str, Any]:
    """The answer to a send that was accepted."""
    return {
        "messaging_product": "whatsapp",
        "contacts": [{"input": send.to, **_naming(send.customer, "wa_id", "user_id")}],
        "messages": [{"id": wamid}],
    }


def new_wamid() -> str:
    """An id of a message, as opaque as Meta's."""
    return f"wamid.{secrets.token_urlsafe(24)}"


def status_body(send: Send, told: StatusTold) -> bytes:
    """A webhook's body about what became of a send."""
    status = {
        "id": told.wamid,
        "status": told.status,
        "timestamp": _seconds(told.happened_at),
        **_naming(send.customer, "recipient_id", "recipient_user_id"),
    }
    if send.callback_data is not None:
        status["biz_opaque_callback_data"] = send.callback_data
    return _body(told.phone_number_id, send.customer, {}, statuses=[status])


def message_body(message: CustomerMessage) -> bytes:
    """A webhook's body with a text that a customer wrote."""
    told = {
        **_naming(message.from_, "from", "from_user_id"),
        "id": message.id,
        "timestamp": _seconds(message.sent_at),
        "type": "text",
        "text": {"body": message.text},
    }
    profile = {"profile": {"name": message.name}} if message.name else {}
    return _body(message.phone_number_id, message.from_, profile, messages=[told])


def signed(body: bytes, app_secret: str) -> dict[str, str]:
    """The headers of a webhook: HMAC-SHA256 under the app secret, over the bytes as they leave."""
    digest = hmac.digest(app_secret.encode(), body, "sha256").hex()
    return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}


def _text(body: Mapping[str, Any], name: str, most: int = MOST_CHARACTERS) -> str | None:
    value = body.get(name)
    if value is not None and not (isinstance(value, str) and len(value) <= most):
        raise invalid(f"Param {name} must be a string of at most {most} characters.")
    return value


def _content(body: Mapping[str, Any]) -> str | None:
    kind = _text(body, "type") or "text"
    if kind not in _TYPES:
        raise invalid(f"Param type must be one of {', '.join(sorted(_TYPES))}.")
    content = body.get(kind)
    if not isinstance(content, dict | list):
        raise invalid(f"Param {kind} is missing.")
    context = body.get("context", {})
    if not isinstance(context, dict) or ("context" in body and not _text(context, "message_id")):
        raise invalid("Param context['message_id'] is missing.")
    if kind != "text":
        return None
    text = _text(content, "body") if isinstance(content, dict) else None
    if not text:
        raise invalid("Param text['body'] is missing.")
    return text


def _naming(customer: str, number: str, user_id: str) -> dict[str, str]:
    return {number if customer.isdigit() else user_id: customer}


def _seconds(moment: datetime) -> str:
    return str(int(moment.timestamp()))


def _body(
    phone_number_id: str, customer: str, contact: Mapping[str, Any], **lists: Sequence[Mapping[str, Any]]
) -> bytes:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": _DISPLAY_PHONE_NUMBER, "phone_number_id": phone_number_id},
        "contacts": [{**contact, **_naming(customer, "wa_id", "user_id")}],
        **lists,
    }
    entry = {"id": _BUSINESS_ACCOUNT, "changes": [{"value": value, "field": "messages"}]}
    # Escaped as Meta does: the bytes that are signed hold nothing beyond ASCII.
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
