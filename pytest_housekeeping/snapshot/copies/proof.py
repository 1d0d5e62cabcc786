"""Prove a backup: restored into a server of its own, it is the schema that it was taken from.

That pg_dump ended without an error says that it wrote something; that the result is the schema is
shown by having PostgreSQL read all of it again in an empty database, where the first error ends it,
and by comparing the fingerprints. Every object that differs is a fault, but for the few kinds of
difference that a schema dump cannot hold (https://www.postgresql.org/docs/16/app-pgdump.html):
those are told as limits of the proof. An expression that is printed otherwise after a restore
counts as the same only where PostgreSQL reads both as one (`equivalent_expression`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pytest_housekeeping.errors import listed, named
from pytest_housekeeping.server import Server
from pytest_housekeeping.snapshot.compare.difference import Change, Difference, diff
from pytest_housekeeping.snapshot.compare.equivalent_expression import same_when_restated
from pytest_housekeeping.snapshot.copies.changed_part import ChangedPart
from pytest_housekeeping.snapshot.copies.restore import Copy, restored, restored_beside
from pytest_housekeeping.snapshot.copies.server import (
    WHY,
    RestoreServer,
    refuse_lacking,
    start_restore_server,
)
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.extensions import extension_names
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject, read_fingerprint
from pytest_housekeeping.snapshot.problems import BackupNotProved

_SHOWN = 20
_FIX = (
    "see whether the schema changed while it was dumped, and run again; if it did not, bring the"
    " object into a form that pg_dump can hold"
)
_NO_PLPGSQL = (
    "CREATE EXTENSION plpgsql; in production: each database begins with it, so no dump says that it"
    " was dropped, and what is tried on a copy is tried in its blocks"
)
_DISABLED = "pg_dump does not tell that the triggers of a constraint are disabled"


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupProof:
    """What was proved: how many objects are as they were, in which version, with what limits;
    ``shown_at`` when, where an earlier run has proved the same dump; ``restored`` of how many
    objects, where the others have the text that was restored before, ``since`` then."""

    objects: int
    server_major: int
    limits: tuple[str, ...] = ()
    shown_at: str = ""
    restored: int | None = None
    since: str = ""


def prove_backup(
    schema: bytes,
    roles: bytes,
    expected: Fingerprint,
    *,
    server_major: int,
    restore_server: RestoreServer | None = None,
) -> BackupProof:
    """Restore the roles and the schema, and compare the fingerprint with the expected one.

    ``restore_server`` was started ahead and stays up; without it one is made for the purpose.
    Raises BackupNotProved, naming the objects that differ or the statement that failed. What a
    schema dump cannot hold by its nature is no difference but a limit of the proof.
    """
    with (
        fitting_server(expected, server_major, restore_server) as server,
        restored(server, schema, roles, expected) as copy,
    ):
        return prove_copy(copy, expected)


@contextmanager
def fitting_server(
    expected: Fingerprint, server_major: int, started: RestoreServer | None
) -> Iterator[RestoreServer]:
    """The server that was ``started`` ahead, or one that has the extensions which that one lacks.

    One that was given is the one. Raises BackupNotProved when there is none.
    """
    extensions = frozenset(extension_names(expected))
    if started is not None and (started.given or started.has(extensions)):
        refuse_lacking(started, extensions)
        yield started
        return
    own = start_restore_server(server_major, extensions, stubs=started.stubs if started else ())
    try:
        yield own
    finally:
        own.close()


def prove_copy(copy: Copy, expected: Fingerprint) -> BackupProof:
    """The restored backup is the schema that it was taken from. Raises BackupNotProved."""
    found = copy.reading.fingerprint if copy.reading and not expected.excluded else None
    faults, proof = compare(copy, expected, found=found)
    if faults:
        raise _not_equal(list(faults), "production")
    return proof


def prove_result(
    server: Server, dump: bytes, expected: Fingerprint, *, server_major: int
) -> BackupProof:
    """The same of a dump of a throwaway database, in another database of its server.

    Its roles are there, so that nothing but the dump has to be restored. Only what the dump holds
    is compared: without --create, pg_dump leaves out the owner, the settings, the privileges and
    the comment of the database itself.
    """
    with restored_beside(server, server_major, dump, expected) as copy:
        return prove_copy_beside(copy, expected)


def prove_copy_beside(copy: Copy, expected: Fingerprint) -> BackupProof:
    """The dump of a database, restored in another one of its server, is that schema.

    Raises BackupNotProved, naming the objects that differ.
    """
    faults, proof = compare(copy, expected, leaving_out=("database",))
    if faults:
        raise _not_equal(list(faults), "the database")
    return proof


def prove_part_beside(
    copy: Copy, part: ChangedPart, before: Fingerprint, expected: Fingerprint
) -> BackupProof | None:
    """The same of a part of a dump, where the dump of ``before`` was restored; None where the part
    does not show it."""
    found = read_fingerprint(
        copy.connection, exclude_schemas=expected.excluded, around=Around.NOTHING, once=True
    )
    found, before, expected = (
        each.with_no_more(Around.NOTHING).without("database") for each in (found, before, expected)
    )
    restored = part.shown_by(found, before=before, after=expected)
    if restored is None:
        return None
    return BackupProof(
        objects=len(expected.entries), server_major=found.server_major, restored=restored
    )


def compare(
    copy: Copy,
    expected: Fingerprint,
    *,
    leaving_out: tuple[str, ...] = (),
    found: Fingerprint | None = None,
) -> tuple[tuple[Difference, ...], BackupProof]:
    """In what the restored backup is not the expected schema, and what was shown apart from that.

    What a schema dump cannot hold by its nature is no difference but a limit. Objects of the kinds
    ``leaving_out`` are not compared. ``found`` is the copy's own, where it was read already.
    """
    if found is None:
        found = read_fingerprint(
            copy.connection, exclude_schemas=expected.excluded, around=Around.NOTHING, once=True
        )
    found = found.with_no_more(Around.NOTHING).without(*leaving_out)
    whole, expected = expected, expected.with_no_more(Around.NOTHING).without(*leaving_out)
    differences = diff(expected, found)
    parents = {entry.name: entry.parent for entry in expected.entries}
    same = same_when_restated(copy.connection, differences, parents, expected.excluded)
    inheriting = frozenset(e.name for e in expected.entries if "\ninherits: " in e.text)
    limits = {_DISABLED: [name for name in map(_unenforced, whole.entries) if name]}
    for each in differences:
        limits.setdefault(_limit(each, same, inheriting), []).append(each.name)
    faults = limits.pop("", [])
    said = [f"{limit}: {named(names, _SHOWN)}" for limit, names in limits.items() if names]
    if copy.stand_ins:
        said.append(
            f"this server lacks collations, C stood in for them: {named(copy.stand_ins, _SHOWN)}"
        )
    if expected.server_major != found.server_major:
        said.insert(
            0,
            f"restored in PostgreSQL {found.server_major}, production is"
            f" {expected.server_major}: that it restores there as well is not shown",
        )
    return tuple(each for each in differences if each.name in faults), BackupProof(
        objects=len(expected.entries), server_major=found.server_major, limits=tuple(said)
    )


def _limit(difference: Difference, same: frozenset[str], inheriting: frozenset[str]) -> str:
    """Why a difference is none of the backup's; "" when it is one."""
    if difference.name.startswith("extension ") and difference.change is Change.CHANGED:
        return "a dump names an extension and not its version"
    if difference.name.startswith("index ") and "\ninvalid" in difference.before:
        return "pg_dump leaves out an invalid index"
    if _enforcement_alone(difference):
        return _DISABLED
    if _toast_alone(difference):
        return "no column needs a toast table any more, so a restore makes none with its options"
    if difference.name.removeprefix("order of columns in ") in inheriting:
        return "pg_dump writes inherited columns first"
    if difference.name in same:
        return "what PostgreSQL prints differently after a restore, and reads as the same"
    return ""


