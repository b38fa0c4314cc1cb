"""The words of a package, in the languages that Balcão speaks; a person with any other one is told in English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

LOCALES: Final = ("pt-BR", "pt-PT", "en", "es", "fr")

OTHER: Final = ""
"""Stands for a category where a table has no personal column: its rows only refer to the person."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a package says in one language; `{controller}` is the tenant's name."""

    title: str
    introduction: str
    controller: str
    country: str
    law: str
    laws: Mapping[str, str]
    request: str
    right: str
    received: str
    proof: str
    made: str
    contents: str
    rows: str
    no_rows: str
    yes: str
    no: str
    origin_heading: str
    origin: str
    recipients_heading: str
    recipients: str
    rights_heading: str
    rights: Mapping[str, Sequence[str]]
    authority_heading: str
    any_authority: str
    ask_heading: str
    ask: str
    zone: str
    access: str
    """The right itself."""


def language(locale: str) -> str:
    """The language of a package for a person who speaks `locale`."""
    alike = (known for known in LOCALES if known[:2] == locale[:2].lower())
    return locale if locale in LOCALES else next(alike, "en")


def column_word(name: str, spoken: str) -> str:
    """What a column is called; one without a word of its own is called as the database does."""
    return _said(_COLUMNS, name, spoken) or name.replace("_", " ")


def table_word(name: str, spoken: str) -> str:
    """What a table is called; one without a word of its own is called as the database does."""
    return _said(_TABLES, name, spoken) or name.replace("_", " ")


def category_words(category: str, spoken: str) -> tuple[str, str]:
    """What a category is called, and what it is; one that is not known here is called by its own name."""
    place = LOCALES.index(spoken)
    return CATEGORIES[category][place] if category in CATEGORIES else (category, "")


def category_place(category: str) -> int:
    """Where a category stands among all that are listed; one that is not known here stands behind them."""
    return _PLACES.get(category, len(_PLACES))


def recipient(channel_kind: str, spoken: str) -> str:
    """Who runs a kind of channel, and so receives what goes through it."""
    return _said(_RECIPIENTS, channel_kind, spoken) or channel_kind


def authority(regime: str, country: str, spoken: str) -> tuple[str, str]:
    """To whom a person complains (LGPD art. 18 §1, GDPR art. 77), and where that one is found."""
    found = _AUTHORITIES.get("BR" if regime == "lgpd" else country)
    return found or (WORDS[spoken].any_authority, "https://www.edpb.europa.eu/about-edpb/about-edpb/members_en")


def proof_word(method: str, spoken: str) -> str:
    """How a person proved who he is."""
    return _said(_PROOFS, method, spoken) or method


def _said(words: Mapping[str, Sequence[str]], name: str, spoken: str) -> str | None:
    return words[name][LOCALES.index(spoken)] if name in words else None


_AUTHORITIES: Final = {
    "BR": ("Agência Nacional de Proteção de Dados (ANPD)", "https://www.gov.br/anpd"),
    "PT": ("Comissão Nacional de Proteção de Dados (CNPD)", "https://www.cnpd.pt"),
    "ES": ("Agencia Española de Protección de Datos (AEPD)", "https://www.aepd.es"),
    "FR": ("Commission nationale de l’informatique et des libertés (CNIL)", "https://www.cnil.fr"),
    "IE": ("Data Protection Commission (DPC)", "https://www.dataprotection.ie"),
    "LU": ("Commission nationale pour la protection des données (CNPD)", "https://cnpd.public.lu"),
}

_PROOFS: Final[Mapping[str, Sequence[str]]] = {
    "code": (
        "por um código enviado a um canal já conhecido",
        "por um código enviado a um canal já conhecido",
        "by a code sent to a channel that was on file",
        "con un código enviado a un canal ya conocido",
        "par un code envoyé à un canal déjà connu",
    ),
    "document": (
        "por documento",
        "por documento",
        "by a document",
        "con un documento",
        "par un document",
    ),
    "in_person": ("pessoalmente", "presencialmente", "in person", "en persona", "en personne"),
}

