"""The public API as it is published, operation by operation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.processes import REPOSITORY

OPENAPI: dict[str, Any] = json.loads((REPOSITORY / "docs" / "openapi.json").read_text("utf-8"))


@dataclass(frozen=True)
class Operation:
    """One operation, and what is told of it."""

    method: str
    path: str
    told: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.told["operationId"])

    @property
    def is_public(self) -> bool:
        """Whether it is open to who does not say who he is."""
        return not self.told["security"]

    @property
    def scope(self) -> str | None:
        """What the caller's key must allow; None when any key will do, or none is needed."""
        return next((scope for need in self.told["security"] for scope in need["api_key"]), None)

    @property
    def statuses(self) -> frozenset[int]:
        return frozenset(map(int, self.told["responses"]))

    def parameters(self, place: str) -> dict[str, Mapping[str, Any]]:
        """The parameters of "path", "query" or "header", by name."""
        shown = (resolved(one) for one in self.told.get("parameters", ()))
        return {one["name"]: one for one in shown if one["in"] == place}

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The documented JSON body with its `schema` and `example`; None when there is none."""
        content: Mapping[str, Mapping[str, Any]] = self.told.get("requestBody", {}).get("content", {})
        return content.get("application/json")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def resolved(shown: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is told here, or where a reference leads."""
    while "$ref" in shown:
        *_, kind, name = shown["$ref"].split("/")
        shown = OPENAPI["components"][kind][name]
    return shown


OPERATIONS = tuple(
    Operation(method.upper(), path, told)
    for path, methods in OPENAPI["paths"].items()
    for method, told in methods.items()
)
