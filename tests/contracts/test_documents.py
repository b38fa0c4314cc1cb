"""What is published says what the code does."""

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from deploy.documents.__main__ import documents, drift
from deploy.documents.cards import cards
from deploy.documents.schemas import ClashError, merge, without_null, without_titles
from deploy.processes import REPOSITORY
from gateway.routes import destination
from shared.events import EVENTS, TOPICS, read

OPENAPI: dict[str, Any] = json.loads((REPOSITORY / "docs/openapi.json").read_text("utf-8"))
ASYNCAPI: dict[str, Any] = json.loads((REPOSITORY / "docs/asyncapi.json").read_text("utf-8"))
RECORDS = sorted((REPOSITORY / "docs/events").glob("*.json"))
OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    f"{method} {path}": (method, path, operation)
    for path, methods in OPENAPI["paths"].items()
    for method, operation in methods.items()
}


def test_no_document_has_drifted() -> None:
    assert drift(documents()) == {}


def test_the_documents_come_out_the_same_every_time() -> None:
    assert documents() == documents()


# The API.


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_says_what_it_needs_and_how_it_can_fail(method: str, path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation["operationId"])
    scopes = [scope for need in operation["security"] for scope in need["api_key"]]
    needs = f"Needs the scope `{scopes[0]}`." if scopes else "Needs no scope." if operation["security"] else "Open to"
    assert needs in operation["description"]
    problems = {status for status in operation["responses"] if status >= "400"}
    assert {"422", "429", "503"} | ({"401", "403"} if operation["security"] else set()) <= problems
    if method == "post" and operation["security"]:
        assert {"400", "409", "422"} <= problems
        assert {"$ref": "#/components/parameters/IdempotencyKey"} in operation["parameters"]
    if method == "patch":
        assert {"404", "412", "413", "422"} <= problems
        assert {"$ref": "#/components/parameters/IfMatch"} in operation["parameters"]
    if "requestBody" in operation:
        assert operation["requestBody"]["content"]["application/json"]["example"]


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS.values(), ids=OPERATIONS)
def test_the_parameters_of_a_path_are_those_that_it_names(method: str, path: str, operation: dict[str, Any]) -> None:
    parameters = [one for one in operation.get("parameters", []) if "$ref" not in one and one["in"] == "path"]
    assert {one["name"] for one in parameters} == set(re.findall(r"{(\w+)}", path))
    assert all(one["required"] for one in parameters)


def test_every_operation_has_a_name_of_its_own_and_a_tag_that_is_described() -> None:
    operations = [operation for _, _, operation in OPERATIONS.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert {tag for operation in operations for tag in operation["tags"]} == {tag["name"] for tag in OPENAPI["tags"]}


@pytest.mark.parametrize("path", OPENAPI["paths"])
def test_the_gateway_leads_every_path_to_a_service_or_answers_it_itself(path: str) -> None:
    own = path.startswith(
        ("/v1/events", "/v1/tenants", "/v1/users", "/v1/auth", "/v1/api-keys", "/v1/operations/gateway")
    )
    assert own == (destination(re.sub(r"{\w+}", "1", path)) is None)


def test_what_services_deposit_with_one_another_is_no_part_of_the_public_api() -> None:
    assert not [path for path in OPENAPI["paths"] if "/deposits" in path]
    for beginning in ("/v1", "/v1/public", "/v1/public/padaria"):
        assert destination(f"{beginning}/deposits/1/1/ingest/1") is None


@pytest.mark.parametrize("name", OPENAPI["components"]["responses"])
def test_every_problem_is_shown_in_the_one_shape(name: str) -> None:
    [(media_type, content)] = OPENAPI["components"]["responses"][name]["content"].items()
    assert media_type == "application/problem+json"
    assert content["schema"] == {"$ref": "#/components/schemas/ProblemBody"}
    assert set(content["example"]) <= set(OPENAPI["components"]["schemas"]["ProblemBody"]["properties"])


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in set(_references(document)):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from [node["$ref"]] if isinstance(node.get("$ref"), str) else ()
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from _references(one)


# The events.


def test_every_event_has_one_speaker_and_at_least_one_listener() -> None:
    said = [event for card in cards() for event in card.says]
    assert sorted(event.type for event in said) == sorted(EVENTS)
    assert {event for card in cards() for event in card.listens_to} == set(said)


def test_a_speaker_speaks_on_its_own_topic() -> None:
    for card in cards():
        assert {event.topic() for event in card.says} <= {f"{card.name}.events"} & TOPICS.keys()


def test_every_event_type_has_an_example() -> None:
    assert [path.stem for path in RECORDS] == sorted(EVENTS)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_an_example_is_read_as_the_event_that_it_shows(path: Any) -> None:
    shown = json.loads(path.read_text("utf-8"))
    event = read(shown["headers"], orjson.dumps(shown["value"]))
    record = event.to_record()
    assert (event.type, event.topic(), event.key) == (path.stem, shown["topic"], shown["key"])
    assert record.headers == shown["headers"]
    assert orjson.loads(record.value) == shown["value"]


@pytest.mark.parametrize("type_", sorted(EVENTS))
def test_the_personal_part_of_a_message_holds_exactly_the_personal_fields(type_: str) -> None:
    message = ASYNCAPI["components"]["messages"][type_]
    parts = message["payload"]["properties"]
    [example] = message["examples"]
    assert set(parts) == set(message["payload"]["required"]) == set(example["payload"])
    for name, part in example["payload"].items():
        assert set(part) <= set(parts[name]["properties"])
        assert set(parts[name].get("required", [])) <= set(part)
    assert set(message["headers"]["required"]) <= set(example["headers"]) <= set(message["headers"]["properties"])


# How schemas are put together.


def test_two_things_of_one_name_are_refused() -> None:
    schemas = {"Status": {"enum": ["open"]}}
    merge(schemas, {"Status": {"enum": ["open"]}})
    with pytest.raises(ClashError, match="Status"):
        merge(schemas, {"Status": {"enum": ["online"]}})


def test_titles_go_and_fields_called_title_stay() -> None:
    schema = {
        "title": "Referral",
        "properties": {"title": {"title": "Title", "type": "string"}},
        "default": {"title": 1},
    }
    assert without_titles(schema) == {"properties": {"title": {"type": "string"}}, "default": {"title": 1}}


def test_what_may_be_null_in_a_model_may_be_left_out_on_the_wire() -> None:
    text, null = {"type": "string"}, {"type": "null"}
    assert without_null({"anyOf": [text, null], "default": None, "description": "…"}) == {**text, "description": "…"}
    assert without_null({"anyOf": [text, {"type": "integer"}, null]}) == {"anyOf": [text, {"type": "integer"}]}
    assert without_null(text) == text
