"""Every operation of the public API, asked of the whole house: nobody sees another's, and no answer is a surprise."""

import json
from collections.abc import AsyncIterator, Hashable, Sequence
from typing import Any

import httpx
import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema_rs import Draft202012Validator
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.contracts.belongings import MAKERS, Tenant, settle
from tests.support.house import House, whole_house
from tests.support.machine import Machine, broker
from tests.support.published import OPENAPI, OPERATIONS, Operation, resolved

UNSET = {"read_business_hours": "404 until they are set"}
STREAMS = {
    "follow_what_happens": "it never ends; tests/gateway/test_realtime.py follows it",
    "listen_to_chat_session": "it never ends; tests/services/ingest/test_chat.py listens to it",
}
"""What is not asked here, and why."""
FREE = {"name": "messages-received", "link": "of-nobody"}
"""Parameters that name nothing of a tenant's."""
OPEN_TO_ALL = {
    "read_web_chat": "whoever opens the tenant's page sees it",
    "begin_chat_session": "whoever opens the tenant's page may write",
    "log_in": "it is for who has no key yet",
    "ask_for_what_is_one_right": "whoever thinks that the tenant knows him may ask",
}
"""What anybody may ask of any tenant, and why."""

# Who may ask is tested by itself, above; here everything is asked by who may.
SCHEMA = schemathesis.openapi.from_dict(
    json.loads(json.dumps(OPENAPI), object_hook=lambda node: {k: v for k, v in node.items() if k != "security"})
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    missing_required_header,
    unsupported_method,
]
ALWAYS_THE_SAME = settings(
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

Described = APIOperation[Any, Any, Any, Any]
Asking = Case[Any]

BY_NAME = {str(one): one for one in OPERATIONS}
ASKED = [one for one in OPERATIONS if one.id not in STREAMS]
GUARDED = [one for one in ASKED if not one.is_public]


def names_of(operation: Operation) -> list[str]:
    """The parameters of its path that name something of a tenant's."""
    return [name for name in operation.parameters("path") if name not in FREE]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    # What other tests said to their broker is not for these six.
    async with broker(tmp_path_factory.mktemp("broker")) as address, whole_house(machine, address) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(house: House, machine: Machine) -> Tenant:
    return await settle(house, machine, "Zibelina")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def other(house: House, machine: Machine) -> Tenant:
    return await settle(house, machine, "Quetzal")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guest(house: House, machine: Machine) -> Tenant:
    """Who asks for whatever comes to mind, with one of everything at hand."""
    guest = await settle(house, machine, "Curioso")
    for operation in ASKED:
        for name in names_of(operation):
            await guest.has(name, operation.path)
    return guest


# What is documented.


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if "requestBody" in one.told], ids=str)
def test_a_body_has_an_example_that_its_own_schema_accepts(operation: Operation) -> None:
    assert operation.body is not None
    schema = {**operation.body["schema"], "components": OPENAPI["components"]}
    Draft202012Validator(schema, validate_formats=True).validate(operation.body["example"])


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_every_answer_is_documented_with_its_shape(operation: Operation) -> None:
    for status, answer in operation.told["responses"].items():
        shown = resolved(answer).get("content", {})
        assert status in {"204", "304"} or shown, status
        assert all("schema" in content for content in shown.values()), status


# Whose it is, and who may ask.


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_whatever_a_path_names_can_be_made(operation: Operation) -> None:
    assert set(names_of(operation)) <= MAKERS.keys(), "tests/contracts/belongings.py must make one for a tenant"


@pytest.mark.parametrize("operation", [one for one in GUARDED if one.method == "GET"], ids=str)
async def test_what_is_ones_own_is_there(operation: Operation, owner: Tenant) -> None:
    if operation.id not in UNSET:
        answer = await owner.admin.request(**await asked(operation, owner))
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("operation", ASKED, ids=str)
async def test_what_is_anothers_is_not_there(operation: Operation, owner: Tenant, other: Tenant) -> None:
    before = await version(operation, owner)
    client = await other.visitor() if operation.is_public else other.admin
    answer = await client.request(**await asked(operation, owner))
    told = f"{answer.status_code} {answer.headers} {answer.text}"
    assert owner.word.lower() not in told.lower() or operation.id in OPEN_TO_ALL
    assert answer.status_code in operation.statuses, told
    if operation.id not in OPEN_TO_ALL and names_of(operation):
        assert answer.status_code in ({401, 403, 404} if operation.is_public else {404}), told
    assert await version(operation, owner) == before


