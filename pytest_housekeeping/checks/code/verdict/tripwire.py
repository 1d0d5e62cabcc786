"""Plant a forbidden line in files of its own, and see the contract catch it on this schema."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

from psycopg import sql

from pytest_housekeeping.checks.code.verdict.breach import BOUNDARY
from pytest_housekeeping.checks.code.verdict.judge import judge_code
from pytest_housekeeping.declarations.boundaries import App, Boundaries, Contract, Zone
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import split_name

_FOLDER = "planted"
# One file in each of the languages that people write by hand.
_PLANTED = {
    "planted.py": 'def planted(cursor):\n    cursor.execute("SELECT 1 FROM {}")\n',
    "planted.ts": 'export const planted = (db) => db.query("SELECT 1 FROM {}");\n',
    "planted.sql": "SELECT 1 FROM {};\n",
}
_QUIET_FILE, _QUIET = "quiet.sql", "SELECT 1;\n"


def trip_code(connection: Connection, boundaries: Boundaries, contract: Contract) -> Verdict:
    """Whether a line that names a relation of the target is found in each language.

    Beside it a line that names nothing must find nothing. The files lie in a temporary folder; the
    project's own are not touched. Raises RuleBroken when the server cannot be asked.
    """
    relation = next(_relations(connection, boundaries.target(contract)), None)
    if relation is None:
        return _failed(contract, f"{contract.target} has no relation that a line could name")
    with tempfile.TemporaryDirectory(prefix="hk-planted-") as scratch:
        root = Path(scratch)
        (root / _FOLDER).mkdir()
        (root / _FOLDER / _QUIET_FILE).write_text(_QUIET, encoding="utf-8")
        for name, text in _PLANTED.items():
            # A string literal of these languages takes what a quoted identifier may hold escaped.
            written = relation if name.endswith(".sql") else relation.replace('"', '\\"')
            (root / _FOLDER / name).write_text(text.format(written), encoding="utf-8")
        seen = _found(connection, boundaries, contract, root)
    fired = {each.object.partition(":")[0].removeprefix(f"{_FOLDER}/") for each in seen}
    if not fired <= set(_PLANTED):
        return _failed(contract, "it fires where nothing is planted", seen)
    dead = sorted(set(_PLANTED) - fired)
    if dead:
        return _failed(contract, f"no finding for {relation} in {', '.join(dead)}", seen)
    said = f"it fired on {relation} in {', '.join(_PLANTED)}, and was quiet without it"
    return Verdict(examined=len(_PLANTED), unit="planted lines", evidence=(said,))


def _found(
    connection: Connection, boundaries: Boundaries, contract: Contract, root: Path
) -> tuple[Finding, ...]:
    # The contract is judged as always, but for the code: the source's is what was planted.
    source = boundaries.source(contract)
    apps = tuple(
        replace(app, code=(f"{_FOLDER}/**",) if app == source else ()) for app in boundaries.apps
    )
    planted = replace(boundaries, apps=apps)
    # Nothing is exempt there, on whichever day.
    verdict = judge_code(
        *(connection, planted, contract, root),
        today=date.max,
        broken=False,
        cache_folder=root / "cache",
    )
    return tuple(each for each in verdict.findings if each.rule == BOUNDARY)


def _relations(connection: Connection, target: App | Zone) -> Iterator[str]:
    """Relations of the target, quoted where they have to be: declared ones first."""
    yield from (sql.Identifier(*split_name(each)).as_string(connection) for each in target.tables)
    rows = connection.execute(_FIRST, {"schemas": list(target.schemas)}).fetchall()
    yield from (name for (name,) in rows)


_FIRST = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = ANY (%(schemas)s)
ORDER BY n.nspname, c.relname LIMIT 1
"""


def _failed(contract: Contract, detail: str, seen: tuple[Finding, ...] = ()) -> Verdict:
    others = f"; it said: {'; '.join(str(each) for each in seen)}" if seen else ""
    finding = Finding(
        rule="tripwire",
        level=Level.ERROR,
        object=contract.name,
        detail=f"the contract on code can not be seen to fire: {detail}{others}",
        fix="a contract that never fires guards nothing; what is read:"
        " python -m pytest_housekeeping docs code",
    )
    return Verdict(examined=1, unit="planted lines", findings=(finding,))