_RECIPIENTS: Final[Mapping[str, Sequence[str]]] = {
    "whatsapp": ("Meta Platforms (WhatsApp)",) * 5,
    "messenger": ("Meta Platforms (Messenger)",) * 5,
    "instagram": ("Meta Platforms (Instagram)",) * 5,
    "telegram": ("Telegram",) * 5,
    "web_chat": (
        "Nenhum terceiro no chat da página",
        "Nenhum terceiro no chat da página",
        "Nobody else in the chat on the page",
        "Ningún tercero en el chat de la página",
        "Aucun tiers dans le chat de la page",
    ),
}

CATEGORIES: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "contact.name": (
        ("Como você se chama", "O nome que você deu, ou que o canal informou."),
        ("Como se chama", "O nome que deu, ou que o canal indicou."),
        ("What you are called", "The name that you gave, or that the channel told."),
        ("Cómo se llama", "El nombre que usted dio o que indicó el canal."),
        ("Comment vous vous appelez", "Le nom que vous avez donné, ou que le canal a indiqué."),
    ),
    "contact.address": (
        ("Como falamos com você", "Números, endereços e nomes de usuário pelos quais um canal chega a você."),
        ("Como falamos consigo", "Números, endereços e nomes de utilizador pelos quais um canal chega a si."),
        ("How you are reached", "Numbers, addresses and handles by which a channel reaches you."),
        ("Cómo nos comunicamos con usted", "Números, direcciones y nombres de usuario por los que un canal le llega."),
        ("Comment on vous joint", "Numéros, adresses et identifiants par lesquels un canal vous atteint."),
    ),
    "contact.attributes": (
        ("O que foi anotado sobre você", "O que a equipe de atendimento registrou sobre você."),
        ("O que foi anotado sobre si", "O que a equipa de atendimento registou sobre si."),
        ("What was noted about you", "What the staff who serve you wrote down about you."),
        ("Lo que se anotó sobre usted", "Lo que el equipo de atención registró sobre usted."),
        ("Ce qui a été noté à votre sujet", "Ce que l’équipe qui vous répond a noté à votre sujet."),
    ),
    "message.content": (
        ("O que você escreveu e o que lhe foi escrito", "Mensagens, anexos, formulários e notas sobre as conversas."),
        ("O que escreveu e o que lhe foi escrito", "Mensagens, anexos, formulários e notas sobre as conversas."),
        ("What you wrote and what was written to you", "Messages, attachments, forms, and notes on conversations."),
        ("Lo que usted escribió y lo que se le escribió", "Mensajes, adjuntos, formularios y notas sobre las charlas."),
        ("Ce que vous avez écrit et ce qu’on vous a écrit", "Messages, pièces jointes, formulaires et notes."),
    ),
    "message.metadata": (
        ("O que os canais informaram junto", "O que o provedor do canal enviou além das suas mensagens."),
        ("O que os canais indicaram em conjunto", "O que o fornecedor do canal enviou além das suas mensagens."),
        ("What the channels told beside", "What a channel’s provider sent along with your messages."),
        ("Lo que los canales añadieron", "Lo que el proveedor del canal envió además de sus mensajes."),
        ("Ce que les canaux ont ajouté", "Ce que le fournisseur du canal a transmis avec vos messages."),
    ),
    "user.name": (
        ("Você como parte da equipe", "O nome e o endereço com que você trabalha aqui."),
        ("A sua conta na equipa", "O nome e o endereço com que trabalha aqui."),
        ("You as a member of the staff", "The name and address under which you work here."),
        ("Usted como parte del equipo", "El nombre y la dirección con que usted trabaja aquí."),
        ("Vous comme membre de l’équipe", "Le nom et l’adresse sous lesquels vous travaillez ici."),
    ),
    OTHER: (
        ("O que se refere a você", "Registros sem palavras suas: quando, por onde e em que estado."),
        ("O que se refere a si", "Registos sem palavras suas: quando, por onde e em que estado."),
        ("What refers to you", "Records without words of yours: when, by which way, and in which state."),
        ("Lo que se refiere a usted", "Registros sin palabras suyas: cuándo, por dónde y en qué estado."),
        ("Ce qui se rapporte à vous", "Des traces sans vos mots : quand, par quelle voie et dans quel état."),
    ),
}
"""Each category of personal data in words: what it is called, and what it is."""

