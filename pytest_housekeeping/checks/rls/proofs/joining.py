"""Rows that make one a member of what is another's: tables that policies look into to find out who
may see what.

A row of such a table may well be one's own, and isolation of the table itself be proved. Tried is
whether a role, acting for one identity, can put that identity into the other's row: by INSERT, or
by UPDATE of its own row. What a constraint stops is no leak here: the key of a parent cannot be
taken twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_housekeeping.checks.rls.expressions.policies import read_policies
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.checks.rls.rows.canary import Canaries, canaries
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.declarations.identity import Claim, settings_of
from pytest_housekeeping.sql.identifiers import in_quotes

# The columns of a table that policies of others compare with their own.
_Linked = Mapping[str, frozenset[str]]


def find_joining(
    ground: ProofGround, tables: Sequence[ProtectedTable]
) -> list[tuple[ProtectedTable, str, str]]:
    """What roles can do to become members of what is another's: the table, the role, and in
    words."""
    linked = _linked(ground)
    asked = [
        table
        for table in tables
        if table.object in linked and any(each.insert or each.update for each in table.privileges)
    ]
    if not asked:
        return []
    with canaries(ground, asked) as made_up:
        tried = [
            (table, words, attempt)
            for table in asked
            for privileges in table.privileges
            for words, attempt in _attempts(
                ground.context, table, privileges, linked[table.object], made_up
            )
        ]
        results = attempt_all(ground.connection, [attempt for _, _, attempt in tried])
    return [
        (table, attempt.role, words)
        for (table, words, attempt), result in zip(tried, results, strict=True)
        if not result.sqlstate and result.rows
    ]


def _linked(ground: ProofGround) -> _Linked:
    objects = {(table.schema, table.name): table.object for table in ground.known}
    found: dict[str, set[str]] = {}
    for table in ground.known:
        for link in read_policies(table, ground.functions).links:
            for relation, column in (link.one, link.other):
                if relation in objects and objects[relation] != table.object:
                    found.setdefault(objects[relation], set()).add(column)
    return {name: frozenset(columns) for name, columns in found.items()}


def _attempts(
    context: Sequence[Claim],
    table: ProtectedTable,
    privileges: RolePrivileges,
    linked: frozenset[str],
    made_up: Canaries,
) -> Iterator[tuple[str, Attempt]]:
    """To put the one identity into the other's row."""
    rows = {row.who: dict(row.values) for row in made_up.rows if row.shape.object == table.object}
    identity = dict(made_up.identities[table.object].identity_columns)
    links = sorted(linked - identity.keys())
    if set(rows) != {0, 1} or not identity or table.object in made_up.reasons:
        return
    mine, theirs = rows[0], rows[1]
    links = [name for name in links if theirs.get(name) not in (None, mine.get(name))]
    if not links:
        return
    settings = settings_of(context, made_up.settings[0])
    role = privileges.role
    shown = ", ".join(f"{name} = {theirs[name]}" for name in links)
    joined = {**theirs, **{name: mine[name] for name in identity if name in mine}}
    if set(joined) <= privileges.insert:
        names = ", ".join(in_quotes(name) for name in joined)
        values = ", ".join(literal(value) for value in joined.values())
        yield (
            f"{role} makes itself a member of what is another's: it inserts a row with {shown}",
            Attempt(
                role=role,
                settings=settings,
                statement=f"INSERT INTO {table.object} ({names})"
                f" OVERRIDING SYSTEM VALUE VALUES ({values})",
                query=False,
            ),
        )
    if set(links) <= privileges.update:
        changes = ", ".join(f"{in_quotes(name)} = {literal(theirs[name])}" for name in links)
        yield (
            f"{role} makes itself a member of what is another's: it updates its row to {shown}",
            Attempt(
                role=role,
                settings=settings,
                statement=f"UPDATE {table.object} SET {changes}",
                query=False,
            ),
        )
