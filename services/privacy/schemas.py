"""The shapes that privacy's API takes and gives."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints, model_validator

from services.privacy.domain.identity import ReachedOn, is_phone
from services.privacy.domain.requests import Ending, Outcome, Right, State
from shared.http import Body, Words
from shared.personal.declarations import CATEGORIES


class RegisterShown(BaseModel):
    legal_regime: str = Field(examples=["lgpd"])
    role: str = Field(examples=["controller"])
    country: str = Field(examples=["BR"])
    time_zone: str = Field(examples=["America/Sao_Paulo"])
    subject_count: int = Field(description="Persons of whom data is held.")


class AccessGrantShown(BaseModel):
    api_key_id: UUID
    label: str
    role: str
    scopes: list[str]
    granted_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class AuditEntryShown(BaseModel):
    seq: int = Field(description="Its number within the tenant's trail, from 1 on without a gap.")
    at: datetime
    actor: str = Field(
        description="The id of a user or an API key; else `subject`, `privacy` or `service:<name>`.",
        examples=["subject"],
    )
    action: str = Field(examples=["package_delivered"])
    request_id: UUID | None
    subject_id: UUID | None
    details: dict[str, str | int | bool | None]
    hash: str = Field(description="SHA-256 in hexadecimal over the hash of the entry before it and the entry.")


class ChainHeadShown(BaseModel):
    seq: int
    hash: str


class ChainBreakShown(BaseModel):
    seq: int
    why: str = Field(
        description="`missing`, `changed`, `not in line` (it does not follow the one before), `not as noted`, "
        "`not as sealed` or `not sealed`.",
        examples=["changed"],
    )


class ChainVerificationShown(BaseModel):
    valid: bool
    entries: int = Field(description="How many stand as they were written, counted from the first.")
    head: ChainHeadShown | None = Field(description="The last of them.")
    broken_at: ChainBreakShown | None


class TableGivenShown(BaseModel):
    rows: int
    categories: dict[str, str] = Field(
        description="The personal columns, each with its category.", examples=[{"text": "message.content"}]
    )


class DepositShown(BaseModel):
    service: str = Field(examples=["conversation"])
    state: str = Field(description="`waiting` or `complete`.", examples=["complete"])
    asked_at: datetime
    completed_at: datetime | None
    parts: int | None = Field(description="How many sealed parts it handed over.")
    tables: dict[str, TableGivenShown]
    sha256: str | None = Field(description="Over the SHA-256 of each sealed part, in their order; in hexadecimal.")


class EvidenceShown(BaseModel):
    request_id: UUID
    services: list[DepositShown]


class PackageLinkShown(BaseModel):
    url: str = Field(description="Opens the package once.", examples=["/v1/public/padaria/privacy/requests/0197…"])
    expires_at: datetime


Locale = Literal["pt-BR", "pt-PT", "en", "es", "fr"]
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,29}$")]
Reason = Annotated[Words, StringConstraints(min_length=3, max_length=1000)]
Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
Told = Annotated[Words, StringConstraints(max_length=4000)]


def _is_category(name: str) -> str:
    if name not in CATEGORIES:
        raise ValueError("is no category of personal data")
    return name


def _once_each(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


Category = Annotated[str, AfterValidator(_is_category), Field(json_schema_extra={"enum": sorted(CATEGORIES)})]
Scope = Annotated[list[Category], Field(max_length=len(CATEGORIES)), AfterValidator(_once_each)]


class Identifier(Body):
    kind: Kind = Field(description="`phone`, `email`, or a channel's own kind of address.", examples=["phone"])
    value: Annotated[Words, StringConstraints(min_length=1, max_length=254)] = Field(
        description="A phone number has its country code.", examples=["+55 11 98765-4321"]
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if is_phone(self.kind) and not 8 <= sum(one in "0123456789" for one in self.value) <= 15:
            raise ValueError("a phone number has 8 to 15 digits with its country code")
        return self


class AskedFor(Body):
    """What every request tells."""

    identifiers: list[Identifier]
    type: Right = Field(description="The right that is asked for.", examples=["access"])
    contact_channel: ReachedOn | UUID | None = Field(
        None,
        description="The kind or id of the channel on which the person wants to be told, where it is on file.",
        examples=["whatsapp"],
    )
    scope: Scope = Field([], description="The categories that it is about; none means all.", examples=[[]])
    text: Told | None = Field(
        None, description="In the person's own words.", examples=["Quero uma cópia dos meus dados."]
    )
    locale: Locale | None = Field(None, description="The person's; else the tenant's.", examples=["pt-BR"])


class NewPublicRequest(AskedFor):
    identifiers: list[Identifier] = Field(
        min_length=1,
        max_length=5,
        description="By what the person is known. Codes go to addresses on file alone.",
        examples=[[{"kind": "phone", "value": "+55 11 98765-4321"}]],
    )


class NewRequest(AskedFor):
    """For whom: exactly one of `identifiers`, `contact_id` and `user_id`."""

    identifiers: list[Identifier] = Field(
        [], max_length=5, description="By what the person is known.", examples=[[{"kind": "email", "value": "a@b.pt"}]]
    )
    contact_id: UUID | None = Field(None, examples=[None])
    user_id: UUID | None = Field(None, description="A member of the tenant's staff.", examples=[None])

    @model_validator(mode="after")
    def _is_for_one(self) -> Self:
        if sum((bool(self.identifiers), self.contact_id is not None, self.user_id is not None)) != 1:
            raise ValueError("must have exactly one of identifiers, contact_id and user_id")
        return self


class RequestTaken(BaseModel):
    id: UUID
    tracking_token: str = Field(description="Lets the person follow the request; it is told only here.")
    state: State
    due_at: datetime
    legal_latest_at: datetime
    proof_until: datetime = Field(description="Until when the person can prove who he is.")


class CodeGiven(Body):
    code: Code = Field(description="As it came to an address on file.", examples=["073519"])


class PersonNamed(Body):
    """Whom a request means, where no code has shown it: at most one of `contact_id` and `user_id`."""

    contact_id: UUID | None = Field(None, examples=["019aa0b6-7b80-7000-8000-000000000009"])
    user_id: UUID | None = Field(None, description="A member of the tenant's staff.", examples=[None])

    @model_validator(mode="after")
    def _is_one_person(self) -> Self:
        if self.contact_id is not None and self.user_id is not None:
            raise ValueError("must have at most one of contact_id and user_id")
        return self

    @property
    def named(self) -> tuple[str, UUID] | None:
        """The kind and the id of who is named."""
        if self.contact_id is not None:
            return "contact", self.contact_id
        return ("user", self.user_id) if self.user_id is not None else None


class ProofGiven(PersonNamed):
    """Either the code that the person was sent, or how the DPO has seen who he is, and whom that means."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "073519"}]})

    code: Code | None = Field(None, examples=["073519"])
    method: Literal["document", "in_person"] | None = Field(
        None, description="Needs `privacy:write`; the method and the time are all that is kept.", examples=[None]
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.code is None) == (self.method is None):
            raise ValueError("must have exactly one of code and method")
        if self.code is not None and self.named is not None:
            raise ValueError("must name nobody beside a code, which shows who is meant")
        return self


