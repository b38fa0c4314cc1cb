"""What a person may ask for, and how a request of his goes from its receipt to its end."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from shared.bearers import BearerSecret

Right = Literal[
    "confirmation",
    "access",
    "rectification",
    "anonymization",
    "blocking",
    "portability",
    "erasure",
    "sharing_info",
    "refusal_consequences",
    "consent_withdrawal",
    "objection",
    "marketing_objection",
    "restriction",
    "automated_decision_review",
    "complaint",
]
"""The rights of LGPD art. 18 to 20 and GDPR art. 12 to 22 and 77 that begin with a request."""

State = Literal[
    "received",
    "identity_pending",
    "verified",
    "triage",
    "redirected_to_controller",
    "awaiting_clarification",
    "approved",
    "rejected",
    "freezing",
    "collecting",
    "executing",
    "verifying",
    "shredding",
    "delivering",
    "retrying",
    "action_required",
    "completed",
    "completed_with_exemptions",
    "completed_no_data",
    "expired",
    "withdrawn",
]

Outcome = Literal["done", "done_with_exemptions", "no_data"]
"""As what a request ends that is settled by hand."""

Ending = Literal[Outcome, "data_held", "not_taken"]
"""As what any request ends: a confirmation as `data_held`, a package for which nobody came as `not_taken`."""

STATES: Final[tuple[State, ...]] = get_args(State)
RECEIVED: Final[State] = "received"

ENDED_AS: Final[Mapping[Outcome, State]] = {
    "done": "completed",
    "done_with_exemptions": "completed_with_exemptions",
    "no_data": "completed_no_data",
}

MOVES: Final[Mapping[str, frozenset[State]]] = {
    "received": frozenset({"identity_pending", "withdrawn"}),
    "identity_pending": frozenset({"verified", "expired", "withdrawn"}),
    "verified": frozenset({"triage", "withdrawn"}),
    "triage": frozenset({"redirected_to_controller", "awaiting_clarification", "rejected", "approved", "withdrawn"}),
    "awaiting_clarification": frozenset({"triage", "withdrawn"}),
    # What is only collected freezes nothing, and what is settled by hand is neither frozen nor collected: freezing,
    # executing, verifying, shredding and retrying are for erasure.
    "approved": frozenset({"freezing", "collecting", "delivering", "withdrawn"}),
    "freezing": frozenset({"collecting", "action_required", "withdrawn"}),
    "collecting": frozenset({"executing", "delivering", "action_required", "withdrawn"}),
    "executing": frozenset({"verifying", "retrying"}),
    "verifying": frozenset({"shredding", "delivering", "retrying"}),
    "shredding": frozenset({"delivering", "retrying"}),
    "retrying": frozenset({"executing", "verifying", "shredding", "action_required"}),
    # Who was silent may still answer, and who acts may have him asked again.
    "action_required": frozenset({"collecting", "delivering", "retrying", "withdrawn"}),
    "delivering": frozenset({"completed", "completed_with_exemptions", "completed_no_data"}),
    "redirected_to_controller": frozenset(),
    "rejected": frozenset(),
    "completed": frozenset(),
    "completed_with_exemptions": frozenset(),
    "completed_no_data": frozenset(),
    "expired": frozenset(),
    "withdrawn": frozenset(),
}
"""From each state those that may follow it; where none may, the request is settled."""

SETTLED: Final = frozenset(state for state, following in MOVES.items() if not following)


class TrackingToken(BearerSecret):
    """By what a person follows his request without saying who he is."""

    __slots__ = ()
    prefix = "req_"


def may_move(present: str, to: State) -> bool:
    """Whether one state may follow the other."""
    return to in MOVES[present]
