"""The public API in one OpenAPI document: what FastAPI knows of each process, and what its edge and the gateway add."""

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts
from pydantic import TypeAdapter

from deploy.documents.schemas import JSON, merge, without_null, without_titles
from deploy.processes import REPOSITORY
from gateway.routes import public_path
from shared.http import PUBLIC_SCOPE
from shared.http.bodies import BODY_BYTES
from shared.http.idempotency import LONGEST_KEY
from shared.http.problems import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    Problem,
    ProblemBody,
    RequestTimeout,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from shared.service import Service

_DESCRIPTION: Final = """\
One API over all services of Balcão.

* Every request carries `Authorization: Bearer <API key or access token>`, save for those that are open to everyone. It
  belongs to one tenant; what is another tenant's is not there (404). Each operation names the scope that it must have.
* Times are RFC 3339 in UTC, ids are UUIDs, JSON is snake_case. A body with unknown fields is refused.
* Lists come in pages: `next_cursor` of one page is the `cursor` of the next, and null on the last.
* A `POST` with an `Idempotency-Key` takes effect once: for 24 hours the same key is given the first answer again.
* Single resources carry an `ETag`; a change with `If-Match` is made only to the version that you saw.
* Every error is a problem (RFC 9457) in `application/problem+json`.
"""

_TAGS: Final = {
    "Conversations": "The one history: what customers and the tenant said to each other, and what the staff noted.",
    "Contacts": "The persons behind it, by whatever addresses they are reached.",
    "Channels": "Accounts at providers, and what the providers sent, item by item.",
    "Routing": "Queues, agents, offers, business hours, and who waits.",
    "Metrics": "Figures, each with its definition.",
    "Privacy": "The registers on which the rights of a person stand.",
    "Web chat": "The visitor's side of a chat on a tenant's pages, without a key.",
    "Realtime": "What happens, as it happens; the same over a WebSocket at `/v1/realtime`.",
    "Tenants": "The businesses that serve their customers here.",
    "Users": "Who works for a tenant, and as what.",
    "Access tokens": "Logging in and out.",
    "API keys": "Who may do what.",
    "Operations": "What could not take effect, service by service, and giving it another try.",
}

_PROBLEMS: Final[Sequence[tuple[str, Problem]]] = (
    (
        "The body is not in UTF-8, the cursor is of another list, or the `Idempotency-Key` is empty or too long.",
        BadRequest("The cursor is not one of this list.", slug="bad-cursor"),
    ),
    ("No API key or access token, or one that opens nothing.", Unauthorized()),
    ("The key or token lacks the scope.", Forbidden("The scope conversations:write is needed.")),
    ("Nothing of this tenant has this id.", NotFound()),
    (
        "It does not go with the present state, or the first request with this `Idempotency-Key` is still under way.",
        Conflict("The first request with this key is still under way.", slug="idempotency-in-progress"),
    ),
    (
        "It was changed since the version that `If-Match` names.",
        PreconditionFailed("Read it again and repeat the change."),
    ),
    ("The body did not come in time.", RequestTimeout("The body did not come in time.")),
    ("The body is larger than 512 KiB.", TooLarge(f"A body may have {BODY_BYTES} bytes here.")),
    (
        "The body or a parameter is not valid, or this `Idempotency-Key` came with another request before.",
        Invalid(errors=[{"pointer": "/labels/0", "detail": "String should have at least 1 character"}]),
    ),
    ("Who calls, or his tenant, came too often within a minute.", TooManyRequests(headers={"Retry-After": "12"})),
    (
        "The service behind is down, or too busy just now; the others go on working.",
        Unavailable("The conversation service does not answer."),
    ),
)
_PROBLEM_NAMES: Final = {problem.status: type(problem).__name__ for _, problem in _PROBLEMS}

# A query parameter that is not known is refused everywhere.
_ALWAYS: Final = {422, 429, 503}
_WITH_A_KEY: Final = {401, 403}

_HEADERS: Final[JSON] = {
    "ETag": ("The version of the resource, for `If-Match`.", {"type": "string", "examples": ['"3"']}),
    "Idempotency-Replayed": ("This is the answer to an earlier request.", {"type": "string", "const": "true"}),
    "RateLimit-Limit": ("Requests that the caller has in a minute.", {"type": "integer"}),
    "RateLimit-Remaining": ("How many of them are left.", {"type": "integer"}),
    "RateLimit-Reset": ("Seconds until the minute is over.", {"type": "integer"}),
    "Retry-After": ("Seconds to wait before the next try.", {"type": "integer"}),
    "WWW-Authenticate": ("How to authenticate.", {"type": "string", "const": "Bearer"}),
    "X-Request-Id": ("Names this request, as its sender did or else by a new id.", {"type": "string"}),
}
_COUNTED: Final = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")

