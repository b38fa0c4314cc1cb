"""WhatsApp Cloud API webhooks: who may post, what a post carries and what it means.

Shapes and rules: developers.facebook.com/documentation/business-messaging/whatsapp/webhooks.
"""

import hmac
from collections.abc import Mapping

from services.ingest.channels.whatsapp.batch import split
from services.ingest.channels.whatsapp.meaning import named, understand
from services.ingest.domain import Item, Meaning, Whereabouts
from shared.events.ingest import Address


class WhatsApp:
    """The `Channel` of WhatsApp Cloud API; its secrets are `verify_token` and `app_secret`."""

    kind = "whatsapp"

    def handshake(self, query: Mapping[str, str], secrets: Mapping[str, str]) -> str | None:
        """`hub.challenge`, if the question carries our verify token; None otherwise."""
        if query.get("hub.mode") != "subscribe":
            return None
        if not _same(query.get("hub.verify_token", ""), secrets.get("verify_token", "")):
            return None
        return query.get("hub.challenge")

    def is_authentic(self, headers: Mapping[str, str], body: bytes, secrets: Mapping[str, str]) -> bool:
        """Whether `X-Hub-Signature-256` is the HMAC-SHA256 of the bytes as received, under the app secret."""
        algorithm, _, signature = headers.get("x-hub-signature-256", "").partition("=")
        secret = secrets.get("app_secret")
        if algorithm != "sha256" or not secret:
            return False
        return _same(signature, hmac.digest(secret.encode(), body, "sha256").hex())

    def split(self, body: bytes) -> list[Item]:
        """See `Channel.split`."""
        return split(body)

    def understand(self, item: Item, where: Whereabouts) -> Meaning:
        """See `Channel.understand`."""
        return understand(item, where)

    def named(self, item: Item) -> Address | None:
        """See `Channel.named`."""
        return named(item)


def _same(given: str, expected: str) -> bool:
    """Compares in constant time; nothing equals an absent expectation."""
    # As bytes, because compare_digest raises on text beyond ASCII, which anyone may send.
    return bool(expected) and hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())
