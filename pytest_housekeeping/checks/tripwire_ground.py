"""The ground of a tripwire: roles, schemas and a setting of its own, with nothing else in them.

It is laid in an empty database of the server, so that nothing of the project's can keep a sound
rule from firing or has to be looked through: no default privilege, event trigger or setting of a
database reaches beyond it, and what belongs to the whole server is made here under a new name.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pytest_housekeeping.declarations.boundaries import ALLOWED, App, Boundaries, Contract, Zone
from pytest_housekeeping.declarations.rls import DeclaredPolicy, RlsContract
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule, fill, placeholders
from pytest_housekeeping.sql.identifiers import quoted


class NotPlanted(Exception):
    """Why a defect could not be planted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardedBoundary:
    """A source and a target, with the one contract between them."""

    boundaries: Boundaries
    contract: Contract


Guarded: TypeAlias = RlsContract | GuardedBoundary
"""What a rule guards: the row-level-security contract, or a boundary."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TripwireGround:
    """``sql`` makes it, run by a superuser; afterwards the session acts as its migrating role.

    ``guarded`` declares it, ``values`` are its names by placeholder, as SQL.
    """

    guarded: Guarded
    values: Mapping[str, str]
    sql: str


def ground_for(rule: Rule, database: str, *, migrator: str = "") -> TripwireGround:
    """What to plant the rule's tripwire in. Raises NotPlanted where a placeholder has no value.

    ``migrator`` is the migrating role of grounds that are laid already; without it, it is made.
    """
    values = {name: f"hk_{name}_{secrets.token_hex(6)}" for name in _NAMES}
    values |= {"migrator": migrator} if migrator else {}
    values |= {
        "database": quoted(database),
        "setting": f"{values['tripwire_role']}.identity",
        "table": f"{values['schema']}.hk_sound",
        "target_relation": f"{values['target_schema']}.hk_held",
    }
    used = frozenset().union(
        *(
            placeholders(t)
            for t in (rule.tripwire.sql, rule.tripwire.object, rule.tripwire.superuser)
        )
    )
    missing = used - values.keys()
    if missing:
        raise NotPlanted(f"nothing can stand for {', '.join(sorted(missing))}")
    made = _AS_BEFORE if migrator else _MIGRATOR
    if rule.family == BOUNDARY:
        guarded: Guarded = _boundary(rule, values)
        parts = [made, _BOUNDARY, _USED] if rule.contract == ALLOWED else [made, _BOUNDARY]
    else:
        guarded = _protected(values)
        parts = [made, _PROTECTED, _SOUND] if "table" in used else [made, _PROTECTED]
    return TripwireGround(guarded=guarded, values=values, sql=fill("".join(parts), values))


def _protected(values: Mapping[str, str]) -> RlsContract:
    """One schema, protected from one role; a table in it that declares its policy."""
    declared = DeclaredPolicy(
        table_object=f"{values['schema']}.hk_tripwire_declared",
        name="declared",
        using_expression="false",
    )
    return RlsContract(
        schemas=(values["schema"],),
        roles=(values["role"],),
        context=(values["setting"],),
        policies=(declared,),
    )


def _boundary(rule: Rule, values: Mapping[str, str]) -> GuardedBoundary:
    source = App(name="source", roles=(values["source_role"],), schemas=(values["source_schema"],))
    target = Zone(name="target", schemas=(values["target_schema"],))
    contract = Contract(name="tripwire", type=rule.contract, source="source", target="target")
    boundaries = Boundaries(apps=(source,), zones=(target,), contracts=(contract,))
    return GuardedBoundary(boundaries=boundaries, contract=contract)


# Small letters, digits and underscores: valid as they stand, quoted or not.
_NAMES = (
    "migrator",
    "schema",
    "role",
    "source_schema",
    "source_role",
    "target_schema",
    "tripwire_role",
    "good_role",
)

# Shaped like the role of a project: it owns the database and may create roles, no more.
_MIGRATOR = """
CREATE ROLE {migrator} CREATEROLE;
ALTER DATABASE {database} OWNER TO {migrator};
"""
_AS_BEFORE = "SET LOCAL ROLE NONE;"
_PROTECTED = """
CREATE ROLE {role};
GRANT {role} TO {migrator} WITH ADMIN OPTION;
SET LOCAL ROLE {migrator};
CREATE SCHEMA {schema};
GRANT USAGE ON SCHEMA {schema} TO {role};
"""
_SOUND = """
CREATE TABLE {table} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text NOT NULL, note text
);
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON {table} TO {role}
USING (tenant = nullif(current_setting('{setting}', true), ''));
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role};
"""
_BOUNDARY = """
CREATE ROLE {source_role};
GRANT {source_role} TO {migrator} WITH ADMIN OPTION;
SET LOCAL ROLE {migrator};
CREATE SCHEMA {source_schema};
CREATE SCHEMA {target_schema};
GRANT USAGE ON SCHEMA {source_schema} TO {source_role};
CREATE TABLE {target_relation} (id integer);
"""
_USED = """
GRANT USAGE ON SCHEMA {target_schema} TO {source_role};
GRANT SELECT ON {target_relation} TO {source_role};
"""
