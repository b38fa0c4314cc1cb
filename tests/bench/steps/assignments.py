"""How long it takes until an agent has a conversation, and how many can be begun and assigned."""

import json
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Final

from tests.bench.chains import SERVERS, quiet
from tests.bench.figures import Figure, Target, latency
from tests.bench.machine import cpu_seconds
from tests.bench.posting import Outcome
from tests.bench.setting import CUSTOMERS, Setting
from tests.support.whatsapp import Text

MESSAGES_PER_SECOND: Final = 200
SECONDS: Final = 12
MIX: Final = 10
"""Every so manieth message is of a new customer: it begins a conversation, which is to be assigned."""
NEW_CONVERSATIONS: Final = 3_500
"""Posted as fast as they are acknowledged."""

_DRAIN_SECONDS: Final = 120
_MESSAGE: Final = b'"type":"conversation.message-added.v1"'
_ASSIGNED: Final = b'"type":"routing.conversation-assigned.v1"'


async def assigned(setting: Setting) -> list[Figure]:
    """Hold a rate of messages some of which begin a conversation, and follow those to their agents."""
    senders = list(islice(cycle(CUSTOMERS), MESSAGES_PER_SECOND * SECONDS))
    senders[::MIX] = strangers = [setting.stranger() for _ in senders[::MIX]]
    texts, stream = setting.texts(senders), setting.stream(_ASSIGNED, len(strangers))
    outcome = await setting.post(setting.whole, texts, seconds=SECONDS, rate=MESSAGES_PER_SECOND, stream=stream)
    await quiet(setting.admin_url, within=_DRAIN_SECONDS)
    waits = _waits(texts, outcome)
    what = f"inbound → assigned, at {MESSAGES_PER_SECOND}/s, each {MIX}th a new conversation"
    return [
        *latency("assigned", what, waits, {99: Target(200), 50: None}),
        Figure("assigned-told", f"of {len(strangers)} new ones assigned", len(waits), ""),
    ]


async def conversations(setting: Setting) -> list[Figure]:
    """Let nobody but new customers write, and follow all of them to their agents."""
    texts = setting.texts(setting.stranger() for _ in range(NEW_CONVERSATIONS))
    chain, stream = setting.whole, setting.stream(_ASSIGNED, NEW_CONVERSATIONS)
    before = cpu_seconds(chain.processes)
    outcome = await setting.post(chain, texts, seconds=_DRAIN_SECONDS, stream=stream)
    await quiet(setting.admin_url, within=_DRAIN_SECONDS)
    cost, waits = chain.cost(before, len(texts)), _waits(texts, outcome)
    last_at = max(at for at, line in outcome.told if _ASSIGNED in line)
    rate, python = len(waits) / (last_at - outcome.began_at), sum(cost.values()) - sum(cost[name] for name in SERVERS)
    what = "new conversations a second, begun and assigned, each message one"
    return [
        Figure("conversations", what, rate, "/s", Target(450, at_least=True)),
        Figure("conversations-told", f"of {len(texts):,} assigned", len(waits), ""),
        Figure("conversations-python", "Python CPU a new conversation", python, "µs"),
        Figure("conversations-total", "with Postgres and broker", sum(cost.values()), "µs"),
        *(Figure(f"conversations-{name}", f"  {name}", spent, "µs") for name, spent in cost.items()),
    ]


def _waits(texts: Sequence[Text], outcome: Outcome) -> list[float]:
    """Seconds from each post that began a conversation until the stream said that it was assigned."""
    posted = {one.id: at for one, at in zip(texts, outcome.posted_at, strict=True)}
    began: dict[str, float] = {}
    assigned_at: dict[str, float] = {}
    for at, line in outcome.told:
        if _MESSAGE in line:
            data = json.loads(line.removeprefix(b"data: "))["data"]
            began.setdefault(data["conversation_id"], posted[data["text"].rpartition(" ")[2]])
        elif _ASSIGNED in line:
            assigned_at.setdefault(json.loads(line.removeprefix(b"data: "))["data"]["conversation_id"], at)
    return [at - began[id_] for id_, at in assigned_at.items() if id_ in began]
