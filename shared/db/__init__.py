"""The service's own database: transactions, what they say, and what they leave for later."""

from shared.db.backlog import measure_backlog
from shared.db.database import Database, is_conflict, is_outage, is_unique_violation
from shared.db.group_commit import GroupCommit, TooBusyError
from shared.db.locks import hold_names
from shared.db.rowset import Rowset
from shared.db.statements import Session, Statement
from shared.db.tables import CALLED, JOBS, TENANTS_SETTING, DeadLetter, Model, Waiting, new_metadata, tenant_policy
from shared.db.unit_of_work import Job, UnitOfWork

__all__ = [
    "CALLED",
    "JOBS",
    "TENANTS_SETTING",
    "Database",
    "DeadLetter",
    "GroupCommit",
    "Job",
    "Model",
    "Rowset",
    "Session",
    "Statement",
    "TooBusyError",
    "UnitOfWork",
    "Waiting",
    "hold_names",
    "is_conflict",
    "is_outage",
    "is_unique_violation",
    "measure_backlog",
    "new_metadata",
    "tenant_policy",
]
