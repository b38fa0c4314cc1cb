"""What privacy does: with what it hears, with what persons ask for, and when its jobs are due."""

from services.privacy.handlers.audit import PRIVACY, SEALING, SUBJECT, SealAuditChain, verify_chain
from services.privacy.handlers.collection import CollectionTimedOut, name_the_silent
from services.privacy.handlers.deadlines import NearDeadline, near_deadline
from services.privacy.handlers.decisions import approve, complete, extend, reject, retry, withdraw
from services.privacy.handlers.deposits import find_key, open_deposit, take_deposit
from services.privacy.handlers.downloads import package_stream
from services.privacy.handlers.intake import ReceiveRequest, receive_request
from services.privacy.handlers.packages import (
    Claim,
    PackageExpired,
    claim,
    expire_package,
    hand_over,
    make_link,
    release,
)
from services.privacy.handlers.proof import (
    SENDING_CODES,
    DrawnCode,
    EndProof,
    SendProofCode,
    drawn,
    end_proof,
    make_another_code,
    verify_by_hand,
    verify_code,
)
from services.privacy.handlers.redirecting import RedirectWaiting, redirect_waiting
from services.privacy.handlers.registers import know_tenants, register_grants, register_subjects, register_users
from services.privacy.handlers.requests import ForgetCodes, forget_codes, resume_request
from services.privacy.handlers.tenants import known_tenant, set_settings

__all__ = [
    "PRIVACY",
    "SEALING",
    "SENDING_CODES",
    "SUBJECT",
    "Claim",
    "CollectionTimedOut",
    "DrawnCode",
    "EndProof",
    "ForgetCodes",
    "NearDeadline",
    "PackageExpired",
    "ReceiveRequest",
    "RedirectWaiting",
    "SealAuditChain",
    "SendProofCode",
    "approve",
    "claim",
    "complete",
    "drawn",
    "end_proof",
    "expire_package",
    "extend",
    "find_key",
    "forget_codes",
    "hand_over",
    "know_tenants",
    "known_tenant",
    "make_another_code",
    "make_link",
    "name_the_silent",
    "near_deadline",
    "open_deposit",
    "package_stream",
    "receive_request",
    "redirect_waiting",
    "register_grants",
    "register_subjects",
    "register_users",
    "reject",
    "release",
    "resume_request",
    "retry",
    "set_settings",
    "take_deposit",
    "verify_by_hand",
    "verify_chain",
    "verify_code",
    "withdraw",
]
