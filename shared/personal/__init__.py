"""What is personal, who may read it, and how it is kept from everyone else."""

from shared.personal.blind_index import BlindIndex
from shared.personal.declarations import (
    REFERENCES,
    About,
    NotPersonal,
    Personal,
    Plain,
    Via,
    about,
    about_nobody,
    about_of,
    at,
    misdeclared_tables,
    not_personal,
    personal,
    personal_columns,
    personal_fields,
    secret,
    undeclared_columns,
    undeclared_fields,
)
from shared.personal.redaction import is_personal_name, redact
from shared.personal.sealing import SealBrokenError, Sealer

__all__ = [
    "REFERENCES",
    "About",
    "BlindIndex",
    "NotPersonal",
    "Personal",
    "Plain",
    "SealBrokenError",
    "Sealer",
    "Via",
    "about",
    "about_nobody",
    "about_of",
    "at",
    "is_personal_name",
    "misdeclared_tables",
    "not_personal",
    "personal",
    "personal_columns",
    "personal_fields",
    "redact",
    "secret",
    "undeclared_columns",
    "undeclared_fields",
]