_PLACES: Final = {category: place for place, category in enumerate(CATEGORIES)}

_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "id": ("código", "código", "id", "código", "identifiant"),
    "name": ("nome", "nome", "name", "nombre", "nom"),
    "label": ("nome", "nome", "label", "etiqueta", "libellé"),
    "email": ("e-mail", "e-mail", "e-mail", "correo electrónico", "e-mail"),
    "kind": ("tipo", "tipo", "kind", "tipo", "genre"),
    "value": ("endereço", "endereço", "address", "dirección", "adresse"),
    "attributes": ("anotações", "anotações", "what was noted", "anotaciones", "annotations"),
    "subject": ("assunto", "assunto", "subject", "asunto", "objet"),
    "labels": ("etiquetas", "etiquetas", "labels", "etiquetas", "étiquettes"),
    "priority": ("prioridade", "prioridade", "priority", "prioridad", "priorité"),
    "status": ("estado", "estado", "state", "estado", "état"),
    "state": ("estado", "estado", "state", "estado", "état"),
    "text": ("texto", "texto", "text", "texto", "texte"),
    "content": ("conteúdo", "conteúdo", "content", "contenido", "contenu"),
    "body": ("conteúdo recebido", "conteúdo recebido", "content as received", "contenido recibido", "contenu reçu"),
    "direction": ("direção", "direção", "direction", "dirección", "sens"),
    "emoji": ("reação", "reação", "reaction", "reacción", "réaction"),
    "seq": ("número", "número", "number", "número", "numéro"),
    "recipient": ("destinatário", "destinatário", "recipient", "destinatario", "destinataire"),
    "channel_kind": ("canal", "canal", "channel", "canal", "canal"),
    "locale": ("idioma", "idioma", "language", "idioma", "langue"),
    "pre_chat": ("antes do chat", "antes do chat", "before the chat", "antes del chat", "avant le chat"),
    "author_id": ("código de quem escreveu", "código de quem escreveu", "author’s id", "código de quien escribió",
                  "identifiant de l’auteur"),
    "contact_id": ("código do contato", "código do contacto", "contact’s id", "código del contacto",
                   "identifiant du contact"),
    "conversation_id": ("código da conversa", "código da conversa", "conversation’s id", "código de la conversación",
                        "identifiant de la conversation"),
    "created_at": ("criado em", "criado em", "created", "creado el", "créé le"),
    "updated_at": ("alterado em", "alterado em", "changed", "modificado el", "modifié le"),
    "sent_at": ("enviado em", "enviado em", "sent", "enviado el", "envoyé le"),
    "received_at": ("recebido em", "recebido em", "received", "recibido el", "reçu le"),
    "edited_at": ("editado em", "editado em", "edited", "editado el", "corrigé le"),
    "revoked_at": ("apagado em", "apagado em", "withdrawn", "retirado el", "retiré le"),
    "resolved_at": ("resolvido em", "resolvido em", "resolved", "resuelto el", "résolu le"),
    "reacted_at": ("reagiu em", "reagiu em", "reacted", "reaccionó el", "réagi le"),
    "happened_at": ("aconteceu em", "aconteceu em", "happened", "ocurrió el", "arrivé le"),
    "last_message_at": ("última mensagem", "última mensagem", "last message", "último mensaje", "dernier message"),
}  # fmt: skip

