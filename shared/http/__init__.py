"""The edge of a process: who calls, what is asked, one transaction, one shape of answer."""

from shared.http.auth import PUBLIC_SCOPE, Caller, Callers, ContextSigner, ContextVerifier, bearer, requires
from shared.http.clients import Passage, outgoing_client, was_never_sent
from shared.http.edge import Body, Declared, Desk, Door, RequestEdge, StreamRoute, TransactionRoute, Work, straight
from shared.http.etags import check_version, tell_version
from shared.http.fields import Moment, Present, Words
from shared.http.limits import Limit
from shared.http.pages import Page, Pages, Paging
from shared.http.problems import (
    BadRequest,
    Broken,
    Conflict,
    Forbidden,
    Invalid,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    Problem,
    ProblemBody,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from shared.http.streams import AS_IT_COMES, EVENT_STREAM, send_in_time

__all__ = [
    "AS_IT_COMES",
    "EVENT_STREAM",
    "PUBLIC_SCOPE",
    "BadRequest",
    "Body",
    "Broken",
    "Caller",
    "Callers",
    "Conflict",
    "ContextSigner",
    "ContextVerifier",
    "Declared",
    "Desk",
    "Door",
    "Forbidden",
    "Invalid",
    "Limit",
    "MethodNotAllowed",
    "Moment",
    "NotFound",
    "Page",
    "Pages",
    "Paging",
    "Passage",
    "PreconditionFailed",
    "Present",
    "Problem",
    "ProblemBody",
    "RequestEdge",
    "StreamRoute",
    "TooLarge",
    "TooManyRequests",
    "TransactionRoute",
    "Unauthorized",
    "Unavailable",
    "Words",
    "Work",
    "bearer",
    "check_version",
    "outgoing_client",
    "requires",
    "send_in_time",
    "straight",
    "tell_version",
    "was_never_sent",
]
