"""The short forms of an audit: GitHub's step summary (also a pull request's body), the terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.records import stem
from pytest_housekeeping.evidence.report import wording
from pytest_housekeeping.model import Level
from pytest_housekeeping.plan.steps import MUTANTS

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Audit, FindingRecord, StepRecord

_MARK = {"good": "✅", "bad": "❌", "unsure": "⚠️"}
_MOST = 25
_PLAIN = " .,:-/()=;…"
_PLACE = re.compile(r"(.+):(\d+):(\d+)(?: |$)")


def step_summary(audit: Audit) -> str:
    """GitHub Markdown of fewer than 65,536 characters, the most that a pull request takes.

    Text of the project's stands in code only, where it is no markup, mention or link.
    """
    texts = (_markdown(audit, most) for most in (_MOST, 10, 3, 0))
    return next((text for text in texts if len(text) < 65_000), "")


def terminal_summary(audit: Audit, folder: str = "ops/audit") -> list[str]:
    """A few lines: the outcome, the phases, what failed and how to repair it, where it is kept."""
    verdict = wording.verdict(audit)
    lines = [f"{verdict.headline}. {verdict.meaning}"]
    lines += _indented(audit.run.message)
    for count in wording.by_phase(audit):
        tally = f"{count.passed} passed"
        tally += f", {count.failed} failed" if count.failed else ""
        tally += f", {count.skipped} skipped" if count.skipped else ""
        lines.append(f"  {count.phase:<9} {tally} ({wording.duration(count.duration_s)})")
    lines += [
        f"  mutants: {step.message}" for step in audit.steps if step.id == f"tripwire::{MUTANTS}"
    ]
    told = [f for f in wording.findings(audit) if f.level is not Level.NOTICE]
    for finding in told[:_MOST]:
        head = f"{finding.level}: {finding.rule}: {finding.object}: {finding.detail}"
        lines += _indented(head)
        lines += _indented(f"fix: {finding.fix}", "    ") if finding.fix else []
    seen = {finding.step for finding in told}
    silent = [step for step in wording.failures(audit) if step.id not in seen]
    for step in silent[:_MOST]:
        lines += _indented(f"failed: {step.id}\n{step.message}")
    more = max(0, len(told) - _MOST) + max(0, len(silent) - _MOST)
    lines += [f"  … and {more:,} more, in the report"] if more else []
    notices = len(audit.findings) - len(told)
    lines += [f"  {wording.plural(notices, 'notice')} in the report"] if notices else []
    lines += [f"next: {step}" for step in verdict.next]
    files = wording.seen(f"{folder}/{stem(audit.run)}")
    lines.append(f"evidence: {files}.json and .html")
    return lines


def line_annotations(audit: Audit) -> list[str]:
    """GitHub's workflow commands for the findings that have a line of code.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    lines = []
    for finding in wording.findings(audit):
        place = _PLACE.match(finding.object)
        if place is None or not finding.rule.startswith("code-"):
            continue
        where = f"file={_property(place[1])},line={place[2]},col={place[3]}"
        title = f"title={_property(finding.rule)}"
        said = f"{finding.detail}\n{finding.fix}" if finding.fix else finding.detail
        lines.append(f"::{finding.level} {where},{title}::{_escaped(wording.seen(said))}")
    return lines


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _markdown(audit: Audit, most: int) -> str:
    verdict = wording.verdict(audit)
    parts = [f"## {_MARK[verdict.tone]} {verdict.headline}", verdict.meaning]
    if audit.run.message:
        parts.append(_block(audit.run.message))
    parts.append(_facts(audit))
    parts.append(_phases(audit))
    parts += _failed(wording.failures(audit), most)
    parts += _findings(wording.findings(audit), most)
    if verdict.next:
        parts.append("### What to do now\n\n" + "\n".join(f"- {step}" for step in verdict.next))
    parts.append(f"Evidence: {_code(stem(audit.run))}, digest {_code(audit.chain.digest)}")
    return "\n\n".join(parts) + "\n"


def _facts(audit: Audit) -> str:
    run, source, target = audit.run, audit.source, audit.target
    rows = [
        ("run", f"{_code(run.id)} {run.mode}, {wording.duration(run.duration_s)}"),
        ("by", _code(run.actor) if run.actor else "unknown"),
        (
            "source",
            _code(source.commit or "no commit") + (" **and uncommitted changes**" * source.dirty),
        ),
        ("branch", _code(source.branch) if source.branch else "detached"),
    ]
    if target:
        place = f"{target.host}:{target.port}/{target.database}"
        rows.append(("target", f"{_code(place)} PostgreSQL {_code(target.server_version)}"))
    rows.append(("plan", f"{_code(audit.plan.digest[:12])} {len(audit.plan.steps):,} steps"))
    if run.locks_held_s:
        rows.append(("locks held", wording.duration(run.locks_held_s)))
    body = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"| | |\n| --- | --- |\n{body}"


def _phases(audit: Audit) -> str:
    rows = [
        f"| {c.phase} | {c.passed:,} | {c.failed:,} | {c.skipped:,} | {c.examined:,} "
        f"| {wording.duration(c.duration_s)} |"
        for c in wording.by_phase(audit)
    ]
    head = "| phase | passed | failed | skipped | examined | time |"
    line = "| --- | ---: | ---: | ---: | ---: | ---: |"
    return "\n".join([head, line, *rows])


def _failed(steps: list[StepRecord], most: int) -> list[str]:
    if not steps:
        return []
    return [
        f"### {wording.plural(len(steps), 'step')} failed",
        *(f"{_code(step.id)}\n\n{_block(step.message or 'no message')}" for step in steps[:most]),
        *_more(len(steps), most),
    ]


def _findings(findings: list[FindingRecord], most: int) -> list[str]:
    if not findings:
        return []
    rows = [
        f"| {f.level} | {_code(f.rule)} | {_code(f.object)} | {_code(f.detail)} | {_code(f.fix)} |"
        for f in findings[:most]
    ]
    head = "| level | rule | object | detail | fix |\n| --- | --- | --- | --- | --- |"
    title = f"### {wording.plural(len(findings), 'finding')}"
    return [title, "\n".join([head, *rows]), *_more(len(findings), most)]


def _more(count: int, most: int) -> list[str]:
    return [f"… and {count - most:,} more, in the report."] if count > most else []


def _code(text: str) -> str:
    """Inline code whose every special character is an entity: it ends no cell and no code."""
    if not text:
        return ""
    flat = wording.shortened(" ".join(wording.seen(text).split()), 300)
    safe = "".join(c if c.isalnum() or c in _PLAIN else f"&#{ord(c)};" for c in flat)
    return f"<code>{safe}</code>"


def _block(text: str) -> str:
    """A fenced block that the text cannot close."""
    shown = wording.shortened(wording.seen(text), 1500)
    fence = "```"
    while fence in shown:
        fence += "`"
    return f"{fence}text\n{shown}\n{fence}"


def _indented(text: str, indent: str = "  ") -> list[str]:
    """Lines of which none begins with ``::``, which GitHub would take for a command."""
    shown = wording.shortened(wording.seen(text), 2000).replace("##[", "# #[")
    first, *rest = shown.splitlines() or [""]
    mark = "| " if first.lstrip().startswith("::") else ""
    return [f"{indent}{mark}{first}"] * bool(first) + [f"{indent}| {line}" for line in rest]
