"""What is looked at for rows close to one's own: each command of a role on a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.rls.expressions.constants import Settings
from pytest_housekeeping.checks.rls.expressions.names import may_name
from pytest_housekeeping.checks.rls.identities.identities import TableIdentities
from pytest_housekeeping.checks.rls.planner.condition import NEW_ROW, WRITES, policy_condition
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.declarations.identity import Claim, Identity, settings_of


@dataclass(frozen=True, kw_only=True, slots=True)
class NearCase:
    """One command of a role on a table, acting for an identity. ``settings`` are those of it."""

    number: int
    table: ProtectedTable
    privileges: RolePrivileges
    command: str
    condition: str
    columns: Mapping[str, Claim]
    values: Mapping[Claim, str]
    settings: Settings
    identity: Identity
    derived: frozenset[str]
    setup: str = ""

    @property
    def session(self) -> tuple[str, Settings]:
        return self.privileges.role, self.settings


def near_cases(
    number: int,
    context: Sequence[Claim],
    table: ProtectedTable,
    privileges: RolePrivileges,
    identities: TableIdentities,
) -> Iterator[NearCase]:
    """What a role may do with a table, one command after the other, for one of its identities."""
    all_columns = dict((*identities.derived, *identities.identity_columns))
    # Those that were found in other tables may say nothing of these columns.
    candidates = [
        each for each in identities.candidates if set(all_columns.values()) <= dict(each).keys()
    ]
    if not candidates or not all_columns:
        return
    seen = policy_condition(table, privileges, "SELECT")
    # Who may see a row is its owner; one that it names besides is not.
    owning = {name: claim for name, claim in all_columns.items() if seen and may_name(seen, name)}
    plain = candidates[0]
    asked_for = next((each for each in candidates if set(identities.constants) & set(each)), plain)
    commands = privileges.commands
    for command in (*commands, NEW_ROW) if "UPDATE" in commands else commands:
        condition = policy_condition(table, privileges, command)
        if not condition or (command == "SELECT" and table.is_public):
            continue
        # A role that a policy asks for may be one that sees everything.
        own = asked_for if command in WRITES else plain
        columns = owning if owning and command in WRITES else all_columns
        for identity in (own, *_patterns(table, condition, columns, own)):
            values = dict(identity)
            yield NearCase(
                number=number,
                table=table,
                privileges=privileges,
                command=command,
                condition=condition,
                columns=columns,
                values=values,
                settings=settings_of(context, identity),
                identity=identity,
                derived=frozenset(dict(identities.derived)),
            )


def _patterns(
    table: ProtectedTable, condition: str, columns: Mapping[str, Claim], identity: Identity
) -> Iterator[Identity]:
    """One whose name is a pattern, where a column is compared by LIKE with no more than the name:
    whoever may call himself a_me then passes for a-me."""
    texts = {
        claim
        for name, claim in columns.items()
        if (column := table.column(name)) and column.type in ("text", "character varying")
    }
    if "~~" in condition and "||" not in condition and texts & dict(identity).keys():
        yield tuple(
            (claim, f"{value[:-1]}_" if claim in texts else value) for claim, value in identity
        )
