"""By which other numbers a person may already be known: countries that inserted or dropped a digit in mobile numbers.

WhatsApp may know a number in the old or in the new form, and an agent may have typed the other. A candidate serves to
find a person and never replaces the address by which the provider reaches him; where candidates lead to different
persons, nothing is merged.
"""

import re

_FORMS = (
    # Brazil: mobiles, and only those, took a 9 before their eight digits (Anatel, 2012 to 2016).
    # Landlines begin with 2 to 5.
    (re.compile(r"55([1-9]{2})([6-9]\d{7})", re.ASCII), r"55\g<1>9\g<2>"),
    (re.compile(r"55([1-9]{2})9([6-9]\d{7})", re.ASCII), r"55\g<1>\g<2>"),
    # Mexico: the 1 before mobiles was abolished in 2019; WhatsApp kept it.
    (re.compile(r"52([2-9]\d{9})", re.ASCII), r"521\g<1>"),
    (re.compile(r"521([2-9]\d{9})", re.ASCII), r"52\g<1>"),
    # Argentina: a 9 before mobiles in international form, which some leave out. No area code begins with 9.
    (re.compile(r"54([1-8]\d{9})", re.ASCII), r"549\g<1>"),
    (re.compile(r"549([1-8]\d{9})", re.ASCII), r"54\g<1>"),
)


def candidates(kind: str, value: str) -> tuple[str, ...]:
    """The values by which to look for an address: itself first, then, for a `wa_phone`, its other lawful form."""
    if kind != "wa_phone":
        return (value,)
    others = (match.expand(other) for form, other in _FORMS if (match := form.fullmatch(value)))
    return (value, *others)