_TABLES: Final[Mapping[str, Sequence[str]]] = {
    "contacts": ("Contatos", "Contactos", "Contacts", "Contactos", "Contacts"),
    "contact_addresses": ("Endereços", "Endereços", "Addresses", "Direcciones", "Adresses"),
    "conversations": ("Conversas", "Conversas", "Conversations", "Conversaciones", "Conversations"),
    "messages": ("Mensagens", "Mensagens", "Messages", "Mensajes", "Messages"),
    "notes": ("Notas da equipe", "Notas da equipa", "Notes of the staff", "Notas del equipo", "Notes de l’équipe"),
    "reactions": ("Reações", "Reações", "Reactions", "Reacciones", "Réactions"),
    "raw_events": ("Como os canais entregaram", "Como os canais entregaram", "As the channels delivered it",
                   "Como lo entregaron los canales", "Tel que les canaux l’ont remis"),
    "sends": ("Envios", "Envios", "What was sent", "Envíos", "Envois"),
    "delivery_statuses": ("Entregas", "Entregas", "Deliveries", "Entregas", "Remises"),
    "chat_sessions": ("Visitas ao chat", "Visitas ao chat", "Visits to the chat", "Visitas al chat",
                      "Visites au chat"),
    "chat_messages": ("Mensagens do chat", "Mensagens do chat", "Messages of the chat", "Mensajes del chat",
                      "Messages du chat"),
    "cases": ("Atendimentos", "Atendimentos", "Cases", "Atenciones", "Prises en charge"),
    "offers": ("Atendimentos oferecidos", "Atendimentos oferecidos", "Cases offered", "Atenciones ofrecidas",
               "Prises en charge proposées"),
    "agents": ("Atendentes", "Assistentes", "Agents", "Agentes", "Agents"),
    "users": ("Usuários", "Utilizadores", "Users", "Usuarios", "Utilisateurs"),
    "api_keys": ("Chaves de acesso", "Chaves de acesso", "API keys", "Claves de acceso", "Clés d’accès"),
    "facts": ("Fatos medidos", "Factos medidos", "Facts measured", "Hechos medidos", "Faits mesurés"),
    "subjects": ("Registro de titulares", "Registo de titulares", "Register of data subjects",
                 "Registro de interesados", "Registre des personnes"),
    "requests": ("Pedidos de privacidade", "Pedidos de privacidade", "Privacy requests", "Solicitudes de privacidad",
                 "Demandes de confidentialité"),
    "audit_entries": ("Registro de auditoria", "Registo de auditoria", "Audit trail", "Registro de auditoría",
                      "Journal d’audit"),
}  # fmt: skip

