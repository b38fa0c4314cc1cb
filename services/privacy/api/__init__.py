"""Privacy by API: registers, what persons ask for, the audit trail, and the packages that they take."""

from services.privacy.api.audit import audit
from services.privacy.api.deposits import deposits
from services.privacy.api.furnishing import furnish
from services.privacy.api.own_requests import own_requests
from services.privacy.api.packages import downloads, own_packages, packages
from services.privacy.api.registers import privacy
from services.privacy.api.requests import requests

__all__ = [
    "audit",
    "deposits",
    "downloads",
    "furnish",
    "own_packages",
    "own_requests",
    "packages",
    "privacy",
    "requests",
]
