"""Privacy serves the rights of the person."""

from pathlib import Path

from services.privacy import api, handlers
from services.privacy.models import Table
from services.privacy.settings import Settings
from shared.events.conversation import ContactAdded, ContactAddressesAdded
from shared.events.gateway import ApiKeyChanged, TenantChanged, UserChanged
from shared.events.privacy import DeadlineNeared, NoticeQueued, PrivacyRequestChanged, SubjectDataRequested
from shared.service import Service

service = Service(
    name="privacy",
    settings=Settings,
    location=Path(__file__).parent,
    tables=Table,
    doors={"/deposits/": api.deposits},
    api=[
        api.privacy,
        api.requests,
        api.packages,
        api.audit,
        api.own_requests,
        api.own_packages,
        api.downloads,
    ],
    hears={
        ContactAdded: [handlers.register_subjects],
        ContactAddressesAdded: [handlers.register_subjects],
        UserChanged: [handlers.register_users],
        TenantChanged: [handlers.know_tenants],
        ApiKeyChanged: [handlers.register_grants],
    },
    says=[SubjectDataRequested, NoticeQueued, PrivacyRequestChanged, DeadlineNeared],
    does={
        handlers.SendProofCode: handlers.SENDING_CODES,
        handlers.EndProof: handlers.end_proof,
        handlers.ForgetCodes: handlers.forget_codes,
        handlers.RedirectWaiting: handlers.redirect_waiting,
        handlers.NearDeadline: handlers.near_deadline,
        handlers.CollectionTimedOut: handlers.name_the_silent,
        handlers.PackageExpired: handlers.expire_package,
        handlers.SealAuditChain: handlers.SEALING,
    },
    furnish=api.furnish,
)
app = service.asgi
