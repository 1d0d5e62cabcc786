"""A plan as the comment of a pull request: found again by its first line, and never too long.

https://docs.github.com/en/rest/issues/comments: 65,536 characters at most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from pytest_housekeeping.errors import named
from pytest_housekeeping.evidence.report import batch, tally
from pytest_housekeeping.evidence.report.clone import clone_lines, clone_summary
from pytest_housekeeping.evidence.report.display import plural, shortened
from pytest_housekeeping.evidence.report.everybody import (
    classes,
    clone_classes,
    for_everybody,
    masked,
    row_classes,
)
from pytest_housekeeping.evidence.report.github import MARK
from pytest_housekeeping.evidence.report.markdown import Section, block, code, fitted, size
from pytest_housekeeping.evidence.report.production import (
    applied_told,
    is_applied_known,
    now_told,
    pending,
    promote_command,
    promotion_options,
    rows_of,
)
from pytest_housekeeping.evidence.report.wording import outcome_text
from pytest_housekeeping.evidence.run_facts import stem

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.kinds import FindingKind
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.findings import FindingRecord
    from pytest_housekeeping.evidence.model.steps import StepRecord

PROMOTION = "housekeeping-prod-promotion.yml"
_MARK = "<!-- pytest-housekeeping: plan of {commit}{project} -->"
_MARKED = re.compile(_MARK.format(commit="([0-9a-f]{40,64})", project="(?: in (\\S+))?"))
_LONGEST = 64_000
_PAGE = re.compile(r"https://[\w.-]+(?::\d+)?(?:/[\w.-]+)+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """A comment that is there already."""

    number: int
    body: str

    @property
    def commit(self) -> str:
        """Whose plan it is."""
        found = _MARKED.match(self.body)
        return found[1] if found else ""

    @property
    def project(self) -> str:
        """The folder of the project in its repository, "" for the root."""
        found = _MARKED.match(self.body)
        return unquote(found[2] or "") if found else ""


def caller_of(workflow: str, project: str) -> str:
    """The file that calls a workflow for the project in this folder, "" for the root."""
    name, _, end = workflow.partition(".")
    return f"{name}-{project.replace('/', '-')}.{end}" if project else workflow


def plan_comment(audit: Audit, commit: str, *, private: bool = False, project: str = "") -> str:
    """Markdown of fewer than 65,536 characters, whatever was planned.

    ``commit`` is the newest of the pull request, where what was planned may be a merge of it.
    Unless it is ``private``, whoever reads it learns no number, host, database or user. Of several
    projects of one repository each has a comment of its own, by its folder.
    """
    hide = str if private else masked(audit)
    told = audit if private else for_everybody(audit)
    text = outcome_text(told)
    rest = _where_the_rest_is(told, private=private)
    headline = f"## {MARK[text.tone]} {text.headline}{_of(project)}"
    parts = [_mark(commit, project), headline, text.meaning]
    if told.run.message:
        parts.append(block(told.run.message))
    parts += [_facts(told, commit), *_promotion(told, project)]
    tail = f"{_everything(told, private=private)}\n"
    room = _LONGEST - sum(size(part) + 2 for part in (*parts, tail))
    sections = [each for each in _sections(told, hide, private=private) if each.entries]
    return "\n\n".join([*parts, *fitted(sections, room - 2 * len(sections), rest), tail])


def no_plan(commit: str, page: str, *, private: bool, project: str = "") -> str:
    """What is said where a run has ended without a record."""
    why = f"What it said is in the log of {_page(page)}." if private else _ELSEWHERE
    said = f"The run for {code(commit[:12])} ended before it had anything to tell. {why}"
    headline = f"## ❌ No plan could be made{_of(project)}"
    return "\n\n".join([_mark(commit, project), headline, f"{said}\n"])


def _mark(commit: str, project: str) -> str:
    # No blank, and nothing that would end a comment of HTML.
    return _MARK.format(commit=commit, project=f" in {quote(project)}" if project else "")


def _of(project: str) -> str:
    return f": {code(project)}" if project else ""


def unplanned(lacking: Sequence[str], *, known: bool) -> str:
    """What can be said of a pull request for which production is not asked."""
    parts = ["## ⚪ Not planned", _FORK]
    if not known:
        parts.append("No promotion is on record in this repository: all of it would be pending.")
    files = Section(
        title=f"Not applied, by the evidence of this repository: {plural(len(lacking), 'file')}",
        entries=tuple(f"- {code(each)}" for each in lacking),
    )
    parts += fitted([files], _LONGEST // 2, "`python -m pytest_housekeeping status --needs HEAD`")
    return "\n\n".join(parts) + "\n"


def superseded(body: str, newest: str) -> str:
    """The comment, with a word at its head that the pull request has gone on since."""
    mark, *lines = (line.rstrip("\r") for line in body.rstrip().split("\n"))
    while lines and (not lines[0] or lines[0].startswith(">")):
        del lines[0]
    old = _MARKED.fullmatch(mark)
    said = _SUPERSEDED.format(old=old[1][:12] if old else "", new=newest[:12])
    return "\n".join([mark, "", said, "", *lines]) + "\n"


def _facts(audit: Audit, commit: str) -> str:
    run, target, planned = audit.run, audit.target, audit.source.commit or ""
    facts = [("commit", code(commit) + (" and uncommitted changes" * audit.source.dirty))]
    if planned and planned != commit:
        facts.append(("tried as", f"{code(planned)}, what its merge makes"))
    if target:
        place = code(f"{target.host}:{target.port}/{target.database}")
        facts.append(("production", f"{place}, PostgreSQL {code(target.server_version)}"))
    facts.append(("looked at", f"{run.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"))
    known, files = audit.production.applied, pending(audit)
    last = f", the last {code(applied_told(known[-1]))}" if known and known[-1].at else ""
    if is_applied_known(audit):
        facts.append(("applied", plural(len(known), "file") + last))
    facts.append(("pending", plural(len(files), "file")))
    if batch.has_batch(audit):
        facts.append(("objects", batch.counts_told(audit)))
        facts.append(("coverage", code(batch.coverage(audit))))
    if audit.clone and audit.clone.host:
        facts.append(("clone", clone_summary(audit.clone)))
    if audit.bound.digest:
        facts.append(("digest", code(audit.bound.digest)))
    return "\n".join(f"- {name}: {value}" for name, value in facts)


def _promotion(audit: Audit, project: str) -> list[str]:
    options = promotion_options(audit)
    if not options:
        return []
    inputs = "".join(f" -f {name}={value}" for name, value in options.items())
    name = caller_of(PROMOTION, project)
    workflow = f"gh workflow run {name} -f confirm={audit.production.confirm}{inputs}"
    drift = "Production has drifted: look at that before you accept it. " * bool(
        audit.production.drift
    )
    return [
        "### Promote exactly this",
        f"{drift}Once it is merged and proved in staging, by the workflow or by hand:",
        block(workflow),
        block(promote_command(audit)),
    ]


def _sections(audit: Audit, hide: Callable[[str], str], *, private: bool) -> Iterable[Section]:
    now, rows = (
        (now_told(audit), rows_of(audit)) if private else (classes(audit), row_classes(audit))
    )

    def listed(title: str, lines: Iterable[str]) -> Section:
        return Section(title=title, entries=tuple(f"- {code(hide(each))}" for each in lines))

    failed, kinds = tally.failures(audit), tally.kinds(audit)
    yield Section(
        title=f"{plural(len(failed), 'step')} failed",
        entries=tuple(_failed(each, hide) for each in failed),
        between="\n\n",
    )
    yield Section(
        title=plural(len(audit.findings), "finding"),
        entries=tuple(_finding(kind, each, hide) for kind in kinds for each in kind.in_full),
    )
    yield listed("Pending", pending(audit))
    yield listed("Data destroyed", batch.destroyed_lines(audit, rows))
    yield listed("Locks, held until COMMIT", batch.lock_lines(audit, now))
    if audit.clone:
        lines = clone_lines(audit.clone) if private else clone_classes(audit.clone)
        yield listed("Measured on a clone that has the rows", lines)
    yield listed("Objects", batch.change_lines(audit))
    yield listed("Access", batch.access_lines(audit))
    yield listed("The way back", audit.way_back)
    yield listed("What the server said", batch.message_lines(audit))


def _failed(step: StepRecord, hide: Callable[[str], str]) -> str:
    said = block(shortened(hide(step.message), 700)) if step.message else "why is not told here"
    return f"{code(hide(step.id))}\n\n{said}"


def _finding(
    kind: FindingKind[FindingRecord], finding: FindingRecord, hide: Callable[[str], str]
) -> str:
    said = [code(hide(each)) for each in (finding.rule, finding.object, finding.detail)]
    fix = f"; fix: {code(hide(finding.fix))}" if finding.fix else ""
    left = kind.left
    others = f"; and {len(left):,} more of this kind: {code(hide(named(left)))}"
    below = f"; with it {len(kind.below):,} that follow from it"
    last = finding is kind.in_full[-1]
    return (
        f"- {finding.level}: {', '.join(filter(None, said))}{fix}"
        f"{others * bool(last and left)}{below * bool(last and kind.below)}"
    )


def _where_the_rest_is(audit: Audit, *, private: bool) -> str:
    return f"in {code(f'{stem(audit.run)}.html')}" if private else "`pytest --hk-mode=plan`"


def _everything(audit: Audit, *, private: bool) -> str:
    if not private:
        return f"{_CLASSES} {_ELSEWHERE}"
    return f"All of it: {code(stem(audit.run))} in the artifact of {_page(audit.run.ci_url)}."


def _page(url: str) -> str:
    return f"[the run]({url})" if _PAGE.fullmatch(url) else "the run"


_CLASSES = "Everybody may read this, so classes stand in the place of production's numbers."
_ELSEWHERE = (
    "What is not told in a public repository, `pytest --hk-mode=plan` tells where production may be"
    " read."
)
_SUPERSEDED = (
    "> **Superseded.** This is the plan of `{old}`; the pull request is at `{new}` now, and the"
    " plan of that comes in this place once it is made. Do not promote by this one."
)
_FORK = (
    "This pull request comes from a fork or from Dependabot. What it holds could read the secrets"
    " of a run, so it gets none, and nothing was asked of production: **nobody has looked at what"
    " this would do there.** Somebody who may push to this repository can read it, push it to a"
    " branch here, and start the workflow on that branch."
)
