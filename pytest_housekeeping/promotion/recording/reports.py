"""What a run tells other machines: the files in a folder that it was given, and one object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.errors import EvidenceError, HousekeepingError, MisuseError
from pytest_housekeeping.evidence import Repository, open_repository, stem
from pytest_housekeeping.evidence.places import Places
from pytest_housekeeping.evidence.remarks import Remarks, remarks_of
from pytest_housekeeping.evidence.report.code_quality import code_quality
from pytest_housekeeping.evidence.report.display import plural
from pytest_housekeeping.evidence.report.sarif import sarif
from pytest_housekeeping.model import Kind
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.promotion.recording.evidence_commit import branch_of
from pytest_housekeeping.sql.file import FOLDERS
from pytest_housekeeping.sql.folder import bootstrap_paths, sql_paths
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.project_files import ProjectFiles

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.finished import Finished
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.promotion.context import RunContext

SARIF = "housekeeping.sarif"
CODE_QUALITY = "codequality.json"
JUNIT = "junit.xml"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a run says of its project; ``below`` is where that stands in its repository: ``""``, or
    a folder with a slash behind it."""

    remarks: Remarks
    below: str = ""


def make_room(folder: Path) -> None:
    """The folder, without what an earlier run has left there. Raises MisuseError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (SARIF, CODE_QUALITY, JUNIT):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise MisuseError(
            f"--hk-reports={folder}: {error.strerror}",
            why="the run could not leave its reports there",
            fix="give a folder that may be written, or one that is not there yet",
        ) from None


def told_by(audit: Audit, context: RunContext) -> Told:
    """What a run says, with the places in the files that it has read."""
    places = Places(
        audit, texts=lambda: list(_texts(context)), text_of=lambda path: _text(root, path)
    )
    root = context.config.root
    return Told(remarks=remarks_of(audit, places), below=below_of(context.repository, root))


def told_by_refusal(audit: Audit, root: Path) -> Told:
    """The same of a run for which no plan could be made."""
    places = Places(audit, texts=list, text_of=lambda path: _text(root, path))
    remarks = remarks_of(audit, places)
    try:
        repository = open_repository(root)
    except HousekeepingError:
        return Told(remarks=remarks)
    if repository is None:
        return Told(remarks=remarks)
    with repository:
        return Told(remarks=remarks, below=below_of(repository, root))


def finished_by(
    audit: Audit,
    root: Path,
    folder: str,
    told: Told,
    *,
    exit_code: int,
    said: Iterable[str] = (),
) -> Finished:
    """The run in one object; ``folder`` is that of the evidence, from the root."""
    from pytest_housekeeping.evidence.finished import EvidenceTold, finished

    name = f"{folder}/{stem(audit.run)}"
    planned = bool(audit.plan.steps)
    evidence = EvidenceTold(
        audit=f"{name}.json",
        report=f"{name}.html" if (root / f"{name}.html").is_file() else "",
        digest=audit.chain.digest,
        branch=branch_of(audit) if planned and not rules_of(audit.run.mode).plans else "",
    )
    kept = (root / evidence.audit).is_file()
    return finished(
        audit,
        told.remarks,
        exit_code=exit_code,
        evidence=evidence if kept else None,
        said=said,
    )


def write_reports(folder: Path, audit: Audit, told: Told, *, exit_code: int) -> str:
    """SARIF and code quality; JUnit is pytest's own. A line for the terminal.

    Raises EvidenceError where they cannot be written.
    """
    return leave(folder, told, sarif(audit, told.remarks, exit_code=exit_code, below=told.below))


def leave(folder: Path, told: Told, as_sarif: str) -> str:
    """Write both. Raises EvidenceError."""
    files = {SARIF: as_sarif, CODE_QUALITY: code_quality(told.remarks, below=told.below)}
    try:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise EvidenceError(
            f"the reports cannot be written to {folder}: {error.strerror}",
            why="whoever reads them would take it that nothing was found",
            fix="make room on the disk, or the folder writable, and run again",
        ) from None
    left_out = told.remarks.left_out
    more = f"; {plural(left_out, 'finding')} left out, the least grave ones" if left_out else ""
    return f"reports: {folder}: {', '.join((*files, JUNIT))}{more}"


def _texts(context: RunContext) -> Iterator[tuple[str, str]]:
    """The SQL files in the order in which they are applied, as far as they can be read."""
    config, held = context.config, context.plan.sources.held
    files = ProjectFiles(
        config.root,
        read=lambda path: held[path] if path in held else (config.root / path).read_bytes(),
    )
    kinds = [kind for kind in FOLDERS if kind is not Kind.ROLLBACK]
    with suppress(HousekeepingError, OSError):
        for path in (
            *bootstrap_paths(config, files),
            *(path for kind in kinds for path in sql_paths(config, files, kind)),
        ):
            with suppress(HousekeepingError, OSError):
                yield path, text_of(config, files, path)


def _text(root: Path, path: str) -> str | None:
    """The text of a file of the project; None for what is none, as most names of objects are."""
    try:
        real = (root / path).resolve()
        if not real.is_relative_to(root.resolve()) or not real.is_file():
            return None
        return real.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return None


def below_of(repository: Repository | None, root: Path) -> str:
    """Where a project stands in its repository: "", or a folder with a slash behind it."""
    if repository is None:
        return ""
    try:
        place = repository.relative(root)
    except HousekeepingError:
        return ""
    return "" if place == "." else f"{place}/"