class ReasonGiven(Body):
    reason: Reason = Field(
        description="Told to the person as it stands.", examples=["O pedido não diz respeito aos seus próprios dados."]
    )


class ExtensionGiven(ReasonGiven):
    told_by: Literal["letter", "telephone", "in_person"] | None = Field(
        None, description="How the DPO has told it to the person himself; else a notice does.", examples=[None]
    )


class CompletionGiven(Body):
    outcome: Outcome = Field(examples=["done"])
    note: Annotated[Words, StringConstraints(max_length=1000)] | None = Field(
        None, description="Told to the person as it stands.", examples=["O e-mail foi corrigido."]
    )


class AuthorityShown(BaseModel):
    name: str = Field(examples=["ANPD"])
    url: str


class FollowedRequest(BaseModel):
    """How far a request has come."""

    id: UUID
    type: Right
    state: State
    received_at: datetime
    proof_until: datetime = Field(description="Until when the person can prove who he is.")
    due_at: datetime = Field(description="By when Balcão wants it answered.")
    legal_latest_at: datetime = Field(description="By when the law does: put off by a weekend or public holiday.")
    overdue: bool
    extended_at: datetime | None
    extension_reason: str | None
    answered_at: datetime | None = Field(description="Since when the package can be taken: nothing is late any more.")
    outcome: Ending | None = Field(
        description="`not_taken` where nobody came for the package.",
        examples=["data_held", "done", "done_with_exemptions", "no_data", "not_taken"],
    )
    reason: str | None = Field(description="Why it was rejected, or what is told of how it ended.")
    controller: str | None = Field(description="Who decides, where the tenant only works for him.")
    authority: AuthorityShown | None = Field(description="Where the person can complain, once it is settled.")
    settled_at: datetime | None


class RequestListed(FollowedRequest):
    origin: Literal["public", "staff"]
    identifiers: list[dict[str, str]]
    contact_channel: str | None
    scope: list[str]
    text: str | None
    locale: str | None
    subject_ids: list[UUID] = Field(description="The contacts or the user that are meant; none while nobody is found.")
    proven_by: str | None = Field(examples=["code", "document", "in_person"])
    proven_at: datetime | None
    rule_id: str = Field(description="By which rule the deadline is counted.", examples=["lgpd.art-19-ii"])
    calendar_version: str = Field(description="Which public holidays were known.", examples=["holidays 0.109"])
    inputs: dict[str, Any] = Field(description="From what the deadline was counted.")
    silent: list[str] = Field(description="The services that have not handed over what they hold.")
    changed_at: datetime


class Step(BaseModel):
    at: datetime
    actor: str
    action: str
    details: dict[str, str | int | bool | None]


class RequestShown(RequestListed):
    history: list[Step] = Field(description="What was done for it, oldest first.")


class SettingsGiven(Body):
    small_agent: StrictBool = Field(
        description="A small agent as of Resolution CD/ANPD 2/2022 has twice the time.", examples=[False]
    )
    controller: Annotated[Words, StringConstraints(min_length=1, max_length=300)] | None = Field(
        None,
        description="For an operator: for whom it works and how he is reached, as persons are told it.",
        examples=["Clínica Sol, privacidade@clinicasol.example"],
    )


class SettingsShown(BaseModel):
    small_agent: bool
    controller: str | None