_GDPR_EN: Final = (
    "to know whether data about you are held, and to get a copy of them (art. 15)",
    "to have wrong data put right, and incomplete ones completed (art. 16)",
    "to have data erased (art. 17)",
    "to have their use restricted (art. 18)",
    "to get what you provided in a format that a machine reads, or to have it passed on (art. 20)",
    "to object to their use, and to marketing at any time (art. 21)",
    "not to be decided about by machines alone (art. 22)",
    "to withdraw a consent at any time, as easily as you gave it (art. 7)",
    "to complain to the authority (art. 77)",
)
_LGPD_EN: Final = (
    "to know whether data about you are held, and to see them (art. 18, I and II)",
    "to have wrong, incomplete or outdated data put right (art. 18, III)",
    "to have what is unnecessary, excessive or unlawful anonymised, blocked or deleted (art. 18, IV)",
    "to take your data to another provider (art. 18, V)",
    "to have deleted what is held by your consent (art. 18, VI)",
    "to know with whom your data were shared (art. 18, VII)",
    "to know that you can refuse a consent, and what follows from it (art. 18, VIII)",
    "to withdraw a consent at any time (art. 18, IX)",
    "to have a decision that a machine took alone looked at again (art. 20)",
    "to complain to the authority and to consumer protection (art. 18, §§ 1 and 8)",
)
_LGPD_PT: Final = (
    "saber se há dados seus e ter acesso a eles (art. 18, I e II)",
    "corrigir dados incompletos, inexatos ou desatualizados (art. 18, III)",
    "anonimizar, bloquear ou eliminar o que for desnecessário, excessivo ou contrário à lei (art. 18, IV)",
    "levar os seus dados a outro fornecedor (art. 18, V)",
    "eliminar o que é tratado com o seu consentimento (art. 18, VI)",
    "saber com quem os seus dados foram compartilhados (art. 18, VII)",
    "saber que pode não consentir e quais são as consequências (art. 18, VIII)",
    "revogar o consentimento a qualquer momento (art. 18, IX)",
    "pedir a revisão de decisões tomadas só por máquinas (art. 20)",
    "reclamar à autoridade e aos órgãos de defesa do consumidor (art. 18, §§ 1º e 8º)",
)
_GDPR_PT: Final = (
    "saber se há dados seus e obter uma cópia (art. 15.º)",
    "corrigir dados inexatos e completar os incompletos (art. 16.º)",
    "apagar dados (art. 17.º)",
    "limitar o seu tratamento (art. 18.º)",
    "receber o que forneceu num formato de leitura automática, ou fazê-lo transmitir (art. 20.º)",
    "opor-se ao tratamento, e a qualquer momento ao marketing (art. 21.º)",
    "não ficar sujeito a decisões tomadas só por máquinas (art. 22.º)",
    "retirar o consentimento a qualquer momento, tão facilmente como o deu (art. 7.º)",
    "apresentar reclamação à autoridade (art. 77.º)",
)
_LGPD_ES: Final = (
    "saber si hay datos suyos y acceder a ellos (art. 18, I y II)",
    "corregir datos incompletos, inexactos o desactualizados (art. 18, III)",
    "anonimizar, bloquear o eliminar lo innecesario, excesivo o contrario a la ley (art. 18, IV)",
    "llevar sus datos a otro proveedor (art. 18, V)",
    "eliminar lo que se trata con su consentimiento (art. 18, VI)",
    "saber con quién se compartieron sus datos (art. 18, VII)",
    "saber que puede no consentir y qué consecuencias tiene (art. 18, VIII)",
    "revocar el consentimiento en cualquier momento (art. 18, IX)",
    "pedir que se revisen decisiones tomadas solo por máquinas (art. 20)",
    "reclamar ante la autoridad y la defensa del consumidor (art. 18, §§ 1 y 8)",
)
_GDPR_ES: Final = (
    "saber si hay datos suyos y obtener una copia (art. 15)",
    "corregir datos inexactos y completar los incompletos (art. 16)",
    "suprimir datos (art. 17)",
    "limitar su tratamiento (art. 18)",
    "recibir lo que facilitó en un formato de lectura mecánica, o hacerlo transmitir (art. 20)",
    "oponerse al tratamiento, y en todo momento a la mercadotecnia (art. 21)",
    "no ser objeto de decisiones tomadas solo por máquinas (art. 22)",
    "retirar el consentimiento en cualquier momento, con la misma facilidad con que lo dio (art. 7)",
    "reclamar ante la autoridad (art. 77)",
)
_LGPD_FR: Final = (
    "savoir si des données vous concernant sont détenues, et y accéder (art. 18, I et II)",
    "faire corriger les données incomplètes, inexactes ou dépassées (art. 18, III)",
    "faire anonymiser, bloquer ou supprimer l’inutile, l’excessif ou l’illégal (art. 18, IV)",
    "emporter vos données chez un autre fournisseur (art. 18, V)",
    "faire supprimer ce qui est traité avec votre consentement (art. 18, VI)",
    "savoir avec qui vos données ont été partagées (art. 18, VII)",
    "savoir que vous pouvez refuser de consentir, et ce qui s’ensuit (art. 18, VIII)",
    "retirer votre consentement à tout moment (art. 18, IX)",
    "faire revoir une décision prise par une machine seule (art. 20)",
    "vous plaindre à l’autorité et à la protection des consommateurs (art. 18, §§ 1 et 8)",
)
_GDPR_FR: Final = (
    "savoir si des données vous concernant sont détenues, et en obtenir une copie (art. 15)",
    "faire rectifier les données inexactes et compléter les incomplètes (art. 16)",
    "faire effacer des données (art. 17)",
    "faire limiter leur traitement (art. 18)",
    "recevoir ce que vous avez fourni dans un format lisible par machine, ou le faire transmettre (art. 20)",
    "vous opposer à leur traitement, et à tout moment à la prospection (art. 21)",
    "ne pas faire l’objet d’une décision prise par une machine seule (art. 22)",
    "retirer un consentement à tout moment, aussi simplement que vous l’avez donné (art. 7)",
    "vous plaindre à l’autorité (art. 77)",
)

_LAWS_PT: Final = {
    "lgpd": "Lei Geral de Proteção de Dados (LGPD, Lei n.º 13.709/2018)",
    "gdpr": "Regulamento Geral sobre a Proteção de Dados (RGPD, Regulamento (UE) 2016/679)",
}

