"""What a person is told of his request outside of any conversation, in his language."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time

from services.privacy.domain.package.words import language

Notice = Literal["proof_code", "package_ready", "rejected", "redirected", "extended", "completed"]


def notice_text(kind: Notice, locale: str, values: Mapping[str, str]) -> str:
    """The words of a notice, filled in with `values`; `tenant` is one of them always."""
    said: str = getattr(_TEXTS[language(locale)], kind)
    return said.format_map(values)


def until_words(due_at: datetime, time_zone: str, locale: str) -> str:
    """A sentence that names a new deadline as a day of this zone."""
    known = language(locale)
    return _TEXTS[known].until.format(until=_day(due_at.astimezone(ZoneInfo(time_zone)), known))


def moment_words(moment: datetime, time_zone: str, locale: str) -> str:
    """A moment as the day and the time of day in this zone."""
    known, local = language(locale), moment.astimezone(ZoneInfo(time_zone))
    return f"{_day(local, known)}, {format_time(local.time(), 'short', locale=known.replace('-', '_'))}"


def outcome_words(outcome: str, locale: str) -> str:
    """How a request ended, as a sentence."""
    return _TEXTS[language(locale)].outcomes[outcome]


def _day(local: datetime, known: str) -> str:
    return format_date(local.date(), "long", locale=known.replace("-", "_"))


@dataclass(frozen=True, slots=True)
class _Texts:
    proof_code: str
    """`code`, `minutes`"""
    package_ready: str
    """`until`"""
    rejected: str
    """`reason`, `authority`, `authority_url`"""
    redirected: str
    """`controller`"""
    extended: str
    """`reason`"""
    until: str
    """Where there is a new deadline."""
    completed: str
    """`outcome`, `authority`, `authority_url`"""
    outcomes: Mapping[str, str]


_TEXTS: Final[Mapping[str, _Texts]] = {
    "pt-BR": _Texts(
        proof_code="{tenant}: seu código para o pedido sobre dados pessoais é {code}. Ele vale por {minutes} minutos. "
        "Não o informe a ninguém. Se você não fez esse pedido, ignore esta mensagem.",
        package_ready="{tenant}: seus dados pessoais estão prontos e podem ser baixados até {until}. Peça o link na "
        "página do seu pedido; ele abre uma única vez.",
        rejected="{tenant}: seu pedido sobre dados pessoais não pôde ser atendido. Motivo: {reason} Você pode reclamar "
        "à autoridade: {authority}, {authority_url}",
        redirected="{tenant}: não decidimos sobre os seus dados pessoais, apenas os tratamos em nome do controlador. "
        "Faça o seu pedido a ele: {controller}",
        extended="{tenant}: a resposta ao seu pedido sobre dados pessoais vai demorar mais. Motivo: {reason}",
        until="Nova data-limite: {until}.",
        completed="{tenant}: seu pedido sobre dados pessoais foi concluído. {outcome} Se não concordar, você pode "
        "reclamar à autoridade: {authority}, {authority_url}",
        outcomes={
            "data_held": "Temos dados pessoais seus.",
            "done": "Ele foi atendido.",
            "done_with_exemptions": "Ele foi atendido em parte: alguns dados precisam ser guardados por lei.",
            "no_data": "Não temos dados pessoais seus.",
        },
    ),
    "pt-PT": _Texts(
        proof_code="{tenant}: o seu código para o pedido sobre dados pessoais é {code}. É válido durante {minutes} "
        "minutos. Não o revele a ninguém. Se não fez este pedido, ignore esta mensagem.",
        package_ready="{tenant}: os seus dados pessoais estão prontos e podem ser descarregados até {until}. Peça a "
        "ligação na página do seu pedido; só abre uma vez.",
        rejected="{tenant}: não foi possível satisfazer o seu pedido sobre dados pessoais. Motivo: {reason} Pode "
        "reclamar junto da autoridade: {authority}, {authority_url}",
        redirected="{tenant}: não decidimos sobre os seus dados pessoais, apenas os tratamos por conta do responsável "
        "pelo tratamento. Dirija-lhe o seu pedido: {controller}",
        extended="{tenant}: a resposta ao seu pedido sobre dados pessoais vai demorar mais. Motivo: {reason}",
        until="Nova data-limite: {until}.",
        completed="{tenant}: o seu pedido sobre dados pessoais foi concluído. {outcome} Se não concordar, pode "
        "reclamar junto da autoridade: {authority}, {authority_url}",
        outcomes={
            "data_held": "Temos dados pessoais seus.",
            "done": "Foi satisfeito.",
            "done_with_exemptions": "Foi satisfeito em parte: alguns dados têm de ser guardados por lei.",
            "no_data": "Não temos dados pessoais seus.",
        },
    ),
    "en": _Texts(
        proof_code="{tenant}: your code for the request about personal data is {code}. It is good for {minutes} "
        "minutes. Tell it to nobody. If you made no such request, ignore this message.",
        package_ready="{tenant}: your personal data is ready to be downloaded until {until}. Ask for the link on the "
        "page of your request; it opens once.",
        rejected="{tenant}: your request about personal data could not be granted. Reason: {reason} You may complain "
        "to the authority: {authority}, {authority_url}",
        redirected="{tenant}: we do not decide about your personal data, and only process it on behalf of the "
        "controller. Please make your request there: {controller}",
        extended="{tenant}: the answer to your request about personal data will take longer. Reason: {reason}",
        until="The new deadline is {until}.",
        completed="{tenant}: your request about personal data is settled. {outcome} If you do not agree, you may "
        "complain to the authority: {authority}, {authority_url}",
        outcomes={
            "data_held": "We hold personal data about you.",
            "done": "It was granted.",
            "done_with_exemptions": "It was granted in part: some data must be kept by law.",
            "no_data": "We hold no personal data about you.",
        },
    ),
    "es": _Texts(
        proof_code="{tenant}: su código para la solicitud sobre datos personales es {code}. Vale durante {minutes} "
        "minutos. No se lo diga a nadie. Si no hizo esta solicitud, ignore este mensaje.",
        package_ready="{tenant}: sus datos personales están listos y pueden descargarse hasta el {until}. Pida el "
        "enlace en la página de su solicitud; se abre una sola vez.",
        rejected="{tenant}: su solicitud sobre datos personales no pudo atenderse. Motivo: {reason} Puede reclamar "
        "ante la autoridad: {authority}, {authority_url}",
        redirected="{tenant}: no decidimos sobre sus datos personales, solo los tratamos por cuenta del responsable "
        "del tratamiento. Dirija su solicitud a él: {controller}",
        extended="{tenant}: la respuesta a su solicitud sobre datos personales tardará más. Motivo: {reason}",
        until="Nueva fecha límite: {until}.",
        completed="{tenant}: su solicitud sobre datos personales ha concluido. {outcome} Si no está de acuerdo, puede "
        "reclamar ante la autoridad: {authority}, {authority_url}",
        outcomes={
            "data_held": "Tenemos datos personales suyos.",
            "done": "Fue atendida.",
            "done_with_exemptions": "Fue atendida en parte: algunos datos deben conservarse por ley.",
            "no_data": "No tenemos datos personales suyos.",
        },
    ),
    "fr": _Texts(
        proof_code="{tenant}. Votre code pour la demande relative aux données personnelles est {code}. Il est valable "
        "{minutes} minutes. Ne le communiquez à personne. Si vous n’avez pas fait cette demande, ignorez ce message.",
        package_ready="{tenant}. Vos données personnelles sont prêtes et peuvent être téléchargées jusqu’au {until}. "
        "Demandez le lien sur la page de votre demande, il ne s’ouvre qu’une fois.",
        rejected="{tenant}. Votre demande relative aux données personnelles n’a pas pu être satisfaite, en voici le "
        "motif. {reason} Vous pouvez introduire une réclamation auprès de l’autorité ({authority}, {authority_url}).",
        redirected="{tenant}. Nous ne décidons pas de vos données personnelles, nous les traitons seulement pour le "
        "compte du responsable du traitement. Adressez-lui votre demande ({controller}).",
        extended="{tenant}. La réponse à votre demande relative aux données personnelles prendra plus de temps, en "
        "voici le motif. {reason}",
        until="Elle est attendue au plus tard le {until}.",
        completed="{tenant}. Votre demande relative aux données personnelles est close. {outcome} En cas de désaccord, "
        "vous pouvez introduire une réclamation auprès de l’autorité ({authority}, {authority_url}).",
        outcomes={
            "data_held": "Nous détenons des données personnelles vous concernant.",
            "done": "Elle a été satisfaite.",
            "done_with_exemptions": "Elle a été satisfaite en partie, la loi impose de conserver certaines données.",
            "no_data": "Nous ne détenons aucune donnée personnelle vous concernant.",
        },
    ),
}
