"""What goes wrong, told as problem details (RFC 9457): one tree of errors, one shape of answer.

Problem
├── BadRequest 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · MethodNotAllowed 405
├── RequestTimeout 408 · Conflict 409 · PreconditionFailed 412 · TooLarge 413 · Invalid 422 · TooManyRequests 429
└── Broken 500 · Unavailable 503
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Final

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from shared.db import TooBusyError, is_outage
from shared.telemetry import current_trace_id

MOST_ERRORS: Final = 20
"""How many of the mistakes in a request are told at once."""

_NO_OBJECT: Final = frozenset({"missing", "model_attributes_type", "model_type", "dict_type"})
"""What the check calls it when a whole body is absent or is no JSON object, as one is that came under another type."""


class Problem(Exception):
    """An answer that says what went wrong. `detail` is read by the caller: it never holds personal data."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self,
        detail: str | None = None,
        *,
        slug: str | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.type = f"/problems/{slug or self.slug}"
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def to_response(self) -> Response:
        body: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail:
            body["detail"] = self.detail
        body["trace_id"] = current_trace_id()
        if self.errors:
            body["errors"] = self.errors
        return Response(orjson.dumps(body), self.status, self.headers, "application/problem+json")


class BadRequest(Problem):
    status, slug, title = 400, "bad-request", "The request cannot be understood"


class Unauthorized(Problem):
    status, slug, title = 401, "unauthorized", "The caller is not known"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(Problem):
    status, slug, title = 403, "forbidden", "The caller may not do this"


class NotFound(Problem):
    status, slug, title = 404, "not-found", "There is nothing here"


class MethodNotAllowed(Problem):
    status, slug, title = 405, "method-not-allowed", "This cannot be done here"


class RequestTimeout(Problem):
    status, slug, title = 408, "request-timeout", "The request took too long to arrive"


class Conflict(Problem):
    status, slug, title = 409, "conflict", "This does not go with the present state"


class PreconditionFailed(Problem):
    status, slug, title = 412, "precondition-failed", "It was changed meanwhile"


class TooLarge(Problem):
    status, slug, title = 413, "too-large", "The body is too large"


class Invalid(Problem):
    status, slug, title = 422, "invalid", "The body or a parameter is not valid"


class TooManyRequests(Problem):
    status, slug, title = 429, "too-many-requests", "Slow down"


class Broken(Problem):
    pass


class Unavailable(Problem):
    status, slug, title = 503, "unavailable", "Not available just now; try again soon"

    def __init__(
        self, detail: str | None = None, *, retry_after: int = 1, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after), **(headers or {})})


_BY_STATUS: dict[int, type[Problem]] = {
    kind.status: kind
    for kind in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        TooLarge,
        Invalid,
        Unavailable,
    )
}


class ProblemBody(BaseModel):
    """The shape of every error."""

    type: str
    title: str
    status: int
    detail: str | None = None
    trace_id: str | None = None
    errors: list[dict[str, str]] | None = None


def as_problem(error: Exception) -> Problem:
    """The problem that tells a caller of any error."""
    match error:
        case Problem():
            problem = error
        case RequestValidationError():
            problem = Invalid(errors=_mistakes(error))
        case HTTPException():
            problem = _BY_STATUS.get(error.status_code, Broken if error.status_code >= 500 else BadRequest)()
            problem.headers |= {name: value for name, value in (error.headers or {}).items() if name == "Allow"}
        case ClientDisconnect():
            problem = BadRequest("The body did not come whole.")
        case _ if isinstance(error, TooBusyError) or is_outage(error):
            problem = Unavailable()
        case _:
            problem = Broken()
    return problem


def answer_with_problems(app: FastAPI) -> None:
    """Let `app` answer every error in one shape; what nobody foresaw is then raised on to the edge, which logs it."""

    async def answer(_: Request, error: Exception) -> Response:
        return as_problem(error).to_response()

    for kind in (Problem, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)


def _mistakes(refused: RequestValidationError) -> list[dict[str, str]]:
    """What is wrong in a request, where it stands in what was sent."""
    # Where a field may be left out, the check says beside what is wrong that null were right, which says nothing.
    errors = [error for error in refused.errors() if error["type"] != "none_required"] or refused.errors()
    return [_mistake(error, refused.body) for error in islice(errors, MOST_ERRORS)]


def _mistake(error: Mapping[str, Any], body: Any) -> dict[str, str]:
    where, *path = error["loc"]
    detail = error["msg"].removeprefix("Value error, ")
    if where != "body":
        return {"pointer": f"{where}:{'/'.join(map(str, path))}", "detail": detail}
    if error["type"] == "json_invalid":
        return {"pointer": "", "detail": f"is not JSON: {error['ctx']['error']}, at character {error['loc'][1] + 1}"}
    if not path and error["type"] in _NO_OBJECT:
        return {"pointer": "", "detail": "must be a JSON object, sent as application/json"}
    return {"pointer": _pointer(_within(body, error)), "detail": detail}


def _within(body: Any, error: Mapping[str, Any]) -> list[str | int]:
    """The path without the names of our own shapes, which the check writes into it where more than one would do."""
    steps: list[str | int] = []
    _, *path = error["loc"]
    for place, step in enumerate(path, 1):
        match body:
            case dict() if step in body:
                body = body[step]
            case list() if isinstance(step, int) and step < len(body):
                body = body[step]
            case dict() if place == len(path) and (error["type"] == "missing" or error["input"] is not body):
                pass  # what was left out
            case _:
                continue
        steps.append(step)
    return steps


def _pointer(steps: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)
