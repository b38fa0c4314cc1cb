"""The shapes that privacy's API gives."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field


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
