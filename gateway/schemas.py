"""The shapes that the gateway's own API takes and gives."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, Field, SecretStr, StrictBool, StringConstraints

from gateway.domain import COUNTRIES, LONGEST_PASSWORD, SCOPES, SHORTEST_PASSWORD, Role, is_common, normal_email
from gateway.routes import RESERVED_SLUGS
from shared.http import Body, Moment, Present, Words

# Not zones, but what a system's files of zones hold besides.
_ZONES = frozenset(available_timezones() - {"Factory", "localtime", "posixrules"})


def _known_zone(value: str) -> str:
    if value not in _ZONES:
        raise ValueError("must be a time zone of the IANA database")
    return value


def _known_country(value: str) -> str:
    if value not in COUNTRIES:
        raise ValueError("must be a country code of ISO 3166-1 alpha-2")
    return value


def _to_come(value: datetime) -> datetime:
    if value <= datetime.now(UTC):
        raise ValueError("must be a time to come")
    return value


def _known_scope(value: str) -> str:
    if value not in SCOPES:
        raise ValueError("must be a known scope")
    return value


def _unreserved(value: str) -> str:
    if value in RESERVED_SLUGS:
        raise ValueError("must be none that is reserved")
    return value


def _uncommon(value: SecretStr) -> SecretStr:
    if is_common(value.get_secret_value()):
        raise ValueError("must not be among the commonest")
    return value


Name = Annotated[Words, StringConstraints(min_length=1, max_length=200)]
TimeZone = Annotated[str, AfterValidator(_known_zone), Field(examples=["America/Sao_Paulo"])]
Locale = Literal["pt-BR", "pt-PT", "en", "es", "fr"]
Scope = Annotated[str, AfterValidator(_known_scope)]
Email = Annotated[
    Words,
    # As long as RFC 5321 lets an address be; whether it is anybody's, only a message to it would tell.
    StringConstraints(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$"),
    AfterValidator(normal_email),
    Field(examples=["joana@padaria.example"]),
]
Password = Annotated[
    SecretStr,
    Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD, examples=["pão quente às sete"]),
    AfterValidator(_uncommon),
]


class NewTenant(Body):
    name: Name = Field(examples=["Padaria do Largo"])
    slug: Annotated[
        str, StringConstraints(pattern=r"^[a-z0-9](-?[a-z0-9])*$", max_length=60), AfterValidator(_unreserved)
    ] = Field(description="Its name in addresses; some are reserved. It stays as it is.", examples=["padaria-do-largo"])
    country: Annotated[str, AfterValidator(_known_country)] = Field(description="ISO 3166-1 alpha-2.", examples=["BR"])
    time_zone: TimeZone
    locale: Locale = Field(examples=["pt-BR"])
    legal_regime: Literal["lgpd", "gdpr"] = Field(examples=["lgpd"])
    role: Literal["controller", "operator"] = Field(
        description="Whether it decides about the data itself, or works on behalf of another.", examples=["controller"]
    )


class TenantChange(Body):
    name: Present[Name] = Field(None, examples=["Padaria do Largo"])
    time_zone: Present[TimeZone] = None
    locale: Present[Locale] = None


class TenantShown(BaseModel):
    id: UUID
    name: str
    slug: str
    country: str
    time_zone: str
    locale: str
    legal_regime: str
    role: str
    created_at: datetime
    updated_at: datetime


class NewApiKey(Body):
    label: Name = Field(description="Whose it is or what for.", examples=["CRM"])
    role: Role = Field(examples=["integration"])
    scopes: list[Scope] | None = Field(
        None, max_length=50, description="Less than the role allows; left out, all of it.", examples=[["contacts:read"]]
    )
    expires_at: Annotated[Moment, AfterValidator(_to_come)] | None = Field(None, description="Left out, it does not.")
    user_id: UUID | None = Field(None, description="The user as whom it calls; left out, it calls as itself.")


class ApiKeyShown(BaseModel):
    id: UUID
    user_id: UUID | None
    label: str
    role: Role
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewApiKeyShown(ApiKeyShown):
    key: str = Field(description="Shown this once.", examples=["blc_AZCyI…"])


class NewTenantShown(TenantShown):
    admin_key: NewApiKeyShown


class NewUser(Body):
    name: Name = Field(examples=["Joana Prado"])
    email: Email
    role: Role = Field(examples=["agent"])
    password: Password | None = Field(None, description="Left out, he cannot log in until he is given one.")


class UserChange(Body):
    name: Present[Name] = Field(None, examples=["Joana Prado"])
    role: Present[Role] = None
    active: Present[StrictBool] = None
    password: Present[Password] = None


class UserShown(BaseModel):
    id: UUID
    name: str
    email: str
    role: Role
    active: bool
    created_at: datetime
    updated_at: datetime


class Credentials(Body):
    email: Email
    password: SecretStr = Field(min_length=1, max_length=LONGEST_PASSWORD, examples=["pão quente às sete"])
    tenant_slug: Annotated[Words, StringConstraints(min_length=1, max_length=60)] | None = Field(
        None,
        description="Which tenant is meant; needed by who has the same address and password at several.",
        examples=["padaria-do-largo"],
    )


class AccessTokenShown(BaseModel):
    access_token: str = Field(examples=["eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9…"])
    token_type: Literal["Bearer"] = Field("Bearer", description="As in RFC 6750.")
    expires_in: int = Field(description="Seconds.", examples=[3600])
    user: UserShown