WORDS: Final[Mapping[str, Words]] = {
    "pt-BR": Words(
        title="Seus dados pessoais",
        introduction=(
            "Isto é tudo o que {controller} guarda sobre você no Balcão, o sistema com que atende você. O mesmo "
            "está, para ser lido por programas, no arquivo data.json."
        ),
        controller="Quem responde pelos dados",
        country="País",
        law="Lei",
        laws=_LAWS_PT,
        request="Número do pedido",
        right="Direito exercido",
        received="Pedido recebido em",
        proof="Identidade confirmada",
        made="Pacote feito em",
        contents="O que está aqui",
        rows="linhas: {count}",
        no_rows="Nada foi encontrado sobre você.",
        yes="sim",
        no="não",
        origin_heading="De onde vêm os dados",
        origin=(
            "De você mesmo, pelos canais em que escreveu; do provedor de cada canal, que informa por exemplo o "
            "nome do perfil e as entregas; e da equipe de {controller}, que responde e anota."
        ),
        recipients_heading="Quem os recebe",
        recipients="A equipe de {controller}",
        rights_heading="Os seus direitos",
        rights={"lgpd": _LGPD_PT, "gdpr": _GDPR_PT},
        authority_heading="Onde reclamar",
        any_authority="a autoridade de proteção de dados do seu país",
        ask_heading="O que perguntar a quem responde pelos dados",
        ask=(
            "Para que os dados são usados, com que base legal, por quanto tempo são guardados e a quem mais são "
            "entregues, quem decide é {controller}: pergunte a eles."
        ),
        zone="Horários em {zone}.",
        access="Acesso aos dados",
    ),
    "pt-PT": Words(
        title="Os seus dados pessoais",
        introduction=(
            "Isto é tudo o que {controller} guarda sobre si no Balcão, o sistema com que o atende. O mesmo está, "
            "para ser lido por programas, no ficheiro data.json."
        ),
        controller="Quem responde pelos dados",
        country="País",
        law="Lei",
        laws=_LAWS_PT,
        request="Número do pedido",
        right="Direito exercido",
        received="Pedido recebido em",
        proof="Identidade confirmada",
        made="Pacote feito em",
        contents="O que está aqui",
        rows="linhas: {count}",
        no_rows="Nada foi encontrado sobre si.",
        yes="sim",
        no="não",
        origin_heading="De onde vêm os dados",
        origin=(
            "De si próprio, pelos canais em que escreveu; do fornecedor de cada canal, que indica por exemplo o "
            "nome do perfil e as entregas; e da equipa de {controller}, que responde e anota."
        ),
        recipients_heading="Quem os recebe",
        recipients="A equipa de {controller}",
        rights_heading="Os seus direitos",
        rights={"lgpd": _LGPD_PT, "gdpr": _GDPR_PT},
        authority_heading="Onde reclamar",
        any_authority="a autoridade de proteção de dados do seu país",
        ask_heading="O que perguntar a quem responde pelos dados",
        ask=(
            "Para que servem os dados, com que fundamento legal, durante quanto tempo são guardados e a quem mais"
            " são entregues, quem decide é {controller}: pergunte-lhes."
        ),
        zone="Horas em {zone}.",
        access="Acesso aos dados",
    ),
    "en": Words(
        title="Your personal data",
        introduction=(
            "This is all that {controller} holds about you in Balcão, the system with which you are served. The "
            "same stands in the file data.json, to be read by programs."
        ),
        controller="Who is responsible for the data",
        country="Country",
        law="Law",
        laws={
            "lgpd": "Brazil’s General Data Protection Law (LGPD, Lei 13.709/2018)",
            "gdpr": "General Data Protection Regulation (GDPR, Regulation (EU) 2016/679)",
        },
        request="Number of the request",
        right="Right",
        received="Request received",
        proof="Identity confirmed",
        made="Package made",
        contents="What is here",
        rows="rows: {count}",
        no_rows="Nothing was found about you.",
        yes="yes",
        no="no",
        origin_heading="Where the data come from",
        origin=(
            "From yourself, through the channels in which you wrote; from each channel’s provider, who tells for "
            "example the name of your profile and what was delivered; and from the staff of {controller}, who "
            "answer and take notes."
        ),
        recipients_heading="Who receives them",
        recipients="The staff of {controller}",
        rights_heading="Your rights",
        rights={"lgpd": _LGPD_EN, "gdpr": _GDPR_EN},
        authority_heading="Where to complain",
        any_authority="the data protection authority of your country",
        ask_heading="What to ask who is responsible",
        ask=(
            "What the data are used for, on which legal basis, how long they are kept and who else is given them "
            "is decided by {controller}: ask them."
        ),
        zone="Times are those of {zone}.",
        access="Access to the data",
    ),
    "es": Words(
        title="Sus datos personales",
        introduction=(
            "Esto es todo lo que {controller} guarda sobre usted en Balcão, el sistema con que le atiende. Lo "
            "mismo está en el archivo data.json, para que lo lean programas."
        ),
        controller="Quién responde por los datos",
        country="País",
        law="Ley",
        laws={
            "lgpd": "Ley General de Protección de Datos de Brasil (LGPD, Lei 13.709/2018)",
            "gdpr": "Reglamento General de Protección de Datos (RGPD, Reglamento (UE) 2016/679)",
        },
        request="Número de la solicitud",
        right="Derecho ejercido",
        received="Solicitud recibida",
        proof="Identidad confirmada",
        made="Paquete hecho",
        contents="Lo que hay aquí",
        rows="filas: {count}",
        no_rows="No se encontró nada sobre usted.",
        yes="sí",
        no="no",
        origin_heading="De dónde vienen los datos",
        origin=(
            "De usted, por los canales en que escribió; del proveedor de cada canal, que indica por ejemplo el "
            "nombre del perfil y las entregas; y del equipo de {controller}, que responde y anota."
        ),
        recipients_heading="Quién los recibe",
        recipients="El equipo de {controller}",
        rights_heading="Sus derechos",
        rights={"lgpd": _LGPD_ES, "gdpr": _GDPR_ES},
        authority_heading="Dónde reclamar",
        any_authority="la autoridad de protección de datos de su país",
        ask_heading="Qué preguntar a quien responde por los datos",
        ask=(
            "Para qué se usan los datos, con qué base legal, cuánto tiempo se guardan y a quién más se entregan "
            "lo decide {controller}: pregúntele."
        ),
        zone="Horas de {zone}.",
        access="Acceso a los datos",
    ),
    "fr": Words(
        title="Vos données personnelles",
        introduction=(
            "Voici tout ce que {controller} détient à votre sujet dans Balcão, le système avec lequel on vous "
            "répond. La même chose se trouve dans le fichier data.json, pour être lue par des programmes."
        ),
        controller="Qui répond des données",
        country="Pays",
        law="Loi",
        laws={
            "lgpd": "Loi générale de protection des données du Brésil (LGPD, Lei 13.709/2018)",
            "gdpr": "Règlement général sur la protection des données (RGPD, Règlement (UE) 2016/679)",
        },
        request="Numéro de la demande",
        right="Droit exercé",
        received="Demande reçue le",
        proof="Identité confirmée",
        made="Dossier établi le",
        contents="Ce qui se trouve ici",
        rows="lignes : {count}",
        no_rows="Rien n’a été trouvé à votre sujet.",
        yes="oui",
        no="non",
        origin_heading="D’où viennent les données",
        origin=(
            "De vous-même, par les canaux où vous avez écrit ; du fournisseur de chaque canal, qui indique par "
            "exemple le nom du profil et les remises ; et de l’équipe de {controller}, qui répond et prend des "
            "notes."
        ),
        recipients_heading="Qui les reçoit",
        recipients="L’équipe de {controller}",
        rights_heading="Vos droits",
        rights={"lgpd": _LGPD_FR, "gdpr": _GDPR_FR},
        authority_heading="Où vous plaindre",
        any_authority="l’autorité de protection des données de votre pays",
        ask_heading="Ce qu’il faut demander à qui répond des données",
        ask=(
            "À quoi servent les données, sur quelle base légale, combien de temps elles sont gardées et à qui "
            "d’autre elles sont remises, c’est {controller} qui en décide : demandez-lui."
        ),
        zone="Heures de {zone}.",
        access="Accès aux données",
    ),
}
"""By language."""
