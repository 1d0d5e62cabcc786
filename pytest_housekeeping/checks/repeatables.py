"""View and policy files applied a second time: whether they can be, and what they take along."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.model import Finding, Kind, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection, Savepoint
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.snapshot.compare.difference import diff
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.sql.file import SqlFile

_AGAIN = "when it is applied again, as it is whenever its text changes"
_FIX = {
    Kind.POLICY: "begin the file with DROP POLICY IF EXISTS ... ON ...; for each of its policies",
    Kind.VIEW: "write CREATE OR REPLACE VIEW; or begin the file with DROP VIEW IF EXISTS ...; and"
    " move what depends on it into the same file, behind it",
}
_MOVE = "move what it takes along into the same file, behind what it makes"


def prove_repeatables(
    transaction: Transaction,
    files: Sequence[SqlFile],
    read_text: Callable[[SqlFile], str],
    read_schema: Callable[[Connection], Fingerprint],
) -> Mapping[str, Verdict]:
    """The verdict on each file, by its path, on the schema that all of them have made.

    All are applied once more, the last one first, so that what one of them takes away from those
    behind it does not come back; the schema must stay as it is. Where it does not, each is looked
    at alone. Those of `every` batch are always applied together, in their order. The caller sets a
    savepoint before, and rolls back to it afterwards.
    """
    before = read_schema(transaction.connection)

    def found(group: Sequence[SqlFile]) -> list[Finding]:
        with _undone(transaction):
            for file in group:
                try:
                    transaction.apply(file, read_text(file))
                except SqlFailed as error:
                    return [_refused(file, error)]
            return list(_changed(group[0], before, read_schema(transaction.connection)))

    every = [file for file in files if file.every]
    groups = [*([file] for file in files if not file.every), *([every] if every else ())]
    together = found([file for group in reversed(groups) for file in group]) if files else []
    alone = {
        file.path: found(group) if together and file is group[-1] else []
        for group in groups
        for file in group
    }
    if together and not any(alone.values()):
        alone[files[-1].path] = together
    return {
        path: Verdict(examined=1, unit="files", findings=tuple(findings))
        for path, findings in alone.items()
    }


@contextmanager
def _undone(transaction: Transaction) -> Iterator[None]:
    savepoint = Savepoint()
    transaction.connection.execute(savepoint.begin)
    with transaction.rehearsing():
        try:
            yield
        finally:
            transaction.connection.execute(savepoint.back)


def _refused(file: SqlFile, error: SqlFailed) -> Finding:
    return Finding(
        rule="repeatable-fails",
        level=Level.ERROR,
        object=file.path,
        detail=f"fails {_AGAIN}: {error.found.removeprefix(f'{file.path}:')}",
        fix=_FIX[file.kind],
    )


def _changed(file: SqlFile, before: Fingerprint, after: Fingerprint) -> Iterator[Finding]:
    for each in diff(before, after):
        told = f": {each.told}" * bool(each.told)
        yield Finding(
            rule="repeatable-changes",
            level=Level.WARNING,
            object=file.path,
            detail=f"changes {each.name} {_AGAIN}{told}",
            fix=_MOVE,
        )
