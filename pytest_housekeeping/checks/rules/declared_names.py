"""The schemas, roles and tables that a contract names: are they there, can one act as the roles?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.checks.rules.scope import run_readonly
from pytest_housekeeping.declarations.toml import closest
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.connection import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingName:
    """A name that is declared and not there; ``hint`` names the closest one that is."""

    kind: str
    name: str
    hint: str = ""

    def finding(self, rule: str, file: str, level: Level = Level.ERROR) -> Finding:
        return Finding(
            rule=rule,
            level=level,
            object=self.name,
            detail=f"the {self.kind} is declared in {file} and not there{self.hint}",
            fix=f"create the {self.kind}, or correct its name",
        )


def missing_names(
    connection: Connection,
    schemas: Sequence[str],
    roles: Sequence[str],
    tables: Sequence[str] = (),
) -> list[MissingName]:
    """What is declared and not there: schemas first, then roles, then tables."""
    schemas_there, roles_there = run_readonly(
        connection,
        b"SELECT (SELECT pg_catalog.array_agg(nspname::text) FROM pg_catalog.pg_namespace),"
        b" (SELECT pg_catalog.array_agg(rolname::text) FROM pg_catalog.pg_roles)",
    )
    missing = [
        *_not_among(schemas_there, "schema", schemas),
        *_not_among(roles_there, "role", roles),
    ]
    for table in tables:
        row = connection.execute(
            "SELECT pg_catalog.to_regclass(%s) IS NOT NULL", (table,)
        ).fetchone()
        if row is None or not row[0]:
            missing.append(MissingName(kind="table", name=table))
    return missing


def _not_among(there: Iterable[str], kind: str, names: Iterable[str]) -> Iterator[MissingName]:
    known = set(there)
    own = {name for name in known if not name.startswith("pg_")}
    for name in names:
        if name not in known:
            yield MissingName(kind=kind, name=name, hint=closest(name, own))


def roles_out_of_reach(connection: Connection, rule: str, roles: Sequence[str]) -> list[Finding]:
    """A finding for each role that the migrator may not SET ROLE to.

    What such a role is refused could not be told from what the migrator is refused.
    """
    findings = []
    for role in roles:
        try:
            attempt_all(connection, [Attempt(role=role, statement="SELECT 1")])
        except RuleBroken as error:
            findings.append(
                Finding(
                    rule=rule,
                    level=Level.ERROR,
                    object=role,
                    detail=f"the migrator cannot act as this role: {error.found}",
                    fix="GRANT the role to the migrator",
                )
            )
    return findings
