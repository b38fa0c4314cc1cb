"""Privacy's tables: data subjects, the regime each tenant is under, who may look, and what persons asked for."""

from services.privacy.models.evidence import AuditEntry, AuditSeal, DepositPart, DepositTask, Package
from services.privacy.models.registers import AccessGrant, Subject, SubjectIdentifier, Tenant
from services.privacy.models.requests import PrivacySettings, ProofCode, Request
from services.privacy.models.tables import Table

__all__ = [
    "AccessGrant",
    "AuditEntry",
    "AuditSeal",
    "DepositPart",
    "DepositTask",
    "Package",
    "PrivacySettings",
    "ProofCode",
    "Request",
    "Subject",
    "SubjectIdentifier",
    "Table",
    "Tenant",
]
