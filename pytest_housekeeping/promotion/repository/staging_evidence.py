"""Whether a committed staging audit is what a staging run has left, and not made by hand.

What is looked for needs the repository and the audit alone; whether it proves a certain plan is
told elsewhere. Whoever can write to the repository and run Python can make an audit in which all
of this fits: against that stand the signers (``evidence_signers``), and nothing else.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import BASELINE
from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import BRANCHES, Repository, stem
from pytest_housekeeping.evidence.git.objects import OBJECT_NAME, contents_at
from pytest_housekeeping.evidence.git.origin import origins_of
from pytest_housekeeping.evidence.own_plan import own_plan_faults
from pytest_housekeeping.evidence.plain_audit import plain_audit
from pytest_housekeeping.evidence.signatures import require_program, signer_of
from pytest_housekeeping.evidence.thinned import THINNED, read_lines
from pytest_housekeeping.model import Mode
from pytest_housekeeping.sql.path_names import DOWN, on_disk, whole_of
from pytest_housekeeping.sql.project_files import named_bytes
from pytest_housekeeping.sql.text import digest

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit

# What the clocks of two machines may differ by.
_CLOCKS = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class EvidenceTerms:
    """What staging audits are held against: the repository, the settings, the signers, the time.

    ``commit`` is the one that the run itself attests: where that of an audit is gone, as one that
    was squashed or made for a pull request alone, this one has to hold what the audit says has run.
    ``production`` are the system identifiers of servers that are no throwaway ones. Raises
    EvidenceError where there are signers and no program that could prove a signature.
    """

    repository: Repository
    config: Config
    signers: bytes | None
    commit: str | None
    production: frozenset[str] = frozenset()
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        if self.signers is not None:
            require_program()

    @cached_property
    def audits(self) -> Sequence[tuple[str, bytes]]:
        """Every committed staging audit, by name."""
        return tuple(staging_audits(self.repository, self.config))

    @cached_property
    def digests(self) -> frozenset[str]:
        """The digests that an audit may be chained to."""
        folders = (self.config.root / each for each in self.config.audit_folders)
        places = (f"{self.repository.relative(each)}/{THINNED}".lstrip("/") for each in folders)
        texts = (text for place in places for text in self.repository.kept(place))
        thinned = (line.digest for text in texts for line in read_lines(text))
        whole = (
            str(known["chain"].get("digest"))
            for _, data in self.audits
            if (known := plain_audit(data))
        )
        return frozenset((*whole, *thinned))


def staging_audits(repository: Repository, config: Config) -> Iterator[tuple[str, bytes]]:
    """Every committed staging audit, for whichever target it was made: it is about files."""
    for folder in config.audit_folders:
        yield from repository.evidence(Mode.STAGING, repository.relative(config.root / folder))


def read_staging_audit(path: str, data: bytes) -> Audit:
    """The audit of a file that was committed. Raises EvidenceError for one that is none, of a
    version that is not known, or edited since it had its digest."""
    from pytest_housekeeping.evidence.audit_file import from_json

    return from_json(data, name=path, intact=True)


def evidence_faults(terms: EvidenceTerms, path: str, data: bytes, audit: Audit) -> Iterator[str]:
    """Why an audit cannot be what a staging run has left; nothing where it can."""
    yield from _of_its_name(path, audit)
    yield from _on_throwaway(terms, audit)
    if audit.run.finished_at - terms.now > _CLOCKS:
        yield f"it ended in the future: {audit.run.finished_at.isoformat()}"
    yield from (fault.detail for fault in own_plan_faults(audit))
    yield from _of_its_commit(terms, audit)
    yield from _chained(terms, audit)
    yield from _on_its_log(terms, path, data)


def _of_its_name(path: str, audit: Audit) -> Iterator[str]:
    if audit.run.mode is not Mode.STAGING:
        yield f"it is the audit of a run of mode {audit.run.mode}"
    if posixpath.basename(path) != f"{stem(audit.run)}.json":
        yield f"it is the audit of a run whose file is called {stem(audit.run)}.json"


def _on_throwaway(terms: EvidenceTerms, audit: Audit) -> Iterator[str]:
    target = audit.target
    if target is None:
        return
    if not target.system_identifier.isdecimal() or not target.server_version[:1].isdecimal():
        yield "it does not say on which server it ran, and of which version"
    if target.system_identifier in terms.production:
        yield f"it ran on production itself (system identifier {target.system_identifier})"


def _of_its_commit(terms: EvidenceTerms, audit: Audit) -> Iterator[str]:
    """The commit that it attests is here, and holds what it says has run."""
    source, repository = audit.source, terms.repository
    if source.dirty:
        yield f"it ran on files that are in no commit: {', '.join(source.dirty_paths[:5])}"
    if source.commit is None or not OBJECT_NAME.fullmatch(source.commit):
        yield f"it attests no commit: {source.commit}" if source.commit else "it attests no commit"
        return
    commit = repository.commit(source.commit)
    if commit is None:
        others = list(other_texts(terms, audit, terms.commit)) if terms.commit else []
        if others or not terms.commit:
            yield (
                f"the commit that it attests is not here: {source.commit}"
                f" (git fetch origin {source.commit} brings it, where it still exists)"
            )
        yield from others
        return
    made = repository.run("show", "--no-patch", "--no-show-signature", "--format=%ct", commit)
    # In seconds: git takes years for a commit that Python has no date for.
    if audit.run.finished_at.timestamp() + _CLOCKS.total_seconds() < int(made):
        yield f"it ended before the commit was made that it attests, {commit[:12]}"
    yield from other_texts(terms, audit, commit)


def other_texts(
    terms: EvidenceTerms, audit: Audit, commit: str, *, but: frozenset[str] = frozenset()
) -> Iterator[str]:
    """What an audit says has run and a commit does not hold, or holds with another text.

    ``but`` are files, from the rootdir, that are not compared.
    """
    base = terms.repository.relative(terms.config.root)
    generated = {_in_repository(base, path) for path in terms.config.generated_code}
    named = {(file.path, file.sha256) for file in audit.source.code}
    named |= {(whole_of(step.path), step.sha256) for step in audit.plan.steps if step.path}
    named = {(path.removesuffix(DOWN), sha256) for path, sha256 in named if path not in but}
    paths = {path: _in_repository(base, on_disk(path)) for path, _ in named}
    baseline = _in_repository(base, f"{terms.config.checks}/{BASELINE}")
    held = contents_at(terms.repository, commit, [*paths.values(), baseline])
    for path, sha256 in sorted(named):
        data = held.get(paths[path])
        if data is None:
            if paths[path] not in generated:
                yield f"commit {commit[:12]} has no {path}, which it says has run"
        elif sha256 not in _digests(named_bytes(path, data), held.get(baseline)):
            yield f"commit {commit[:12]} has another {path} than the one it says has run"


def _digests(data: bytes, baseline: bytes | None) -> set[str]:
    """What a step may name its file by: contracts on code are judged with their baseline."""
    alone = digest(data)
    if baseline is None:
        return {alone}
    return {alone, digest(f"{alone} {digest(baseline)}".encode())}


def _in_repository(base: str, path: str) -> str:
    """A path of the project, from the root of the repository."""
    return posixpath.normpath(posixpath.join(base, path))


def _chained(terms: EvidenceTerms, audit: Audit) -> Iterator[str]:
    previous = audit.chain.previous
    if previous is not None and previous not in terms.digests - {audit.chain.digest}:
        yield f"the audit before it, {previous[:12]}, is not among the committed ones"


def _on_its_log(terms: EvidenceTerms, path: str, data: bytes) -> Iterator[str]:
    """Staging itself has committed it to its log, in a commit of a signer's if there are any."""
    origins = origins_of(terms.repository, Mode.STAGING, path, data)
    if not origins:
        yield f"it is not on {BRANCHES}/{Mode.STAGING}, where staging keeps its evidence"
    elif not any(origin.whole for origin in origins):
        yield "which commit has brought it is not known in a shallow clone (git fetch --unshallow)"
    elif terms.signers is not None:
        reasons = [_unsigned(terms, origin.commit, terms.signers) for origin in origins]
        if all(reasons):
            yield reasons[0]


def _unsigned(terms: EvidenceTerms, commit: str, signers: bytes) -> str:
    try:
        signer_of(terms.repository, commit, signers)
    except EvidenceError as error:
        return error.found
    return ""