_PARAMETERS: Final[JSON] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Lets the request take effect once, however often it is sent within 24 hours.",
        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The `ETag` of the version that the change is meant for.",
        "schema": {"type": "string"},
    },
}

_TENANT_SLUG: Final[JSON] = {
    "name": "tenant_slug",
    "in": "path",
    "required": True,
    "description": "The `slug` of the business that is asked.",
    "schema": {"type": "string", "examples": ["padaria-do-largo"]},
}

_PAGE: Final = re.compile(r"\bPage_(\w+?)Shown_(?!\w)")
_ARTICLES: Final = {"a", "an", "the"}


def openapi(cards: Sequence[Service[Any]]) -> JSON:
    """The document; raises `ClashError`, and pydantic's `ValidationError` for a body without a valid example."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    schemas: JSON = {"ProblemBody": without_titles(ProblemBody.model_json_schema())}
    paths: dict[str, JSON] = {}
    for card in cards:
        application = card.application()
        told = _tidy(application.openapi())
        merge(schemas, told["components"]["schemas"])
        for route, method in _shown(iter_route_contexts(application.routes)):
            operation = Operation(card.name, route, method, told["paths"][route.path_format][method.lower()])
            paths.setdefault(operation.path, {})[method.lower()] = operation.document(schemas)
    for leftover in ("HTTPValidationError", "ValidationError"):
        schemas.pop(leftover)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Balcão",
            "version": project["version"],
            "summary": project["description"],
            "description": _DESCRIPTION,
            "license": {"name": project["license"], "identifier": project["license"]},
        },
        "servers": [{"url": "/"}],
        "security": [{"api_key": []}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "api_key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, `blc_…`, or an access token.",
                },
            },
            "parameters": _PARAMETERS,
            "headers": {
                name: {"description": description, "schema": schema} for name, (description, schema) in _HEADERS.items()
            },
            "responses": {type(problem).__name__: _problem(why, problem) for why, problem in _PROBLEMS},
            "schemas": dict(sorted(schemas.items())),
        },
    }


@dataclass(frozen=True)
class Operation:
    """One operation of the public API."""

    service: str
    route: RouteContext
    method: str
    told: JSON
    """What FastAPI tells of it."""

    @property
    def path(self) -> str:
        path = str(self.route.path_format)
        return path if self.service == "gateway" else public_path(self.service, path)

    @property
    def scope(self) -> str | None:
        """What the caller's key must allow; None when it is enough that he has one."""
        scopes = set(_scopes(self.route.dependant))
        if len(scopes) != 1:
            raise ValueError(f"{self.method} {self.path} must require one scope, not {scopes}")
        return scopes.pop()

    @property
    def is_public(self) -> bool:
        """Whether it is open to those who say nothing of who they are."""
        return self.scope == PUBLIC_SCOPE

    @property
    def is_of_named_tenant(self) -> bool:
        """Whether its path names the tenant, and the gateway tells the service which one that is."""
        return "{tenant_slug}" in self.path

    @property
    def is_before_the_door(self) -> bool:
        """Whether the gateway answers it before it knows, and counts, a caller."""
        return self.is_public and self.service == "gateway"

    @property
    def keeps_answers(self) -> bool:
        """Whether it takes an `Idempotency-Key`: of those who say not who they are, one might be given another's."""
        return self.method == "POST" and not self.is_public

    @property
    def summary(self) -> str:
        """The same operation of several services is told apart by their names."""
        summary = str(self.told["summary"])
        return f"{summary} of {self.service}" if self.told["tags"] == ["Operations"] else summary

    @property
    def id(self) -> str:
        """The summary as a name: `list_conversation_messages`."""
        words = re.findall(r"\w+", self.summary.lower().replace("'s ", " "))
        return "_".join(word for word in words if word not in _ARTICLES)

    @property
    def statuses(self) -> set[int]:
        """The problems that it can answer with, those that its description speaks of among them."""
        parameters = self.told.get("parameters", [])
        always = _ALWAYS if self.is_public else _ALWAYS | _WITH_A_KEY
        posted, embodied = self.method == "POST", "requestBody" in self.told
        named = {str(one["name"]).lower() for one in parameters}
        can = {
            401: "x-visitor-token" in named,
            403: "origin" in named,
            400: posted or embodied or any(one["name"] == "cursor" for one in parameters),
            404: self.is_of_named_tenant or any(one["in"] == "path" for one in parameters),
            409: self.keeps_answers,
            412: self._calls("check_version"),
            408: embodied,
            413: embodied,
        }
        told = {int(status) for status in re.findall(r"\b4\d\d\b", self.told.get("description", ""))}
        return told | always | {status for status, possible in can.items() if possible}

    def document(self, schemas: JSON) -> JSON:
        """The operation as the document shows it."""
        if self.is_public:
            needs = "Open to everyone."
        else:
            needs = f"Needs the scope `{self.scope}`." if self.scope else "Needs no scope."
        document: JSON = {
            "tags": self.told["tags"],
            "summary": self.summary,
            "description": f"{self.told['description']}\n\n{needs}" if "description" in self.told else needs,
            "operationId": self.id,
            "security": [] if self.is_public else [{"api_key": [self.scope] if self.scope else []}],
        }
        if parameters := list(self._parameters()):
            document["parameters"] = parameters
        if "requestBody" in self.told:
            document["requestBody"] = self._body(schemas)
        return document | {"responses": self._responses()}

    def _parameters(self) -> Iterator[JSON]:
        if self.is_of_named_tenant:
            yield _TENANT_SLUG
        for one in self.told.get("parameters", []):
            yield {**one, "schema": without_null(one["schema"])}
        if self.keeps_answers:
            yield _ref("parameters", "IdempotencyKey")
        if self._calls("check_version"):
            yield _ref("parameters", "IfMatch")

    def _body(self, schemas: JSON) -> JSON:
        body: JSON = self.told["requestBody"]
        content = body["content"]["application/json"]
        example = _example(content["schema"], schemas)
        # An example that the operation itself refuses would be worse than none.
        TypeAdapter(self.route.body_field.field_info.annotation).validate_python(example)
        return {**body, "content": {"application/json": {**content, "example": example}}}

    def _responses(self) -> JSON:
        responses = {status: self._success(int(status)) for status in self.told["responses"] if status < "400"}
        return responses | {str(one): _ref("responses", _PROBLEM_NAMES[one]) for one in sorted(self.statuses)}

    def _success(self, status: int) -> JSON:
        headers = ["X-Request-Id", *(() if self.is_before_the_door else _COUNTED)]
        if self._calls("tell_version"):
            headers.append("ETag")
        if self.keeps_answers:
            headers.append("Idempotency-Replayed")
        told = self.told["responses"][str(status)]
        own = told.get("headers", {})
        return {**told, "description": HTTPStatus(status).phrase, "headers": own | _headers(headers)}

    def _calls(self, name: str) -> bool:
        """Whether the endpoint calls this function: versions are told and checked in its body, not in its signature."""
        return name in self.route.endpoint.__code__.co_names  # type: ignore[union-attr]


