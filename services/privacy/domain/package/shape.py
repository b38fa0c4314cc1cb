"""What stands in a package's `data.json`, as it is published for whoever reads one with a machine."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

SCHEMA: Final = "balcao-access-package-1"
"""Names this shape: another one has another number."""


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Controller(_Shape):
    """Who decides about the data."""

    name: str
    country: str = Field(description="ISO 3166-1 alpha-2.")
    regime: str = Field(description="The law: `lgpd` or `gdpr`.")


class Proof(_Shape):
    """How it was made sure that the person is who he says."""

    method: str = Field(examples=["code", "document", "in_person"])
    proved_at: datetime


class Request(_Shape):
    """What was asked for."""

    id: UUID
    right: str
    received_at: datetime
    proof: Proof | None = Field(description="Null where none was noted.")


class Category(_Shape):
    """A category of personal data that is held, in words."""

    category: str
    name: str
    explanation: str


class Authority(_Shape):
    """To whom the person can complain."""

    name: str
    url: str


class About(_Shape):
    """What the law wants to be told beside the data, in the person's language."""

    language: str = Field(description="BCP 47.")
    categories: list[Category]
    origin: str
    recipients: list[str]
    whom_to_ask: str = Field(description="About what Balcão does not know: purposes, legal bases, how long it is kept.")
    rights: list[str]
    authority: Authority


class AccessPackage(_Shape):
    """All that the services hold about a person, row by row, as they keep it; times are in UTC."""

    model_config = ConfigDict(title="Access package")

    schema_: Literal["balcao-access-package-1"] = Field(SCHEMA, alias="schema")
    controller: Controller
    request: Request
    about: About
    services: dict[str, dict[str, list[dict[str, Any]]]] = Field(
        description="By service and table the rows: each column with its value. A table without rows held nothing."
    )


def json_schema() -> dict[str, Any]:
    """The published schema of `data.json` (JSON Schema 2020-12)."""
    schema = AccessPackage.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
