"""How long it takes, at a steady rate, until a webhook is acknowledged and until its message can be seen."""

import json
from itertools import cycle, islice
from typing import Final

from tests.bench.chains import quiet
from tests.bench.figures import Figure, Target, beside, latency
from tests.bench.posting import Glance
from tests.bench.setting import CUSTOMERS, Setting, since_now

WEBHOOKS_PER_SECOND: Final = 500
MESSAGES_PER_SECOND: Final = 200
SECONDS: Final = 12
LOOKED_FOR: Final = 100
"""Every so manieth message is looked for by API."""

HEARD: Final = f"bare-steady-{MESSAGES_PER_SECOND}-heard"
"""What of the bare chain comes next to being seen."""

_WATCHED: Final = 20
"""Whose conversations are looked at: they are short, and so is what is read."""
_DRAIN_SECONDS: Final = 60
_MESSAGE: Final = b'"type":"conversation.message-added.v1"'


async def webhooks(setting: Setting) -> list[Figure]:
    """Hold a rate of webhooks; everyone else works on them too."""
    texts = setting.texts(islice(cycle(CUSTOMERS), WEBHOOKS_PER_SECOND * SECONDS))
    since = since_now()
    outcome = await setting.post(setting.whole, texts, seconds=SECONDS, rate=WEBHOOKS_PER_SECOND)
    stored = await setting.whole.stored_since(since)
    await quiet(setting.admin_url, within=_DRAIN_SECONDS)
    what = f"webhook acknowledged durable, at {WEBHOOKS_PER_SECOND}/s"
    return [
        *beside(
            f"bare-steady-{WEBHOOKS_PER_SECOND}-acknowledged",
            latency("webhook", what, outcome.waits, {99: Target(50), 50: None}),
        ),
        Figure("webhook-stored", f"of {len(texts):,} stored meanwhile", stored, ""),
    ]


async def visible(setting: Setting) -> list[Figure]:
    """Follow messages of open conversations on the realtime stream, and look for some of them by API."""
    watched = await _watched(setting)
    senders = list(islice(cycle(CUSTOMERS), MESSAGES_PER_SECOND * SECONDS))
    senders[LOOKED_FOR // 2 :: LOOKED_FOR] = islice(cycle(watched), len(senders) // LOOKED_FOR)
    texts = setting.texts(senders)
    glances = {
        number: Glance(setting.gateway_port, watched[one.sender], f'{one.id}"'.encode())
        for number, one in enumerate(texts)
        if one.sender in watched
    }
    stream = setting.stream(_MESSAGE, len(texts))
    outcome = await setting.post(
        setting.whole, texts, seconds=SECONDS, rate=MESSAGES_PER_SECOND, stream=stream, glances=glances
    )
    await quiet(setting.admin_url, within=_DRAIN_SECONDS)
    shown = {
        json.loads(line.removeprefix(b"data: "))["data"]["text"].rpartition(" ")[2]: at
        for at, line in reversed(outcome.told)
        if _MESSAGE in line
    }
    posted = {one.id: at for one, at in zip(texts, outcome.posted_at, strict=True)}
    on_stream = [shown[id_] - at for id_, at in posted.items() if id_ in shown]
    by_api = [at - outcome.posted_at[number] for number, at in outcome.glanced_at.items()]
    targets, rate = {50: Target(25), 99: Target(100)}, f"at {MESSAGES_PER_SECOND}/s"
    return [
        *beside(HEARD, latency("stream", f"inbound → on the realtime stream, {rate}", on_stream, targets)),
        Figure("stream-told", f"of {len(texts):,} told", len(on_stream), ""),
        *beside(HEARD, latency("api", f"inbound → read by API, {rate}", by_api, targets)),
        Figure("api-read", f"of {len(glances):,} looked for", len(by_api), ""),
    ]


async def _watched(setting: Setting) -> dict[str, bytes]:
    """Customers with an open conversation, and for each the request that reads its messages."""
    senders = [setting.stranger() for _ in range(_WATCHED)]
    since = since_now()
    await setting.post(setting.whole, setting.texts(senders), seconds=SECONDS)
    await setting.whole.done(len(senders), since, within=_DRAIN_SECONDS)
    ids = await setting.conversations_of(senders)
    return {sender: setting.get(f"/v1/conversations/{id_}/messages?limit=200") for sender, id_ in ids.items()}
