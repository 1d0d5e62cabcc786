"""What stands in a database, as text: a witness that knows nothing of the project's own reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

# Every line is one object; names instead of OIDs, and only what is not PostgreSQL's own.
_CATALOG = """
WITH n AS (
    SELECT * FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), c AS (
    SELECT c.* FROM pg_class AS c JOIN n ON n.oid = c.relnamespace
)
SELECT concat_ws(' ', 'schema', nspname, nspowner::regrole, nspacl) FROM n
UNION ALL
SELECT concat_ws(' ', 'relation', oid::regclass, relkind, relowner::regrole, relacl,
    relrowsecurity, relforcerowsecurity, reloptions, relpersistence,
    obj_description(oid, 'pg_class'))
FROM c
UNION ALL
SELECT concat_ws(' ', 'column', attrelid::regclass, attnum, attname,
    format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attacl,
    pg_get_expr(adbin, adrelid))
FROM pg_attribute AS a JOIN c ON c.oid = attrelid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attnum > 0
UNION ALL
SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, convalidated,
    pg_get_constraintdef(k.oid))
FROM pg_constraint AS k JOIN n ON n.oid = connamespace
UNION ALL
SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), indisvalid, indisready)
FROM pg_index JOIN c ON c.oid = indexrelid
UNION ALL
SELECT concat_ws(' ', 'view', oid::regclass, pg_get_viewdef(oid)) FROM c WHERE relkind IN ('v', 'm')
UNION ALL
SELECT concat_ws(' ', 'policy', p.*) FROM pg_policies AS p
UNION ALL
SELECT concat_ws(' ', 'function', pg_get_functiondef(p.oid), proowner::regrole, proacl)
FROM pg_proc AS p JOIN n ON n.oid = pronamespace
UNION ALL
SELECT concat_ws(' ', 'trigger', tgrelid::regclass, pg_get_triggerdef(t.oid), tgenabled)
FROM pg_trigger AS t JOIN c ON c.oid = tgrelid WHERE NOT tgisinternal
UNION ALL
SELECT concat_ws(' ', 'type', t.oid::regtype, typtype, typowner::regrole, typacl,
    ARRAY(SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder))
FROM pg_type AS t JOIN n ON n.oid = typnamespace
UNION ALL
SELECT concat_ws(' ', 'extension', extname, extversion) FROM pg_extension
UNION ALL
SELECT concat_ws(' ', 'role', rolname, rolsuper, rolbypassrls, rolcreaterole, rolcanlogin,
    rolcreatedb, rolreplication, rolconfig,
    ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid ORDER BY 1))
FROM pg_roles AS r WHERE rolname !~ '^pg_'
UNION ALL
SELECT concat_ws(' ', 'default', defaclrole::regrole, defaclobjtype, defaclacl)
FROM pg_default_acl
UNION ALL
SELECT concat_ws(' ', 'database', datdba::regrole, datacl, datallowconn)
FROM pg_database WHERE datname = current_database()
ORDER BY 1
"""
_TABLES = """
SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE relkind = 'r' AND nspname !~ '^pg_'
AND nspname NOT IN ('information_schema', 'housekeeping') ORDER BY 1
"""
_KEPT = (
    ("housekeeping.history", "path, kind, sha256, source_commit"),
    ("housekeeping.promotion", "segment, segments, plan_digest, fingerprint, source_commit"),
)


@dataclass(frozen=True, kw_only=True)
class State:
    """The catalog, the history and the rows of a database; equal means nothing has changed."""

    catalog: tuple[str, ...]
    history: tuple[tuple[Any, ...], ...]
    promotions: tuple[tuple[Any, ...], ...]
    rows: tuple[tuple[str, int, str], ...]

    def differences(self, other: State) -> list[str]:
        """What is in one and not in the other, for a message that can be read."""
        return [
            *(f"- {line}" for line in sorted(set(self.catalog) - set(other.catalog))),
            *(f"+ {line}" for line in sorted(set(other.catalog) - set(self.catalog))),
            *(f"- {row}" for row in (*self.history, *self.promotions) if row not in other.kept),
            *(f"+ {row}" for row in other.kept if row not in self.kept),
            *(f"rows {self.rows} -> {other.rows}" for _ in [1] if self.rows != other.rows),
        ]

    @property
    def kept(self) -> tuple[tuple[Any, ...], ...]:
        return (*self.history, *self.promotions)


def read_state(connection: psycopg.Connection[Any]) -> State:
    """Read it in one snapshot, as a superuser whom no policy hides anything from."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute("SET LOCAL search_path = ''")
        lines = tuple(line for (line,) in connection.execute(_CATALOG))
        history, promotions = (_kept(connection, *each) for each in _KEPT)
        return State(catalog=lines, history=history, promotions=promotions, rows=_rows(connection))


def _kept(connection: psycopg.Connection[Any], name: str, columns: str) -> tuple[Any, ...]:
    (found,) = connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() or (None,)
    if found is None:
        return ()
    return tuple(connection.execute(f"SELECT {columns} FROM {name} ORDER BY id").fetchall())


def _rows(connection: psycopg.Connection[Any]) -> tuple[tuple[str, int, str], ...]:
    """Number and digest of the rows of every table of the project."""
    tables = connection.execute(_TABLES).fetchall()
    found = []
    for (table,) in tables:
        row = connection.execute(
            f"SELECT count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"
            f" FROM {table} AS t"
        ).fetchone()
        found.append((str(table), *(row or ())))
    return tuple(found)
