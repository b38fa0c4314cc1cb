"""What a customer is told by the counter itself, in his tenant's language and tone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_skeleton, format_time

LOCALES: Final = ("pt-BR", "pt-PT", "en", "es", "fr")
"""A tenant with any other locale speaks English."""

Tone = Literal["formal", "friendly"]


def greeting(locale: str, tone: Tone, tenant_name: str) -> str:
    """Thank a customer who has just written, and tell him that he will be answered."""
    return _TEXTS[_known(locale), tone].greeting.format(tenant=tenant_name)


def out_of_hours(
    locale: str, tone: Tone, tenant_name: str, opens_at: datetime | None, now: datetime, time_zone: str
) -> str:
    """Tell a customer that nobody is there, and when he will be answered.

    The opening is named as one says it now in the tenant's time zone: today, tomorrow, a day of the week, from seven
    days on with its date. Without an `opens_at` no time is named.
    """
    known = _known(locale)
    phrases = _PHRASES[known]
    when = phrases.joint + _opening(known, phrases, opens_at, now, ZoneInfo(time_zone)) if opens_at else ""
    return _TEXTS[known, tone].out_of_hours.format(tenant=tenant_name, when=when)


def _known(locale: str) -> str:
    return locale if locale in LOCALES else "en"


@dataclass(frozen=True, slots=True)
class _Phrases:
    """How a language says when it opens; `joint` stands between that and what goes before."""

    joint: str
    today: str
    tomorrow: str
    within_a_week: str
    later: str
    at: str
    at_one: str
    first: str = "1"
    """How the first day of a month is written, which the locale's own data do not tell."""


@dataclass(frozen=True, slots=True)
class _Texts:
    greeting: str
    out_of_hours: str


def _opening(locale: str, phrases: _Phrases, opens_at: datetime, now: datetime, zone: ZoneInfo) -> str:
    opens, today = opens_at.astimezone(zone), now.astimezone(zone).date()
    match (opens.date() - today).days:
        case 0:
            phrase = phrases.today
        case 1:
            phrase = phrases.tomorrow
        case days if days < 7:
            phrase = phrases.within_a_week
        case _:
            phrase = phrases.later
    day = format_skeleton("MMMMd", opens, locale=_LOCALES[locale])
    at = phrases.at_one if opens.hour == 1 else phrases.at
    return phrase.format(
        # Portuguese counts the workdays in fairs, which are feminine; Saturday and Sunday are masculine.
        on="na" if opens.weekday() < 5 else "no",
        weekday=_WEEKDAYS[locale][opens.weekday()],
        day=day.replace("1", phrases.first) if opens.day == 1 else day,
        at=at.format(time=format_time(opens.time(), "short", locale=_LOCALES[locale])),
    )


_LOCALES: Final = {locale: Locale.parse(locale, sep="-") for locale in LOCALES}

# Named here, the locales' files are read when the process starts and not when the first customer waits.
_WEEKDAYS: Final[Mapping[str, Mapping[int, str]]] = {
    name: locale.days["format"]["wide"] for name, locale in _LOCALES.items()
}

_PORTUGUESE: Final = {
    "joint": ", ",
    "today": "hoje {at}",
    "tomorrow": "amanhã {at}",
    "within_a_week": "{on} {weekday} {at}",
    "later": "{on} {weekday}, {day}, {at}",
    "at": "às {time}",
    "at_one": "à {time}",
}

_PHRASES: Final[Mapping[str, _Phrases]] = {
    "pt-BR": _Phrases(**_PORTUGUESE, first="1º"),
    "pt-PT": _Phrases(**_PORTUGUESE),
    "en": _Phrases(
        joint=" ",
        today="today {at}",
        tomorrow="tomorrow {at}",
        within_a_week="on {weekday} {at}",
        later="on {weekday}, {day}, {at}",
        at="at {time}",
        at_one="at {time}",
    ),
    "es": _Phrases(
        joint=", ",
        today="hoy {at}",
        tomorrow="mañana {at}",
        within_a_week="el {weekday} {at}",
        later="el {weekday} {day} {at}",
        at="a las {time}",
        at_one="a la {time}",
    ),
    "fr": _Phrases(
        joint=", ",
        today="aujourd’hui {at}",
        tomorrow="demain {at}",
        within_a_week="{weekday} {at}",
        later="le {weekday} {day} {at}",
        at="à {time}",
        at_one="à {time}",
        first="1er",
    ),
}

