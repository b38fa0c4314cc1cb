"""How long it takes until an agent has a conversation, and how many can be begun and assigned."""

import json
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Final

from tests.bench.chains import python_of, quiet
from tests.bench.figures import Figure, Target, beside, latency
from tests.bench.machine import cpu_seconds, going_on, standing_still
from tests.bench.posting import Outcome
from tests.bench.setting import CUSTOMERS, Setting, since_now
from tests.bench.steps.saturation import WARM_MESSAGES, fill
from tests.bench.steps.waits import HEARD
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
        *beside(HEARD, latency("assigned", what, waits, {99: Target(200), 50: None})),
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
    rate = len(waits) / (last_at - outcome.began_at)
    bare_rate, bare_cost = await _begun_by_bare(setting)
    what = "new conversations a second, begun and assigned, each message one"
    return [
        Figure("conversations", what, rate, "/s", Target(450, at_least=True), "bare-conversations"),
        Figure("bare-conversations", "bare: begun", bare_rate, "/s"),
        Figure("bare-conversations-python", "bare: Python CPU for each", python_of(bare_cost), "µs"),
        Figure("bare-conversations-total", "bare: with both servers", sum(bare_cost.values()), "µs"),
        Figure("conversations-told", f"of {len(texts):,} assigned", len(waits), ""),
        Figure("conversations-python", "Python CPU for each", python_of(cost), "µs", None, "bare-conversations-python"),
        Figure("conversations-total", "with both servers", sum(cost.values()), "µs", None, "bare-conversations-total"),
        *(Figure(f"conversations-{name}", f"  {name}", spent, "µs") for name, spent in cost.items()),
    ]


async def _begun_by_bare(setting: Setting) -> tuple[float, Mapping[str, float]]:
    """Conversations that the bare chain begins a second, which it gives to nobody, and microseconds of CPU for each."""
    bare = setting.bare
    with standing_still(setting.whole.python.values()), going_on(bare.python.values()):
        await fill(bare, setting, WARM_MESSAGES)
        # More than of Balcão's: when all are done is told to a fifth of a second.
        texts, since = setting.texts(setting.stranger() for _ in range(3 * NEW_CONVERSATIONS)), since_now()
        before = cpu_seconds(bare.processes)
        outcome = await setting.post(bare, texts, seconds=_DRAIN_SECONDS)
        done_at = await bare.done(len(texts), since, within=_DRAIN_SECONDS)
    return len(texts) / (done_at - outcome.began_at), bare.cost(before, len(texts))


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
