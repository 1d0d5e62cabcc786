"""A run in the terminal: a few lines at the end of the session."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from pytest_housekeeping.errors import named
from pytest_housekeeping.evidence.report import tally
from pytest_housekeeping.evidence.report.batch import batch_lines
from pytest_housekeeping.evidence.report.display import (
    duration,
    no_command,
    one_line,
    plural,
    shortened,
    visible,
)
from pytest_housekeeping.evidence.report.findings_view import counts_told, findings_view, oldest
from pytest_housekeeping.evidence.report.opening import applied_files, files_title, opening
from pytest_housekeeping.evidence.report.production import promote_command
from pytest_housekeeping.evidence.report.wording import outcome_text, text_of
from pytest_housekeeping.evidence.run_facts import stem
from pytest_housekeeping.evidence.run_outcomes import UNDONE
from pytest_housekeeping.model import Level, Mode, RunOutcome
from pytest_housekeeping.plan.steps import MUTANTS, REHEARSE, RUNNING

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.kinds import FindingKind
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.findings import FindingRecord

_MOST = 25
_FILES = 3
# The width of the names in front of the lines.
_WIDE = 9
# The run and its time stand in the names of the files of evidence.
_SHOWN = {
    *("target", "run by", "approved by", "planned", "emergency", "rolls back"),
    *("commit", "request", "workflow", "held", "known"),
}
_RUNNING = f"{REHEARSE}::{RUNNING}"


def terminal_summary(audit: Audit, folder: str = "ops/audit") -> list[str]:
    """The outcome, who and what, what changed, what was found, the phases, and where it is kept."""
    text = outcome_text(audit)
    files = visible(f"{folder}/{stem(audit.run)}")
    return [
        f"{text.headline}. {text.meaning}",
        *_indented(audit.run.message),
        *_opening_lines(audit),
        *batch_lines(audit),
        *(line for each in tally.lock_conflicts(audit) for line in _indented(each)),
        *_what_failed(audit),
        *_running_lines(audit),
        *(_phase_line(count) for count in tally.by_phase(audit)),
        *(
            f"  mutants: {each.message}"
            for each in audit.steps
            if each.id == f"tripwire::{MUTANTS}"
        ),
        *([f"digest: {audit.bound.digest}"] if audit.bound.digest else []),
        *([f"promote exactly this: {command}"] if (command := promote_command(audit)) else []),
        *(f"next: {step}" for step in text.next_steps),
        f"evidence: {files}.json and .html",
    ]


def told_in_short(audit: Audit) -> str:
    """The outcome and what went wrong: what stands for the run among those of many databases."""
    text = outcome_text(audit)
    lines = [text.headline, *_indented(audit.run.message)]
    return "\n".join([*lines, *_what_failed(audit)] if text.tone != "good" else lines)


def summary_without_audit(mode: Mode, outcome: RunOutcome) -> list[str]:
    """What became of the database, where no record of it could be made."""
    text = text_of(mode, outcome)
    return [
        f"{text.headline}. {text.meaning}",
        "no record of this run could be made; its journal stays, and the next run makes one of it",
    ]


def tone_of(audit: Audit | None, outcome: RunOutcome) -> str:
    """Whether that is good, bad or unsure; without a record it is never good."""
    if audit is None:
        return "bad" if outcome in UNDONE else "unsure"
    return outcome_text(audit).tone


def _opening_lines(audit: Audit) -> list[str]:
    """Target, who asked and who approved, the commit, where to look, and the files."""
    lines = []
    for each in opening(audit):
        if each.name in _SHOWN:
            value = each.value[:12] if each.name == "commit" else each.value
            more = f" {each.more}" if each.more else ""
            link = f" {each.url}" if each.url and each.url != each.value else ""
            said = shortened(one_line(f"{value}{more}{link}"), 500)
            name = f"{each.name}:" if len(each.name) >= _WIDE else f"{each.name:<{_WIDE}}"
            lines.append(f"  {name} {said}")
    files = applied_files(audit)
    done = [each.path for each in files if not each.undone]
    if files:
        names = visible(named(done, _FILES))
        lines.append(f"  {'files':<9} {files_title(audit)}: {no_command(names)}")
    if undone := [each.path for each in files if each.undone]:
        names = visible(named(undone, _FILES))
        lines.append(
            f"  {'rest':<9} {plural(len(undone), 'file')} not applied: {no_command(names)}"
        )
    return lines


def _phase_line(count: tally.PhaseCount) -> str:
    counts = f"{count.passed} passed"
    counts += f", {count.failed} failed" if count.failed else ""
    counts += f", {count.skipped} skipped" if count.skipped else ""
    return f"  {count.phase:<9} {counts} ({duration(count.duration_s)})"


def _running_lines(audit: Audit) -> list[str]:
    """How much of the code that runs was judged: by application, by file where it is not all."""
    said = (each for step in audit.steps if step.id == _RUNNING for each in step.coverage)
    lines = [shortened(visible(each), 300) for each in said]
    return [f"  {'running' * (not n):<9} {line}" for n, line in enumerate(lines)]


def _what_failed(audit: Audit) -> list[str]:
    """New errors and warnings and whatever fails the run, what is fixed, what has stood in a line
    a rule; then the failed steps that have no finding to tell why they failed."""
    known = findings_view(audit)
    lines = []
    if audit.findings or known.compared:
        beside = f", {known.beside}" * known.compared
        lines.append(f"  {'findings':<9} {counts_told(known)}{beside}")
    grave = [each for each in (*known.new, *known.standing) if each.level is Level.ERROR]
    grave += [each for each in known.new if each.level is Level.WARNING]
    for kind in grave[:_MOST]:
        lines += _kind_lines(kind)
    explained = audit.explained
    unexplained = [step for step in tally.failures(audit) if step.id not in explained]
    for step in unexplained[:_MOST]:
        lines += _indented(f"failed: {step.id}\n{step.message}")
    more = sum(len(kind.findings) for kind in grave[_MOST:]) + max(0, len(unexplained) - _MOST)
    lines += [f"  … and {more:,} more, in the report"] if more else []
    if known.fixed:
        told = (f"{each.rule} {each.object}" for each in known.fixed)
        lines += _indented(f"fixed: {named(tuple(told))}")
    stood = [each for each in known.standing if each.level is Level.WARNING]
    lines += [line for kind in stood[:_MOST] for line in _indented(_stood(kind))]
    notices = sum(each.level is Level.NOTICE for each in audit.findings)
    lines += [f"  {plural(notices, 'notice')} in the report"] if notices else []
    return lines


def _stood(kind: FindingKind[FindingRecord]) -> str:
    said = f"standing since {oldest(kind.findings)}: {kind.rule}: {named(kind.objects, 3)}"
    return f"{said} ({len(kind.findings):,} of this kind)" if len(kind.findings) > 1 else said


def _kind_lines(kind: FindingKind[FindingRecord]) -> list[str]:
    """Findings of one rule, and by name what follows from them; of many, one stands for all."""
    lines = []
    shown, left = kind.in_full, kind.left
    count = len(kind.findings)
    many = f" ({count:,} of this kind, here the first)" if left and not shown[1:] else ""
    for finding, below in zip_longest(shown, shown[1:]):
        head = f"{finding.level}: {finding.rule}: {finding.object}: {finding.detail}{many}"
        lines += _indented(head)
        if finding.fix and (below is None or below.fix != finding.fix):
            lines += _indented(f"fix: {finding.fix}", "    ")
    if left:
        on = f"and {len(left):,} more: {named(left)}" if shown[1:] else f"on: {named(kind.objects)}"
        lines += _indented(on, "    ")
    if kind.below:
        told = (f"{each.rule} {each.object}" for each in kind.below)
        lines += _indented(f"with it: {named(tuple(dict.fromkeys(told)))}", "    ")
    return lines


def _indented(text: str, indent: str = "  ") -> list[str]:
    """Lines of which none begins with ``::``, which GitHub would take for a command."""
    first, *rest = shortened(visible(text), 2000).replace("##[", "# #[").splitlines() or [""]
    return [f"{indent}{no_command(first)}"] * bool(first) + [f"{indent}| {line}" for line in rest]
