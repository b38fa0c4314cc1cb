"""What is personal, who may read it, and how it is kept from everyone else."""

from shared.personal.blind_index import BlindIndex
from shared.personal.declarations import (
    NotPersonal,
    Personal,
    Plain,
    not_personal,
    personal,
    personal_columns,
    personal_fields,
    undeclared_columns,
    undeclared_fields,
)
from shared.personal.redaction import is_personal_name, redact
from shared.personal.sealing import SealBrokenError, Sealer

__all__ = [
    "BlindIndex",
    "NotPersonal",
    "Personal",
    "Plain",
    "SealBrokenError",
    "Sealer",
    "is_personal_name",
    "not_personal",
    "personal",
    "personal_columns",
    "personal_fields",
    "redact",
    "undeclared_columns",
    "undeclared_fields",
]
