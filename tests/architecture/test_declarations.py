"""Every table says whom it is about, and what it says leads to somebody; every process hands over what it holds."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Column, MetaData, Table, Text

from shared.events.privacy import SubjectDataRequested
from shared.personal import Via, about, about_nobody, misdeclared_tables, personal, secret
from shared.personal.declarations import REFERRING
from shared.rights import PARTICIPANTS
from tests.support.services import SERVICES


@pytest.mark.parametrize("process", SERVICES)
def test_every_table_says_whom_it_is_about(process: str) -> None:
    tables = [table for metadata in SERVICES[process].holds for table in metadata.tables.values()]
    assert misdeclared_tables(tables) == []


@pytest.mark.parametrize("process", SERVICES)
def test_what_a_row_is_called_by_is_no_secret(process: str) -> None:
    tables = [table for metadata in SERVICES[process].holds for table in metadata.tables.values()]
    about_somebody = [table for table in tables if not table.info["about"].because]
    assert not [column for table in about_somebody for column in table.primary_key if column.info.get("secret")]


def test_every_process_is_asked_for_what_it_holds() -> None:
    assert set(PARTICIPANTS) == set(SERVICES)
    for service in SERVICES.values():
        assert [handler.__name__ for handler in service.hears[SubjectDataRequested]] == ["schedule_deposits"]


def wrongs(**tables: Mapping[str, Any]) -> list[str]:
    """What is found wrong with tables of these infos, each with the columns `id`, `tenant_id` and `contact_id`."""
    metadata = MetaData()
    for name, info in tables.items():
        Table(name, metadata, *(Column(column, Text) for column in ("id", "tenant_id", "contact_id")), info=dict(info))
    return misdeclared_tables(metadata.tables.values())


def test_a_table_that_says_nothing_is_found() -> None:
    assert wrongs(forgotten={}) == ["forgotten does not say whom it is about"]


@pytest.mark.parametrize(
    ("column", "info"), [("nickname", personal("contact.name")), *((name, secret()) for name in sorted(REFERRING))]
)
def test_a_table_about_nobody_has_nothing_of_anybody(column: str, info: dict[str, Any]) -> None:
    planted = Table("planted", MetaData(), Column(column, Text, info=info), info=about_nobody("so it seemed"))
    assert misdeclared_tables([planted]) == [f"planted is about nobody, and has {column}"]


@pytest.mark.parametrize(
    ("info", "wrong"),
    [
        (about(), "planted names no way to a person"),
        (about(contact="who"), "planted has no who"),
        (about(contact="contact_id", tenant="whose"), "planted has no whose"),
        (about(contact="contact_id", tenant=None), "planted does not say whose tenant's it is"),
        (about(Via("people", {"id": "id"})), "planted leads to people, which leads to nobody"),
        (about(Via("nobodies", {"id": "id"})), "planted leads to nobodies, which leads to nobody"),
        (about(Via("somebodies", {"id": "number"})), "planted leads to somebodies by number, which is missing"),
        (about(Via("planted", {"id": "id"})), "planted leads round in a circle, by planted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_way_that_leads_nowhere_is_found(info: dict[str, Any], wrong: str) -> None:
    metadata = MetaData()
    columns = ("id", "tenant_id", "contact_id")
    Table("planted", metadata, *(Column(column, Text) for column in columns), info=info)
    Table("somebodies", metadata, *(Column(column, Text) for column in columns), info=about(contact="contact_id"))
    Table("nobodies", metadata, Column("id", Text), info=about_nobody("it is nobody's"))
    assert misdeclared_tables(metadata.tables.values()) == [wrong]


def test_a_longer_circle_is_found() -> None:
    assert wrongs(one=about(Via("other", {"id": "id"})), other=about(Via("one", {"id": "id"}))) == [
        "other leads round in a circle, by one",
        "one leads round in a circle, by other",
    ]


def test_a_kind_of_reference_that_nobody_described_is_refused() -> None:
    with pytest.raises(ValueError, match="no such kind of reference"):
        about(neighbour="contact_id")
