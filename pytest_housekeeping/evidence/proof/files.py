"""The files beside the audits: each is named by one, unchanged, and none that ever was is gone."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from pytest_housekeeping.evidence.git.committed import (
    Committed,
    FileVersion,
    incidents_of,
)
from pytest_housekeeping.evidence.git.evidence_log import FileChange
from pytest_housekeeping.evidence.git.objects import (
    AUDIT_NAME,
    DECISION_NAME,
    FETCH,
    FLEET_NAME,
    INDEX,
)
from pytest_housekeeping.evidence.model.audit import Artifact
from pytest_housekeeping.evidence.own_plan import RULE as AGAINST_PLAN
from pytest_housekeeping.evidence.proof.fleet_files import FleetFile
from pytest_housekeeping.evidence.proof.repair import restored
from pytest_housekeeping.evidence.records import NOT_HERE, Record
from pytest_housekeeping.evidence.thinned import THINNED
from pytest_housekeeping.model import Finding, Level

_STAMP = re.compile(r"\d{8}T\d{6}Z")
# What people put into a folder that git is to keep, and what is made from the evidence.
_PLACEHOLDERS = (".gitkeep", ".gitignore", ".gitattributes", INDEX, THINNED)


class EvidenceFiles:
    """The files of the evidence, and the findings about them.

    ``sha256`` is by object; one that this clone does not have has none.
    """

    def __init__(
        self,
        committed: Committed,
        records: Sequence[Record],
        sha256: Mapping[str, str],
        fleets: Sequence[FleetFile] = (),
    ) -> None:
        self._records = records
        self._fleets = fleets
        self._audits = {record.path for record in records}
        self._sha256 = sha256
        self._versions = committed.versions
        self._by_path: dict[str, list[FileVersion]] = defaultdict(list)
        self._contents: set[tuple[str, str]] = set()
        for version in committed.versions:
            self._by_path[version.path].append(version)
            self._contents.add((version.name, version.oid))
        folders = {record.version.folder for record in records}
        self._incidents = {incidents_of(folder) for folder in folders}
        self._changes: dict[str, list[FileChange]] = defaultdict(list)
        for change in committed.changes:
            self._changes[change.path].append(change)
        self.artifacts = 0
        self._named: set[str] = set()

    def findings(self) -> Iterator[Finding]:
        """All of them: audits that were edited, files that were, strays, and what is gone."""
        for record in self._records:
            if record.fault:
                yield self._edited(record.version, record.fault)
            elif record.misfits:
                more = f" (and {len(record.misfits) - 1} more)" * (len(record.misfits) > 1)
                said = f"contradicts its own plan: {record.misfits[0]}{more}"
                yield replace(self._edited(record.version, said), rule=AGAINST_PLAN)
        for file in self._fleets:
            if file.fault:
                yield replace(self._edited(file.version, file.fault), rule="fleet-edited")
        missing: list[Finding] = []
        for record in self._records:
            for artifact in record.artifacts:
                path = _place(record, artifact)
                missing += self._artifact(f"the audit {record.path}", path, artifact.sha256)
        for file in self._fleets:
            if file.page is not None:
                said = f"the record {file.path}"
                missing += self._artifact(said, file.page.path, file.page.sha256)
        yield from self._gone()
        yield from missing
        yield from self._strays()

    def _artifact(self, owner: str, path: str, sha256: str) -> Iterator[Finding]:
        """What ``owner`` names."""
        self._named.add(path)
        self.artifacts += 1
        versions = self._by_path.get(path, [])
        if not versions:
            yield Finding(
                rule="evidence-missing",
                level=Level.ERROR,
                object=path,
                detail=f"{owner} names it, and no branch has it",
                fix=self._repair(path, "HEAD"),
            )
        # An incident report is filled in by people; it has to be there.
        for version in versions if path.rpartition("/")[0] not in self._incidents else ():
            if version.oid not in self._sha256:
                yield self._edited(version, NOT_HERE)
            elif self._sha256[version.oid] != sha256:
                said = f"it does not have the sha256 that {owner} names"
                yield self._edited(version, said)

    def _edited(self, version: FileVersion, said: str) -> Finding:
        is_audit = AUDIT_NAME.fullmatch(version.name)
        by = [each.commit[:12] for each in self._changes.get(version.path, ())][:1]
        since = f", since commit {by[0]}" if by else ""
        return Finding(
            rule="audit-edited" if is_audit else "evidence-edited",
            level=Level.ERROR,
            object=version.path,
            detail=f"{said} (on {', '.join(version.branches)}{since})",
            fix=self._repair(version.path, version.branches[0]),
        )

    def _strays(self) -> Iterator[Finding]:
        """Files that no audit names. Audits of earlier versions name their snapshots alone."""
        # What an audit names that is gone or cannot be read is not known: it is no second fault.
        lost = self._stamps(path for path in self._changes if path not in self._by_path)
        lost |= self._stamps(each.path for each in self._records if not each.digest)
        bare = self._stamps(each.path for each in self._records if not _names_its_report(each))
        stems = {record.version.name.removesuffix(".json") for record in self._records}
        unnamed = [
            path
            for path in sorted(self._by_path.keys() - self._named)
            if not AUDIT_NAME.fullmatch(path.rpartition("/")[2])
            and not DECISION_NAME.fullmatch(path.rpartition("/")[2])
            and not FLEET_NAME.fullmatch(path.rpartition("/")[2])
            and path.rpartition("/")[2] not in _PLACEHOLDERS
        ]
        for path in unnamed:
            stem = path.rpartition("/")[2].removesuffix(".html")
            if path.endswith(".html") and _STAMP.search(stem) and stem not in stems:
                lost |= self._stamps([path])
                yield self._without_audit(path)
        told = bare - lost
        older = [path for path in unnamed if self._stamps([path]) & told]
        passed_over = set(older)
        for path in unnamed:
            if path not in passed_over and not self._stamps([path]) & lost:
                yield self._stray(path)
        if older:
            yield Finding(
                rule="evidence-unnamed",
                level=Level.NOTICE,
                object=older[0],
                detail=f"{len(older)} files are named by no audit: the versions of this tool that"
                " wrote them did not take their sha256 down",
                fix="nothing is to be done; what runs write from now on is named",
            )

    def _stamps(self, paths: Iterable[str]) -> set[str]:
        """The moments in the names of files, by which those of one run are told."""
        return {stamp for path in paths for stamp in _STAMP.findall(path.rpartition("/")[2])}

    def _without_audit(self, report: str) -> Finding:
        audit = report.removesuffix(".html") + ".json"
        where = ", ".join(self._by_path[report][0].branches)
        return Finding(
            rule="audit-missing",
            level=Level.ERROR,
            object=audit,
            detail=f"its report is here ({where}), and the audit is gone",
            fix=self._repair(audit, "HEAD"),
        )

    def _stray(self, path: str) -> Finding:
        where = ", ".join(self._by_path[path][0].branches)
        return Finding(
            rule="evidence-stray",
            level=Level.ERROR if self._stamps([path]) else Level.WARNING,
            object=path,
            detail=f"no audit names it ({where}): no run has written it, or its audit is gone",
            fix=f"git log --all -- {shlex.quote(path)} says who put it there; what is no evidence"
            " belongs elsewhere",
        )

    def _gone(self) -> Iterator[Finding]:
        """What a commit has taken away, unless the same content is back under the same name.

        A file that no run has named, a README, is only told of; what keeps a folder is not.
        """
        for path, changes in self._changes.items():
            if path.rpartition("/")[2] in _PLACEHOLDERS:
                continue
            here = path in self._by_path
            lost = [
                each
                for each in changes
                if (path.rpartition("/")[2], each.oid) not in self._contents
                and not (here and path.rpartition("/")[0] in self._incidents)
            ]
            known = path in self._named or path in self._audits
            if lost and not (here and known):
                evidence = known or self._stamps([path])
                verb = "deletes" if lost[0].deletes else "changes"
                yield Finding(
                    rule="evidence-removed",
                    level=Level.ERROR if evidence else Level.WARNING,
                    object=path,
                    detail=f"commit {lost[0].commit[:12]} {verb} it, and evidence is only added",
                    fix=self._repair(path, "HEAD"),
                )

    def _repair(self, path: str, branch: str) -> str:
        """The commands that bring a file back, where a commit of this clone has it."""
        changes = self._changes.get(path)
        if not changes:
            return (
                f"no commit here has it as it was: {FETCH}; or take it from a clone that has it, or"
                " from the artifact of its workflow run, and commit it byte for byte"
            )
        return restored(f"{changes[-1].commit[:12]}~1", path, branch)


def _names_its_report(record: Record) -> bool:
    report = record.version.name.removesuffix(".json") + ".html"
    return any(each.path.rpartition("/")[2] == report for each in record.artifacts)


def _place(record: Record, artifact: Artifact) -> str:
    """Where an artifact stands in the repository; the project may be in a folder of it."""
    folder, (place, _, name) = record.version.folder, artifact.path.rpartition("/")
    if name.endswith((".md", "_proposal.sql")) and PurePosixPath(place).name == "incidents":
        return f"{incidents_of(folder)}/{name}"
    return f"{folder}/{name}"
