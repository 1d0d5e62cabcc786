"""Put on record what runs have left behind that were killed, or could not publish their audit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.journal import SUFFIX
from pytest_housekeeping.evidence.leftovers import SentTo, leftovers
from pytest_housekeeping.model import Mode
from pytest_housekeeping.sql.text import digest

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit


def record_killed_runs(
    folder: Path,
    repository: Repository | None,
    *,
    prefix: str,
    ask: Callable[[SentTo, str], str | None],
    but: Collection[Path] = (),
) -> Iterator[tuple[Path, Sequence[Path], str]]:
    """Turn each journal of a dead run into the file of its audit.

    Only journals whose name begins with ``prefix`` are taken, and none whose audit is one of
    ``but``. ``ask`` says what became of a COMMIT on the server of this run, as for ``recover``. An
    audit that is made builds on the newest one, in the ``repository`` or made here before.

    Yields each journal, to be removed when its audit is committed; the audit's file, with those
    that it names; and what to tell of it. Raises EvidenceError when a journal cannot be read or an
    audit cannot be written.
    """
    journals = dead_journals(folder, prefix=prefix, but=but)
    if not journals:
        return
    from pytest_housekeeping.evidence.audit_file import write_audit
    from pytest_housekeeping.evidence.chain import latest_digest
    from pytest_housekeeping.evidence.recovery import recover

    along: list[bytes] = []

    def previous(mode: Mode) -> str | None:
        if repository is None:
            return None
        return latest_digest(repository, mode, folder, along=along)

    for journal in journals:
        path = _audit_of(journal)
        audit = _intact_audit(path)
        message = "the evidence of an earlier run, which was not published, is added now"
        if audit is None:
            audit = recover(journal, ask=ask, previous=previous)
            write_audit(audit, folder, path.stem)
            message = "a run that was killed is on record now"
        along.append(path.read_bytes())
        said = f"{message}: {audit.run.id}, {audit.run.outcome}"
        yield journal, [path, *_named(audit, folder)], said


def dead_journals(folder: Path, *, prefix: str = "", but: Collection[Path] = ()) -> Sequence[Path]:
    """Those that `record_killed_runs` takes."""
    return [
        each
        for each in leftovers(folder)
        if each.name.startswith(prefix) and _audit_of(each) not in but
    ]


def _audit_of(journal: Path) -> Path:
    return journal.with_name(f"{journal.name.removesuffix(SUFFIX)}.json")


def _intact_audit(path: Path) -> Audit | None:
    """The audit that a run had written before it failed to publish it: its journal knows less."""
    from pytest_housekeeping.evidence.audit_file import from_json

    try:
        return from_json(path.read_bytes(), name=path.name, intact=True)
    except (EvidenceError, OSError):
        return None


def _named(audit: Audit, folder: Path) -> Iterator[Path]:
    """The files that an audit names, as far as they are here as they were."""
    snapshots = [each for each in (audit.snapshot.before, audit.snapshot.after) if each]
    for artifact in (*snapshots, *audit.artifacts):
        name = artifact.path.rpartition("/")[2]
        for path in (folder / name, folder.parent / "incidents" / name):
            if path.is_file() and digest(path.read_bytes()) == artifact.sha256:
                yield path
