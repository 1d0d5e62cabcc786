"""Random chains of migrations with their rollbacks, each valid where it stands, for hypothesis.

All of it may run in one transaction, as a role that is no superuser, has CREATE on the database and
finds the roles ``app_one`` and ``app_two``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from hypothesis import strategies as st

# Each registers its kinds of changes.
from support import ddl_steps_alter, ddl_steps_drop, ddl_steps_new
from support.ddl_build import STEPS, Builder, Change, tables, text, together
from support.ddl_expressions import condition
from support.ddl_model import ROLES, Schema, quoted
from support.ddl_tables import Table

__all__ = ["KINDS", "Chain", "Change", "chains"]

KINDS = tuple(STEPS)
_FIRST = ("enum", "domain", "sequence", "function", "trigger function", "composite type")
_THEN = ("unique", "index", "check", "view", "policy", "column", "trigger", "sequence owned")
# Of wider integers hypothesis draws the small ones far more often.
_SEEDS = 2**24 - 1
_MODULES = (ddl_steps_alter, ddl_steps_drop, ddl_steps_new)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Migrations in their order, and the repeatable files that fit the schema at their end.

    Views and policies are pairs of a file's name and its text, which may be run again and again.
    """

    changes: tuple[Change, ...]
    views: tuple[tuple[str, str], ...]
    policies: tuple[tuple[str, str], ...]


def chains(
    *,
    min_changes: int = 2,
    max_changes: int = 10,
    irreversible: bool = True,
    owners: tuple[str, ...] = (),
) -> st.SearchStrategy[Chain]:
    """Chains of so many changes.

    The first makes a schema with a table or two in it. With ``irreversible`` some have no ``down``.
    ``owners`` are roles in which the migrator is, and which may get a table: without one, ALTER ...
    OWNER is said with the owner that there is.
    """
    seeds = st.lists(st.integers(0, _SEEDS), min_size=min_changes, max_size=max_changes)
    return st.builds(partial(_chain, irreversible=irreversible, owners=owners), seeds)


def _chain(seeds: list[int], *, irreversible: bool, owners: tuple[str, ...]) -> Chain:
    b = Builder(owners=owners)
    kinds = [kind for kind in KINDS if irreversible or STEPS[kind].reversible]
    changes: list[Change] = []
    for seed in seeds:
        b.random.seed(seed)
        changes.append(_any(b, kinds) if changes else _ground(b))
    return Chain(changes=tuple(changes), views=_views(b), policies=_policies(b))


def _ground(b: Builder) -> Change:
    """One migration that makes what the next ones change."""
    first = b.create("", Schema(name=b.name("s")))
    more = [_any(b, b.some(_FIRST, 3)) for _ in range(b.number(3))]
    made = [_made(b, "table"), *(_made(b, "table") for _ in range(b.number(1)))]
    return together("schema", [first, *more, *made, *(_any(b, _THEN) for _ in range(b.number(4)))])


def _any(b: Builder, kinds: list[str] | tuple[str, ...]) -> Change:
    """One of these kinds that is possible. There is always a schema to be made."""
    able = [kind for kind in kinds if STEPS[kind].candidates(b.model)]
    return _made(b, b.pick(able or ["schema"]))


def _made(b: Builder, kind: str) -> Change:
    return STEPS[kind].make(b, b.pick(STEPS[kind].candidates(b.model)))


def _filled(b: Builder) -> list[Table]:
    return [each for each in tables(b.model) if each.columns]


def _views(b: Builder) -> tuple[tuple[str, str], ...]:
    """Half of them dropped first, half replaced."""
    found: list[tuple[str, str]] = []
    for table in _filled(b)[:2]:
        said = f"{table.schema.said}.{quoted(b.name('shown'))}"
        columns = ", ".join(each.ref for each in b.some(table.columns, 3))
        query = f"VIEW {said} AS SELECT {columns} FROM {table.said}"
        if b.flag():
            statements = [f"DROP VIEW IF EXISTS {said}", f"CREATE {query}"]
        else:
            statements = [f"CREATE OR REPLACE {query}"]
        statements.append(f"GRANT SELECT ON {said} TO {b.pick(ROLES)}")
        found.append((f"view_{len(found)}.sql", text(statements)))
    return tuple(found)


def _policies(b: Builder) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for table in _filled(b)[:2]:
        policy, role = quoted(b.name("rows")), b.pick(ROLES)
        using = condition(b, b.pick(table.columns)).sql
        statements = [
            f"ALTER TABLE {table.said} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table.said} FORCE ROW LEVEL SECURITY",
            f"DROP POLICY IF EXISTS {policy} ON {table.said}",
            f"CREATE POLICY {policy} ON {table.said} TO {role} USING ({using})",
            f"GRANT SELECT, INSERT ON {table.said} TO {role}",
        ]
        found.append((f"policy_{len(found)}.sql", text(statements)))
    return tuple(found)