def _enforcement_alone(difference: Difference) -> bool:
    return (
        difference.name.startswith("constraint ")
        and difference.change is Change.CHANGED
        and all(line.startswith("- not enforced: ") for line in difference.lines)
    )


def _toast_alone(difference: Difference) -> bool:
    """The options went, and none came: a restore makes a toast table where one is needed."""
    lines = difference.lines
    return bool(lines) and all(line.startswith("- toast options: ") for line in lines)


def _unenforced(entry: SchemaObject) -> str:
    """The foreign key of a partition whose triggers are disabled; `dump_schema` leaves that out."""
    kind, _, name = entry.name.partition("state of ")
    return name if not kind and name.startswith("constraint ") else ""


def _not_equal(faults: list[Difference], origin: str) -> BackupNotProved:
    shown = listed([_turned(fault, origin) for fault in faults], _SHOWN)
    dropped = any(fault.name == "extension plpgsql" for fault in faults)
    return BackupNotProved(
        f"the restored backup differs from {origin} in {len(faults)} objects:{shown}",
        why=WHY,
        fix=_NO_PLPGSQL if dropped else _FIX,
    )


def _turned(fault: Difference, origin: str) -> str:
    words = {Change.REMOVED: "is missing", Change.ADDED: "is there and should not be"}
    if fault.change in words:
        return f"{fault.name} {words[fault.change]}"
    return f"{fault.name}, {origin} → restored: {fault.told}"
