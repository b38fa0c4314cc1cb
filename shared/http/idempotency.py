"""A POST with an `Idempotency-Key` takes effect once: its first answer is kept for a day and given again.

The answer is kept in the transaction of its effect, so that neither is ever there without the other.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import orjson
from fastapi.exceptions import RequestValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.db import Statement, UnitOfWork
from shared.db.tables import KeptAnswer
from shared.http.auth import Caller
from shared.http.problems import BadRequest, Conflict, Invalid, Problem, as_problem
from shared.personal import Sealer

KEPT: Final = timedelta(hours=24)
LONGEST_KEY: Final = 255
_PURPOSE: Final = "idempotency"
_HEADERS: Final = ("content-type", "etag", "location")
# What a caller may do can change at once, and who has put a mistake right comes with the same key again.
_NEVER_KEPT: Final = {400, 401, 403, 422, 429}

_TRY_LOCK = Statement("SELECT pg_try_advisory_xact_lock(:lock)")


class Answers:
    """The kept answers of a service."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def once(
        self, request: Request, caller: Caller, uow: UnitOfWork, act: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """The answer of `act`, or the one that this key got before.

        Raises `Conflict` while the first request is under way, and `Invalid` when the body or query is another one.
        """
        key = request.headers["idempotency-key"]
        if not 0 < len(key) <= LONGEST_KEY:
            raise BadRequest(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.")
        scope = _digest(caller.tenant_id, caller.id, request.method, request.url.path, key)
        fingerprint = _digest(request.url.query, await request.body())
        if not await uow.session.scalar(_TRY_LOCK, {"lock": int.from_bytes(scope[:8], "big", signed=True)}):
            raise Conflict("The first request with this key is still under way.", slug="idempotency-in-progress")
        query = select(KeptAnswer).where(KeptAnswer.scope == scope, KeptAnswer.expires_at > uow.now)
        kept = await uow.session.scalar(query)
        if kept is not None:
            if kept.fingerprint != fingerprint:
                raise Invalid("This Idempotency-Key came with another request before.", slug="idempotency-key-reused")
            return self._again(kept)
        answer = await _act(request, uow, act)
        if answer.status_code < 500:
            await self._keep(scope, fingerprint, answer, uow)
        return answer

    async def _keep(self, scope: bytes, fingerprint: bytes, answer: Response, uow: UnitOfWork) -> None:
        told = {
            "status": answer.status_code,
            "headers": {name: answer.headers[name] for name in _HEADERS if name in answer.headers},
            "body": base64.b64encode(bytes(answer.body)).decode(),
        }
        row = {
            "fingerprint": fingerprint,
            "answer": self._sealer.seal(orjson.dumps(told), purpose=_PURPOSE, context=scope.hex()),
            "expires_at": uow.now + KEPT,
        }
        statement = insert(KeptAnswer).values(scope=scope, **row)
        await uow.session.execute(statement.on_conflict_do_update(index_elements=["scope"], set_=row))

    def _again(self, kept: KeptAnswer) -> Response:
        told: dict[str, Any] = orjson.loads(self._sealer.open(kept.answer, purpose=_PURPOSE, context=kept.scope.hex()))
        headers = told["headers"] | {"Idempotency-Replayed": "true"}
        return Response(base64.b64decode(told["body"]), told["status"], headers)


async def _act(request: Request, uow: UnitOfWork, act: Callable[[Request], Awaitable[Response]]) -> Response:
    """What `act` answers, where a refusal undoes its work but not the keeping of its answer."""
    try:
        async with uow.session.begin_nested():
            return await act(request)
    except (Problem, RequestValidationError, HTTPException) as refusal:
        answer = as_problem(refusal).to_response()
        if answer.status_code >= 500 or answer.status_code in _NEVER_KEPT:
            raise
        uow.forget()
        return answer


def _digest(*parts: object) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()
