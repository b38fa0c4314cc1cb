"""Users: how they are addressed, what serves as a password, and how often one may be guessed."""

import unicodedata
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.roles import ALLOWED, Role

SHORTEST_PASSWORD: Final = 10
LONGEST_PASSWORD: Final = 200

MOST_FAILURES: Final = 10
"""Failed log-ins of one e-mail address within `FAILURE_MEMORY` before it is locked for the rest of it."""
FAILURE_MEMORY: Final = timedelta(minutes=15)

_WORDS: Final = (
    "0000000000 0123456789 0987654321 1111111111 1122334455 1212121212 123123123123 1234512345 123456123456 1234567890 "
    "12345678900 12345678910 123456789a 123456789abc 1234567891 123654789a 1234qwerasdf 147258369a 1q2w3e4r5t "
    "1q2w3e4r5t6y 1qaz2wsx3edc 1qazxsw23edc 2222222222 3333333333 5555555555 6666666666 7777777777 8888888888 "
    "9876543210 9999999999 aaaaaaaaaa abc1234567 abc123456789 abcd123456 abcde12345 abcdefghij administrador "
    "administrator admin12345 admin123456 adminadmin asdasdasdasd asdfghjkl1 asdfghjkl123 benfica1904 changeme123 "
    "computador corinthians flamengo123 iloveyou12 iloveyou123 internacional letmein123 letmein1234 minhasenha "
    "minhasenha123 mudar12345 p@ssw0rd123 p@ssword123 palavrapasse palavra-passe passw0rd123 password01 password10 "
    "password11 password12 password123 password123! password1234 passwordpassword portugal123 q1w2e3r4t5 q1w2e3r4t5y6 "
    "qazwsxedcrfv qwaszx1234 qwerasdfzxcv qwerty1234 qwerty12345 qwerty123456 qwertyuiop qwertyuiop123 senha12345 "
    "senha123456 senha123456789 senhasenha sporting1906 teste12345 trustno1trustno1 welcome123 welcome1234 "
    "zaq12wsxcde3 zxcvbnm123 zxcvbnm1234"
)
_COMMONEST: Final = frozenset(_WORDS.split())


def normal_email(address: str) -> str:
    """The form in which an e-mail address is kept and compared: nobody tells two persons apart by capitals."""
    return unicodedata.normalize("NFKC", address.strip()).lower()


def normal_password(password: str) -> str:
    """The form in which a password is hashed, so that it is the same from every keyboard (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)


def is_common(password: str) -> bool:
    """Whether a password is among the first that are guessed."""
    return password.lower() in _COMMONEST


def may_give(role: str, scopes: AbstractSet[str]) -> bool:
    """Whether who has these scopes may give this role: nobody gives more than he has."""
    return ALLOWED[Role(role)] <= scopes


def locked_seconds(failures: int, since: datetime, now: datetime) -> int:
    """For how long an address with so many failures since then is locked, the one under way counted; else 0."""
    if failures <= MOST_FAILURES:
        return 0
    return max(1, int((since + FAILURE_MEMORY - now).total_seconds()))