def _scopes(dependant: Dependant) -> Iterator[str | None]:
    for needed in dependant.dependencies:
        if needed.call is not None and hasattr(needed.call, "scope"):
            yield needed.call.scope
        yield from _scopes(needed)


def _shown(routes: Iterator[RouteContext]) -> Iterator[tuple[RouteContext, str]]:
    for route in routes:
        if getattr(route, "include_in_schema", False):
            for method in sorted(route.methods or ()):
                yield route, method


def _tidy(told: JSON) -> JSON:
    """What FastAPI tells, with names for pages that read well and without titles."""
    renamed: JSON = json.loads(_PAGE.sub(r"\1Page", json.dumps(told)))
    return {**renamed, **{name: without_titles(renamed[name]) for name in ("paths", "components")}}


def _example(schema: JSON, schemas: JSON) -> Any:
    """What the examples of the fields make together; a field without one is left out."""
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema:
        return next((example for one in schema["anyOf"] if (example := _example(one, schemas)) is not None), None)
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    fields = {name: _example(field, schemas) for name, field in schema.get("properties", {}).items()}
    return {name: example for name, example in fields.items() if example is not None} or None


def _problem(why: str, problem: Problem) -> JSON:
    body = json.loads(bytes(problem.to_response().body))
    headers = [*(_COUNTED if isinstance(problem, TooManyRequests) else ()), *problem.headers]
    return {
        "description": why,
        "headers": _headers(headers),
        "content": {
            "application/problem+json": {
                "schema": _ref("schemas", "ProblemBody"),
                "example": body | {"trace_id": "0af7651916cd43dd8448eb211c80319c"},
            }
        },
    }


def _headers(names: Sequence[str]) -> JSON:
    return {name: _ref("headers", name) for name in names}


def _ref(kind: str, name: str) -> JSON:
    return {"$ref": f"#/components/{kind}/{name}"}