_TEXTS: Final[Mapping[tuple[str, Tone], _Texts]] = {
    ("pt-BR", "formal"): _Texts(
        greeting="Agradecemos o seu contato com {tenant}. Sua mensagem foi recebida, e nossa equipe responderá o mais "
        "breve possível.",
        out_of_hours="Agradecemos o seu contato com {tenant}. No momento, estamos fora do horário de atendimento. Sua "
        "mensagem foi registrada e será respondida assim que retomarmos o atendimento{when}.",
    ),
    ("pt-BR", "friendly"): _Texts(
        greeting="Oi! Obrigado por falar com {tenant}. Já recebemos sua mensagem, e alguém da nossa equipe te responde "
        "assim que puder.",
        out_of_hours="Oi! Obrigado por falar com {tenant}. Agora estamos fora do horário de atendimento, mas já "
        "recebemos sua mensagem. A gente te responde assim que voltar{when}.",
    ),
    ("pt-PT", "formal"): _Texts(
        greeting="Agradecemos o seu contacto com {tenant}. A sua mensagem foi recebida e a nossa equipa "
        "responder-lhe-á com a maior brevidade possível.",
        out_of_hours="Agradecemos o seu contacto com {tenant}. De momento, encontramo-nos fora do horário de "
        "atendimento. A sua mensagem foi registada e ser-lhe-á dada resposta assim que retomarmos o "
        "atendimento{when}.",
    ),
    ("pt-PT", "friendly"): _Texts(
        greeting="Olá! Obrigado por falares com {tenant}. Já recebemos a tua mensagem e alguém da nossa equipa "
        "responde-te assim que puder.",
        out_of_hours="Olá! Obrigado por falares com {tenant}. Neste momento estamos fora do horário de atendimento, "
        "mas a tua mensagem já cá está. Respondemos-te assim que voltarmos{when}.",
    ),
    ("en", "formal"): _Texts(
        greeting="Thank you for contacting {tenant}. We have received your message, and a member of our team will "
        "reply as soon as possible.",
        out_of_hours="Thank you for contacting {tenant}. We are currently closed. Your message has been received, and "
        "we will reply when we reopen{when}.",
    ),
    ("en", "friendly"): _Texts(
        greeting="Hi! Thanks for getting in touch with {tenant}. We’ve got your message, and someone from our team "
        "will get back to you as soon as they can.",
        out_of_hours="Hi! Thanks for getting in touch with {tenant}. We’re closed right now, but we’ve got your "
        "message. We’ll get back to you when we’re here again{when}.",
    ),
    ("es", "formal"): _Texts(
        greeting="Le agradecemos que se haya puesto en contacto con {tenant}. Hemos recibido su mensaje y nuestro "
        "equipo le responderá lo antes posible.",
        out_of_hours="Le agradecemos que se haya puesto en contacto con {tenant}. En este momento nos encontramos "
        "fuera de nuestro horario de atención. Hemos registrado su mensaje y le responderemos en cuanto volvamos a "
        "abrir{when}.",
    ),
    ("es", "friendly"): _Texts(
        greeting="¡Hola! Gracias por escribir a {tenant}. Ya tenemos tu mensaje y alguien de nuestro equipo te "
        "responderá en cuanto pueda.",
        out_of_hours="¡Hola! Gracias por escribir a {tenant}. Ahora mismo estamos fuera de nuestro horario, pero ya "
        "tenemos tu mensaje. Te respondemos en cuanto volvamos{when}.",
    ),
    ("fr", "formal"): _Texts(
        greeting="Nous vous remercions d’avoir contacté {tenant}. Votre message nous est bien parvenu et notre équipe "
        "vous répondra dans les meilleurs délais.",
        out_of_hours="Nous vous remercions d’avoir contacté {tenant}. Notre service est actuellement fermé. Votre "
        "message a bien été enregistré et nous vous répondrons dès la réouverture{when}.",
    ),
    ("fr", "friendly"): _Texts(
        greeting="Bonjour\N{NARROW NO-BREAK SPACE}! Merci d’avoir écrit à {tenant}. On a bien reçu votre message et "
        "quelqu’un de l’équipe vous répond dès que possible.",
        out_of_hours="Bonjour\N{NARROW NO-BREAK SPACE}! Merci d’avoir écrit à {tenant}. On est fermé pour le moment, "
        "mais on a bien reçu votre message. On vous répond dès notre retour{when}.",
    ),
}
