"""Governance: its officer reads, its clerk files, the ledger only grows, and no application enters.

The jurisdiction ZZ is one that ISO 3166 never assigns, so the tests meet nobody's records.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

Connection = psycopg.Connection[tuple[Any, ...]]
Role = Callable[..., AbstractContextManager[Connection]]

RELATIONS = ("policy", "approval", "ledger", "pending_policies")


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("application", ["venture_app", "engineering_app"])
def test_no_application_enters(hk_role: Role, application: str, relation: str) -> None:
    read = sql.SQL("SELECT FROM governance.{}").format(sql.Identifier(relation))
    with hk_role(application) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(read)


@pytest.mark.parametrize("relation", RELATIONS)
def test_the_officer_reads_one_jurisdiction_at_a_time(hk_role: Role, relation: str) -> None:
    read = sql.SQL("SELECT DISTINCT jurisdiction FROM governance.{}").format(
        sql.Identifier(relation)
    )
    with hk_role("governance_clerk") as connection:
        for jurisdiction in ("ZY", "ZZ"):
            file_two_policies(connection, jurisdiction)
        connection.execute("SET LOCAL ROLE governance_officer")
        for jurisdiction in ("ZY", "ZZ"):
            serve(connection, jurisdiction)
            assert connection.execute(read).fetchall() == [(jurisdiction,)]
        serve(connection, "")
        assert connection.execute(read).fetchall() == []


@pytest.mark.parametrize("table", ["policy", "approval", "ledger"])
def test_the_officer_writes_nothing(hk_role: Role, table: str) -> None:
    delete = sql.SQL("DELETE FROM governance.{}").format(sql.Identifier(table))
    with (
        hk_role("governance_officer", jurisdiction="ZZ") as connection,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        connection.execute(delete)


def test_an_approval_enters_the_ledger(hk_role: Role) -> None:
    with hk_role("governance_clerk") as connection:
        file_two_policies(connection, "ZZ")
        entries = connection.execute(
            "SELECT entry_no, action, detail FROM governance.ledger ORDER BY entry_no"
        ).fetchall()
        assert entries == [(1, "approved", {"approver": "board"})]


@pytest.mark.parametrize(
    "change",
    ["UPDATE governance.ledger SET action = 'forgotten'", "DELETE FROM governance.ledger"],
    ids=["update", "delete"],
)
def test_the_owner_of_the_ledger_cannot_change_it(hk_role: Role, change: str) -> None:
    with hk_role("governance_clerk") as connection:
        file_two_policies(connection, "ZZ")
        # The clerk has no privilege to begin with; the owner has, and meets the trigger.
        with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
            connection.execute(change.encode())
        connection.execute("SET LOCAL ROLE none")
        with pytest.raises(errors.RestrictViolation), connection.transaction():
            connection.execute(change.encode())


def test_the_ledger_is_numbered_and_sealed(hk_role: Role) -> None:
    with hk_role("governance_clerk") as connection:
        file_two_policies(connection, "ZZ")
        connection.execute(
            "INSERT INTO governance.ledger (entry_no, subject, action, digest)"
            " VALUES (77, 'office', 'audited', 'forged'), (77, 'office', 'closed', 'forged')"
        )
        numbers = connection.execute("SELECT entry_no FROM governance.ledger ORDER BY 1").fetchall()
        assert numbers == [(1,), (2,), (3,)]
        connection.execute("SET LOCAL ROLE governance_officer")
        assert connection.execute("SELECT * FROM governance.ledger_breaks()").fetchall() == []


@pytest.mark.parametrize("jurisdiction", ["CH", "DE"])
def test_the_ledger_of_each_office_is_whole(hk_role: Role, hk_mode: str, jurisdiction: str) -> None:
    with hk_role("governance_officer", jurisdiction=jurisdiction) as connection:
        if hk_mode == "staging":
            assert connection.execute("SELECT FROM governance.ledger").fetchall()
        assert connection.execute("SELECT * FROM governance.ledger_breaks()").fetchall() == []


def serve(connection: Connection, jurisdiction: str) -> None:
    """Work on the records of one jurisdiction."""
    connection.execute("SELECT set_config('app.jurisdiction', %s, true)", [jurisdiction])


def file_two_policies(connection: Connection, jurisdiction: str) -> None:
    """Record two policies, of which the first is approved."""
    serve(connection, jurisdiction)
    connection.execute(
        "INSERT INTO governance.policy (title, document_url, effective_on) VALUES"
        " ('Travel', 'https://docs.example/travel.pdf', '2030-01-01'),"
        " ('Gifts', 'https://docs.example/gifts.pdf', '2030-01-01')"
    )
    connection.execute(
        "INSERT INTO governance.approval (policy_id, approver, decision)"
        " SELECT id, 'board', 'approved' FROM governance.policy WHERE title = 'Travel'"
    )
