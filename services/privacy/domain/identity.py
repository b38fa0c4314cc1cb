"""Who is meant by what a person says of himself, where he can be reached, and whether he is who he says he is.

A person proves himself by a code that goes to an address already on file, never to one that stands in his request.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, get_args
from uuid import UUID

from shared.phone_numbers import candidates

CODE_DIGITS: Final = 6
CODE_LIFE: Final = timedelta(minutes=10)
CODE_TRIES: Final = 5
CODE_AGAIN_AFTER: Final = timedelta(minutes=1)
CODES_WITHIN: Final = timedelta(hours=1)
CODES_MOST: Final = 3
"""How many codes are sent within `CODES_WITHIN` to what one person is known by; those that the staff has sent are
counted apart, so that no stranger uses them up."""

Method = Literal["code", "document", "in_person"]

USER_ID: Final = "wa_bsuid"
"""The kind of address that stays with one person; a number may be handed on to another."""

ReachedOn = Literal["whatsapp", "web_chat"]
"""The kinds of channel on which a person is told something."""

_PHONES: Final = frozenset({"phone", "wa_phone", "e164"})
_SUREST: Final = (USER_ID, "wa_phone", "visitor")
"""The kinds of address at which a person is reached, the surest first: a web chat is over when its page is closed."""


@dataclass(frozen=True, slots=True)
class Known:
    """An address that is on file: whose, and on which channel."""

    id: UUID
    subject_id: UUID
    channel_id: UUID
    channel_kind: str
    kind: str
    value: str = field(repr=False)
    known_since: datetime


def lookup_key(kind: str, value: str) -> str:
    """What an address is found by, however it is written: a number with or without its ninth digit, an e-mail address
    in capitals."""
    if kind in _PHONES:
        digits = re.sub(r"[^0-9]", "", value)
        return f"phone:{max(candidates('wa_phone', digits), key=len)}"
    if kind == "email":
        return f"email:{unicodedata.normalize('NFKC', value).strip().lower()}"
    return f"{kind}:{value}"


def is_phone(kind: str) -> bool:
    return kind in _PHONES


def reached_at(addresses: Collection[Known], preferred: str | None) -> Known | None:
    """The address at which a person is told something; None where no channel reaches him.

    What he prefers (a channel's id or kind) comes first, then what is surest to be still his, then what is newest.
    """

    def rank(known: Known) -> tuple[bool, int, datetime]:
        is_preferred = preferred in (str(known.channel_id), known.channel_kind)
        return is_preferred, -_SUREST.index(known.kind), known.known_since

    reachable = [known for known in addresses if known.channel_kind in get_args(ReachedOn) and known.kind in _SUREST]
    return max(reachable, key=rank, default=None)


def same_person(subject_id: UUID, alike: Sequence[UUID], addresses: Collection[Known]) -> list[UUID]:
    """Under whom a person is held who proved that he is this one, this one first.

    `alike` are found by his number or e-mail address on other channels. One whom a provider knows by another user id is
    somebody else: the number was handed on. So may be one who has a user id where this one has none: a number alone
    does not prove that the id is his, and what is held under it is nothing to be given to a stranger. Who has both is
    proven by the id, to which the code goes first.
    """
    ids: dict[UUID, set[str]] = {}
    for known in addresses:
        if known.kind == USER_ID:
            ids.setdefault(known.subject_id, set()).add(known.value)
    own = ids.get(subject_id, set())
    others = [other for other in alike if other not in ids or ids[other] & own]
    return list(dict.fromkeys([subject_id, *others]))
