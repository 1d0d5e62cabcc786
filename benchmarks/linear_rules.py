"""What rules, proofs and tripwires cost at 20, 400 and 1,600 tables: in proportion, or not at all.

The generated project (``many_tables``) is applied, and judged in a transaction. Rules, proofs and
contracts may grow with the tables, and no more; a tripwire may not grow. What counts is the
processor time of the sessions and of this process, where the system tells it. Exits with 1 above a
limit.

``--new`` judges in the transaction that has made the tables, as staging does with a first batch. At
the end of each subtransaction PostgreSQL looks at every relation that the transaction has made, and
each statement that a policy refuses ends one: what is tried on every table grows with new tables
times tables there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path

from many_tables import FILES, ROLES, bootstrap, migrations
from side_by_side import verdict

from pytest_housekeeping.checks.boundaries.verdict import verify_contract
from pytest_housekeeping.checks.builtins import read_builtins, replaced_builtins
from pytest_housekeeping.checks.rls import evaluate_rules, verify_rule
from pytest_housekeeping.checks.tripwires import trip_rule
from pytest_housekeeping.declarations.boundaries import parse_boundaries
from pytest_housekeeping.declarations.rls import parse_rls
from pytest_housekeeping.declarations.rules import BOUNDARY, shipped_rules
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.server import Server, ServerSettings, start

TODAY = date(2026, 6, 1)
TRIPWIRE = "tripwire "
TRIPWIRE_LIMIT = 1.3
# What a table costs at the larger size, against the smaller one: 1 is linear, 4 the square.
GROWTH_LIMIT = 1.3
RULES = shipped_rules()
RLS = parse_rls(
    FILES["checks/rls.toml"], path="rls.toml", known_rules=frozenset(rule.id for rule in RULES)
)
BOUNDARIES = parse_boundaries(FILES["checks/boundaries.toml"], path="boundaries.toml")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, nargs=3, default=[20, 400, 1600])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--new", action="store_true", help="in the transaction that made them")
    parser.add_argument("--each", action="store_true", help="show what each tripwire takes")
    given = parser.parse_args()
    measured: dict[int, list[dict[str, float]]] = {tables: [] for tables in given.tables}
    server = start(ServerSettings(max_locks=256 + 16 * max(given.tables)))
    try:
        with connect(server.database().superuser_conninfo) as empty:
            for _ in range(given.rounds):
                for tables in given.tables:
                    with applied(server, tables, new=given.new) as connection:
                        measured[tables].append(all_seconds(connection, empty))
    finally:
        server.stop()
    return judged(measured, each=given.each)


def judged(measured: dict[int, list[dict[str, float]]], *, each: bool) -> int:
    """Print what all rounds have taken with the ratios; 1 where a limit is exceeded."""
    few, some, many = measured
    above = 0
    known = {tables: _taken(rounds) for tables, rounds in measured.items()}
    for name in known[few]:
        values = {tables: taken[name] for tables, taken in known.items()}
        if each or not name.startswith(TRIPWIRE):
            shown = "".join(f"{value:9.3f}" for value in values.values())
            print(f"{name:42} {shown} s   at {few}, {some}, {many} tables")
        if name == "all tripwires":
            above |= verdict(f"  at {many} / at {few}", values[many] / values[few], TRIPWIRE_LIMIT)
        elif not name.startswith(TRIPWIRE):
            growth = values[many] / values[some] / (many / some)
            above |= verdict(f"  a table at {many} / at {some}", growth, GROWTH_LIMIT)
    return above


def _taken(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of all rounds; of a tripwire, which is over in some milliseconds and has all of
    them alike to do, the least, for whatever else the machine does only adds to it."""
    found = {
        name: (min if name.startswith(TRIPWIRE) else statistics.median)(
            seconds[name] for seconds in rounds
        )
        for name in rounds[0]
    }
    tripwires = sum(each for name, each in found.items() if name.startswith(TRIPWIRE))
    return found | {"all tripwires": tripwires}


def all_seconds(connection: Connection, empty: Connection) -> dict[str, float]:
    """What each rule, proof, contract and tripwire takes. Exits where one of them fails."""
    pids = [connection.info.backend_pid, empty.info.backend_pid]

    def seconds(work: Callable[[], object]) -> float:
        began = processor_seconds(pids)
        found = work()
        taken = processor_seconds(pids) - began
        if isinstance(found, Verdict) and not (found.passed and found.examined):
            sys.exit(f"{work}: {found.findings[:3]}")
        return taken

    found = {"the catalogue": seconds(partial(evaluate_rules, connection, RLS, RULES))}
    for rule in RULES:
        if rule.family != BOUNDARY and rule.proof:
            proof = partial(verify_rule, connection, RLS, rule, today=TODAY)
            found[f"proof {rule.id}"] = seconds(proof)
    for contract in BOUNDARIES.contracts:
        check = partial(verify_contract, connection, BOUNDARIES, contract, RULES)
        found[f"contract, {contract.type}"] = seconds(check)
    tripwires = {f"{TRIPWIRE}{each.id}": seconds(partial(trip_rule, empty, each)) for each in RULES}
    tripwires[f"{TRIPWIRE}builtins"] = seconds(
        lambda: replaced_builtins(read_builtins(connection), read_builtins(empty))
    )
    return found | tripwires


def processor_seconds(pids: Sequence[int]) -> float:
    """What these processes and this one have used, where the system tells; else the time of day."""
    try:
        taken = [int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids]
    except OSError:
        return time.perf_counter()
    return sum(taken) / 1e9 + time.process_time()


@contextmanager
def applied(server: Server, tables: int, *, new: bool) -> Iterator[Connection]:
    """The migrating role's connection, in a transaction, beside or behind so many tables."""
    database = server.database()
    with connect(database.superuser_conninfo) as superuser:
        for role in ROLES:
            superuser.execute(bootstrap(role).encode())
    with connect(database.migrator_conninfo) as connection:
        connection.execute("BEGIN")
        for each in migrations(tables, per_file=10):
            connection.execute(each.text.encode())
        if not new:
            connection.execute("COMMIT")
            connection.execute("ANALYZE")
            connection.execute("BEGIN")
        yield connection
        connection.execute("ROLLBACK")
    server.drop(database)


if __name__ == "__main__":
    sys.exit(main())
