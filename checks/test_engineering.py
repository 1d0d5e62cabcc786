"""Engineering as its application meets it: each team sees its own services and their troubles."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors, sql

Connection = psycopg.Connection[tuple[Any, ...]]
Role = Callable[..., AbstractContextManager[Connection]]

OWNED = ("service", "deployment", "incident", "feature_flag", "service_status")


@pytest.mark.parametrize("relation", OWNED)
def test_each_team_sees_its_own_rows_and_no_others(hk_role: Role, relation: str) -> None:
    ours, theirs = uuid4(), uuid4()
    owners = sql.SQL("SELECT DISTINCT team_id FROM engineering.{}").format(sql.Identifier(relation))
    with hk_role("engineering_app") as connection:
        for team in (theirs, ours):
            run_a_service(connection, team)
        for team in (theirs, ours):
            enter(connection, team)
            assert connection.execute(owners).fetchall() == [(team,)]
        enter(connection, None)
        assert connection.execute(owners).fetchall() == []


def test_an_update_belongs_to_the_team_of_its_incident(hk_role: Role) -> None:
    post = "INSERT INTO engineering.incident_update (incident_id, author, body) VALUES (%s, %s, %s)"
    with hk_role("engineering_app") as connection:
        incident = run_a_service(connection, uuid4())
        connection.execute(post, [incident, "on-call", "Looking."])
        read = "SELECT body FROM engineering.incident_update WHERE incident_id = %s"
        assert connection.execute(read, [incident]).fetchall() == [("Looking.",)]
        run_a_service(connection, uuid4())
        assert connection.execute(read, [incident]).fetchall() == []
        with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
            connection.execute(post, [incident, "stranger", "Not ours."])


def test_the_status_page_shows_what_runs_and_what_is_open(hk_role: Role) -> None:
    status = "SELECT name, commit_sha, open_incidents FROM engineering.service_status"
    with hk_role("engineering_app") as connection:
        run_a_service(connection, uuid4())
        assert connection.execute(status).fetchall() == [("api", "a" * 40, 1)]
        connection.execute("UPDATE engineering.incident SET resolved_at = now()")
        assert connection.execute(status).fetchall() == [("api", "a" * 40, 0)]


def test_a_flag_is_dated_when_it_is_switched(hk_role: Role) -> None:
    with hk_role("engineering_app") as connection:
        run_a_service(connection, uuid4())
        dated = connection.execute(
            "UPDATE engineering.feature_flag SET is_enabled = TRUE, updated_at = '2000-01-01'"
            " RETURNING updated_at = now()"
        ).fetchall()
        assert dated == [(True,)]


def enter(connection: Connection, team: UUID | None) -> None:
    """Act for a team, as an application does when it takes a connection from its pool."""
    connection.execute("SELECT set_config('app.team_id', %s, true)", [str(team or "")])


def run_a_service(connection: Connection, team: UUID) -> int:
    """Set up a team with one service, deployed twice, a flag and an open incident."""
    enter(connection, team)
    connection.execute("INSERT INTO engineering.team (name) VALUES ('Test')")
    connection.execute(
        "INSERT INTO engineering.service (name, repository_url)"
        " VALUES ('api', 'https://git.example/test/api')"
    )
    connection.execute(
        "INSERT INTO engineering.deployment (service_id, commit_sha, outcome, finished_at)"
        " SELECT id, repeat('a', 40), 'succeeded'::engineering.deployment_outcome, now()"
        " FROM engineering.service"
        " UNION ALL SELECT id, repeat('b', 40), 'failed', now() FROM engineering.service"
    )
    connection.execute(
        "INSERT INTO engineering.feature_flag (name, service_id)"
        " SELECT 'faster', id FROM engineering.service"
    )
    opened = connection.execute(
        "INSERT INTO engineering.incident (service_id, severity, summary)"
        " SELECT id, 'major', 'Slow' FROM engineering.service RETURNING id"
    ).fetchone()
    assert opened is not None
    return int(opened[0])