@pytest.mark.parametrize("operation", GUARDED, ids=str)
async def test_who_does_not_say_who_he_is_is_refused(operation: Operation, owner: Tenant) -> None:
    answer = await owner.house.stranger.request(**await asked(operation, owner))
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthorized")


@pytest.mark.parametrize("operation", [one for one in GUARDED if one.scope is not None], ids=str)
async def test_whose_key_lacks_the_scope_may_not(operation: Operation, owner: Tenant) -> None:
    client = await owner.without(operation.scope)
    answer = await client.request(**await asked(operation, owner))
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")


async def version(operation: Operation, tenant: Tenant) -> str | None:
    """Of what this operation would change, where it is told."""
    resource, _, _ = operation.path.rpartition("}")
    read = BY_NAME.get(f"GET {resource}}}")
    if operation.method == "GET" or not names_of(operation) or read is None or read.is_public:
        return None
    answer = await tenant.admin.get(await tenant.address(read.path))
    return str(answer.headers.get("etag", answer.text))


async def asked(operation: Operation, tenant: Tenant) -> dict[str, Any]:
    """As documented, with this tenant's things wherever something is named."""
    path = operation.path
    for name, value in FREE.items():
        path = path.replace(f"{{{name}}}", value)
    query = {name: await tenant.has(name) for name in operation.parameters("query") if name in MAKERS}
    query |= {name: FREE[name] for name in operation.parameters("query") if name in FREE}
    given = None if operation.body is None else await _named(operation.body["example"], tenant)
    address = await tenant.address(path)
    return {"method": operation.method, "url": address, "params": query, "json": given}


async def _named(given: Any, tenant: Tenant) -> Any:
    """A body whose members that name something name what is this tenant's."""
    if not isinstance(given, dict):
        return given
    named: dict[str, Any] = {}
    for name, value in given.items():
        if name in MAKERS:
            named[name] = await tenant.has(name)
        elif name.removesuffix("s") in MAKERS:
            named[name] = [await tenant.has(name.removesuffix("s"))]
        else:
            named[name] = await _named(value, tenant)
    return named


# What nobody thought of.


@pytest.mark.parametrize("operation", ASKED, ids=str)
async def test_whatever_is_asked_is_answered_as_documented(operation: Operation, guest: Tenant) -> None:
    described = SCHEMA.find_operation_by_label(str(operation))
    assert described is not None
    client = await guest.visitor() if operation.is_public else guest.admin
    named = {name: await guest.has(name, operation.path) for name in names_of(operation)}
    surprises: dict[str, str] = {}
    for case in (*_at_the_bounds(described), *_at_random(described)):
        if _is_proper(case, ParameterLocation.PATH):
            case.path_parameters = case.path_parameters | named
        answer = await client.request(**_sent(case))
        try:
            case.validate_response(answer, checks=CHECKS)
            assert answer.is_success or _is_problem(answer)
        except (FailureGroup, AssertionError) as surprise:
            told = f"{surprise}\n{case.as_curl_command()}\n{answer.status_code} {answer.text}"
            surprises.setdefault(f"{type(surprise)} {answer.status_code}", told)
    if operation.method == "DELETE":
        for name in named:
            del guest.made[name]
    assert not surprises, "\n\n".join(surprises.values())


def _at_the_bounds(described: Described) -> Sequence[Asking]:
    """Each part of the request as it may be and as it may not be; of what is wrong in the same way, the first."""
    cases: dict[Hashable, Asking] = {}
    for case in described.schema.iter_coverage_cases(
        described,
        generation_modes=list(GenerationMode),
        generation_config=described.schema.config.generation_for(operation=described),
    ):
        told = case.meta.phase.data
        cases.setdefault((case.method, told.description, told.parameter, told.parameter_location, told.location), case)
    return list(cases.values())


def _at_random(described: Described) -> Sequence[Asking]:
    """Whole requests as they may be, always the same."""
    cases: list[Asking] = []

    def keep(case: Asking) -> None:
        cases.append(case)

    ALWAYS_THE_SAME(given(described.as_strategy())(keep))()
    return cases


def _is_proper(case: Asking, place: ParameterLocation) -> bool:
    return case.meta is not None and place in case.meta.components and case.meta.components[place].mode.is_positive


def _is_problem(answer: httpx.Response) -> bool:
    """RFC 9457, in the one shape."""
    return (
        answer.headers["content-type"] == "application/problem+json" and answer.json()["status"] == answer.status_code
    )


def _sent(case: Asking) -> dict[str, Any]:
    """The case as httpx sends it."""
    told: dict[str, Any] = case.as_transport_kwargs(base_url="http://here")
    del told["cookies"]
    if isinstance(told.get("data"), str | bytes):
        told["content"] = told.pop("data")
    return told
