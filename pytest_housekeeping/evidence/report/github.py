"""A run on GitHub: the step summary, which is also a pull request's body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.report import tally
from pytest_housekeeping.evidence.report.batch import batch_lines
from pytest_housekeeping.evidence.report.display import (
    duration,
    named,
    plural,
)
from pytest_housekeeping.evidence.report.markdown import block, cell
from pytest_housekeeping.evidence.report.production import promote_command
from pytest_housekeeping.evidence.report.wording import approval_text, outcome_text
from pytest_housekeeping.evidence.run_facts import stem

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Audit, StepRecord
    from pytest_housekeeping.evidence.finding_model import FindingRecord
    from pytest_housekeeping.evidence.kinds import FindingKind

_MARK = {"good": "✅", "bad": "❌", "unsure": "⚠️"}
# How many steps and findings are shown: less and less, until the text is short enough.
_MOST = (25, 10, 3, 0)
_LONGEST = 65_000
_LONG_BLOCK = 12_000


def step_summary(audit: Audit) -> str:
    """GitHub Markdown of fewer than 65,536 characters, the most that a pull request takes.

    What a project named stands in code only, where it is no markup, mention or link.
    """
    texts = (_markdown(audit, most) for most in _MOST)
    return next((text for text in texts if len(text) < _LONGEST), "")


def _markdown(audit: Audit, most: int) -> str:
    text = outcome_text(audit)
    parts = [f"## {_MARK[text.tone]} {text.headline}", text.meaning]
    if audit.run.message:
        parts.append(block(audit.run.message))
    parts.append(_facts(audit))
    parts.append(_phases(audit))
    does = batch_lines(audit, most)
    parts += ["### What the batch does", block("\n".join(does), _LONG_BLOCK)] if does else []
    command = promote_command(audit)
    parts += ["Promote exactly this:", block(command)] if command else []
    met = tally.lock_conflicts(audit)
    parts += ["\n".join(f"- {cell(each)}" for each in met)] if met else []
    parts += _failed(tally.failures(audit), most)
    parts += _findings(tally.kinds(audit), most)
    if text.next_steps:
        parts.append("### What to do now\n\n" + "\n".join(f"- {step}" for step in text.next_steps))
    parts.append(f"Evidence: {cell(stem(audit.run))}, digest {cell(audit.chain.digest)}")
    return "\n\n".join(parts) + "\n"


def _facts(audit: Audit) -> str:
    run, source, target = audit.run, audit.source, audit.target
    rows = [
        ("run", f"{cell(run.id)} {run.mode}, {duration(run.duration_s)}"),
        ("by", cell(run.actor) if run.actor else "unknown"),
        (
            "source",
            cell(source.commit or "no commit") + (" **and uncommitted changes**" * source.dirty),
        ),
        ("branch", cell(source.branch) if source.branch else "detached"),
    ]
    if target:
        place = f"{target.host}:{target.port}/{target.database}"
        rows.append(("target", f"{cell(place)} PostgreSQL {cell(target.server_version)}"))
    rows.append(("plan", f"{cell(audit.plan.digest[:12])} {len(audit.plan.steps):,} steps"))
    if said := approval_text(audit.bound):
        rows.append(("approved by", cell(said)))
    if run.emergency:
        rows.append(("emergency", cell(run.emergency)))
    if run.locks_held_s:
        rows.append(("locks held", duration(run.locks_held_s)))
    body = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"| | |\n| --- | --- |\n{body}"


def _phases(audit: Audit) -> str:
    rows = [
        f"| {c.phase} | {c.passed:,} | {c.failed:,} | {c.skipped:,} | {c.examined:,} "
        f"| {duration(c.duration_s)} |"
        for c in tally.by_phase(audit)
    ]
    head = "| phase | passed | failed | skipped | examined | time |"
    line = "| --- | ---: | ---: | ---: | ---: | ---: |"
    return "\n".join([head, line, *rows])


def _failed(steps: list[StepRecord], most: int) -> list[str]:
    if not steps:
        return []
    return [
        f"### {plural(len(steps), 'step')} failed",
        *(f"{cell(step.id)}\n\n{block(step.message or 'no message')}" for step in steps[:most]),
        *_more(len(steps), most),
    ]


def _findings(kinds: list[FindingKind[FindingRecord]], most: int) -> list[str]:
    if not kinds:
        return []
    told = [(kind, each) for kind in kinds for each in kind.in_full]
    rows = [_finding(kind, each) for kind, each in told[:most]]
    head = "| level | rule | object | detail | fix |\n| --- | --- | --- | --- | --- |"
    count = sum(len(kind.findings) + len(kind.below) for kind in kinds)
    title = f"### {plural(count, 'finding')}"
    return [title, "\n".join([head, *rows]), *_more(len(told), most)]


def _finding(kind: FindingKind[FindingRecord], finding: FindingRecord) -> str:
    objects, detail = cell(finding.object), cell(finding.detail)
    if len(kind.findings) > len(kind.in_full):
        objects = f"{len(kind.findings):,}: {cell(named(kind.objects))}"
    if kind.below and finding is kind.in_full[-1]:
        below = named([f"{each.rule} {each.object}" for each in kind.below])
        detail += f" with it: {cell(below)}"
    return f"| {finding.level} | {cell(kind.rule)} | {objects} | {detail} | {cell(finding.fix)} |"


def _more(count: int, most: int) -> list[str]:
    return [f"… and {count - most:,} more, in the report."] if count > most else []
