"""The parts of the HTML report that pytest-html's hooks take, made of an audit. Pure text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.records import stem
from pytest_housekeeping.evidence.report import wording
from pytest_housekeeping.evidence.report.html_steps import row_details, table_header, table_row
from pytest_housekeeping.evidence.report.text import step_summary, terminal_summary

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Audit

__all__ = [
    "row_details",
    "step_summary",
    "summary_html",
    "table_header",
    "table_row",
    "terminal_summary",
    "title",
]

_MARK = {"good": "✓", "bad": "✗", "unsure": "?"}
_MOST_STEPS = 50
_MOST_FINDINGS = 500


def title(audit: Audit) -> str:
    """The heading and the name of the browser's tab. Plain text: pytest-html escapes it."""
    place = f" · {audit.target.database}" if audit.target else ""
    when = audit.run.started_at.strftime("%Y-%m-%d %H:%M UTC")
    return wording.seen(f"{wording.verdict(audit).headline} · {audit.run.mode}{place} · {when}")


def summary_html(audit: Audit) -> list[str]:
    """For the prefix of pytest_html_results_summary: the styles, and the run at a glance."""
    css = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    # The title that pytest-html shows was set before the run had an outcome.
    parts = [
        f"<style>{css}</style>",
        '<main class="hk">',
        _verdict(audit),
        _failed(audit),
        _findings(audit),
        _phases(audit),
        _facts(audit),
        _locks(audit),
        "</main>",
        '<h2 class="hk-steps" id="steps">All steps</h2>',
    ]
    return [part for part in parts if part]


def _verdict(audit: Audit) -> str:
    verdict = wording.verdict(audit)
    shown = wording.html(audit.run.message)
    message = f'<pre class="hk-message">{shown}</pre>' if shown else ""
    steps = "".join(f"<li>{wording.html(step)}</li>" for step in verdict.next)
    todo = f"<h3>What to do now</h3><ol>{steps}</ol>" if steps else ""
    return (
        f'<section class="hk-verdict hk-{verdict.tone}"><div class="hk-mark" aria-hidden="true">'
        f"{_MARK[verdict.tone]}</div><div><h2>{wording.html(verdict.headline)}</h2>"
        f"<p>{wording.html(verdict.meaning)}</p>{message}{todo}</div></section>"
    )


def _failed(audit: Audit) -> str:
    """The steps that failed, in the order in which they ran: the first is the one to read."""
    failed = wording.failures(audit)
    if not failed:
        return ""
    blocks = "".join(
        f"<details{' open' * (number < 3)}><summary>"
        f'<span class="hk-phase">{step.phase}</span><code>{wording.html(step.id)}</code>'
        f"</summary><pre>{wording.html(step.message or 'no message')}</pre></details>"
        for number, step in enumerate(failed[:_MOST_STEPS])
    )
    return (
        f"<section><h2>{wording.plural(len(failed), 'step')} failed</h2>{blocks}"
        f"{_more(len(failed), _MOST_STEPS)}</section>"
    )


def _findings(audit: Audit) -> str:
    found = wording.findings(audit)
    if not found:
        return ""
    rows = (
        f'<tr class="hk-{finding.level}"><td><span class="hk-level">{finding.level}</span></td>'
        f'<th scope="row"><code>{wording.html(finding.object)}</code></th>'
        f"<td>{wording.html(finding.detail)}"
        f'<div class="hk-rule">{wording.html(finding.rule)}</div></td>'
        f"<td>{_fix(finding.fix)}{_see(finding.leak)}</td></tr>"
        for finding in found[:_MOST_FINDINGS]
    )
    return (
        f"<section><h2>{wording.plural(len(found), 'finding')}</h2>"
        f"{_table('What the checks saw', ('Level', 'Object', 'What was seen', 'Fix'), rows)}"
        f"{_more(len(found), _MOST_FINDINGS)}</section>"
    )


def _phases(audit: Audit) -> str:
    rows = (
        f'<tr><th scope="row">{count.phase}</th>'
        f'<td class="hk-bar" aria-hidden="true">{_bar(count)}</td>'
        f'<td class="hk-number">{count.passed:,}</td>'
        f'<td class="hk-number{" hk-red" if count.failed else ""}">{count.failed:,}</td>'
        f'<td class="hk-number">{count.skipped:,}</td><td class="hk-number">{count.examined:,}</td>'
        f'<td class="hk-number">{wording.duration(count.duration_s)}</td></tr>'
        for count in wording.by_phase(audit)
    )
    heads = ("Phase", "", "Passed", "Failed", "Skipped", "Examined", "Time")
    return f"<section><h2>Phases</h2>{_table('Steps by phase', heads, rows)}</section>"


def _bar(count: wording.PhaseCount) -> str:
    shares = (("good", count.passed), ("bad", count.failed), ("none", count.skipped))
    return "".join(
        f'<i class="hk-{name}" style="width:{100 * share / count.steps:.2f}%"></i>'
        for name, share in shares
        if share
    )


def _facts(audit: Audit) -> str:
    run, source, target = audit.run, audit.source, audit.target
    commit = f"<code>{wording.html(source.commit)}</code>" if source.commit else "no commit"
    changed = ", ".join(f"<code>{wording.html(path)}</code>" for path in source.dirty_paths[:20])
    cards = [
        _card(
            "Run",
            ("id", f"<code>{wording.html(run.id)}</code>"),
            ("mode", run.mode.value),
            ("undoes", f"<code>{wording.html(run.reverts)}</code>" if run.reverts else ""),
            ("started", run.started_at.strftime("%Y-%m-%d %H:%M:%S UTC")),
            ("took", wording.duration(run.duration_s)),
            ("by", wording.html(run.actor)),
            ("CI", _link(run.ci_url)),
            ("locks held", wording.duration(run.locks_held_s) if run.locks_held_s else ""),
            ("tool", f"pytest-housekeeping {wording.html(run.tool_version)}"),
        ),
        _card(
            "Source",
            ("commit", commit),
            ("branch", wording.html(source.branch or "detached")),
            ("state", f"<b>uncommitted changes</b> {changed}" if source.dirty else "clean"),
        ),
        _card(
            "Target",
            ("server", f"<code>{wording.html(target.host)}:{target.port}</code>"),
            ("database", f"<code>{wording.html(target.database)}</code>"),
            ("user", f"<code>{wording.html(target.user)}</code>"),
            ("version", f"PostgreSQL {wording.html(target.server_version)}"),
            ("system", f"<code>{wording.html(target.system_identifier)}</code>"),
        )
        if target
        else _card("Target", ("server", "no connection was made")),
        _card(
            "Plan and evidence",
            ("steps", f"{len(audit.plan.steps):,}"),
            ("segments", f"{audit.plan.segments:,}"),
            ("plan", f"<code>{wording.html(audit.plan.digest)}</code>"),
            ("audit", f"<code>{wording.html(stem(run))}.json</code>"),
            ("digest", f"<code>{wording.html(audit.chain.digest)}</code>"),
            ("previous", f"<code>{wording.html(audit.chain.previous or 'none')}</code>"),
        ),
    ]
    return f'<section><h2>Facts</h2><div class="hk-cards">{"".join(cards)}</div></section>'


def _locks(audit: Audit) -> str:
    """Locks on what existed before: what others may have waited for."""
    locks = [(step.id, lock) for step in audit.steps for lock in step.locks]
    if not locks:
        return ""
    rows = (
        f'<tr><th scope="row"><code>{wording.html(lock.relation)}</code></th>'
        f"<td>{wording.html(lock.mode)}</td><td><code>{wording.html(step)}</code></td></tr>"
        for step, lock in locks[:_MOST_FINDINGS]
    )
    table = _table("Locks newly taken", ("Relation", "Lock", "Taken by"), rows)
    more = _more(len(locks), _MOST_FINDINGS)
    return (
        f"<section><details><summary><h2>{wording.plural(len(locks), 'lock')} on what existed "
        f"before</h2></summary>{table}{more}</details></section>"
    )


def _card(name: str, *facts: tuple[str, str]) -> str:
    rows = "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in facts if value)
    return f"<div><h3>{name}</h3><dl>{rows}</dl></div>"


def _table(caption: str, heads: Iterable[str], rows: Iterable[str]) -> str:
    cells = "".join(f'<th scope="col">{head}</th>' if head else "<td></td>" for head in heads)
    return (
        f'<table class="hk-table"><caption>{caption}</caption><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _more(count: int, most: int) -> str:
    return f"<p>… and {count - most:,} more, in the JSON.</p>" if count > most else ""


def _fix(text: str) -> str:
    return f"<pre>{wording.html(text)}</pre>" if text else ""


def _see(text: str) -> str:
    return f"<details><summary>See it</summary>{_fix(text)}</details>" if text else ""


def _link(url: str) -> str:
    """Only a web address becomes a link: ``javascript:`` is text."""
    if url.startswith(("https://", "http://")):
        return f'<a href="{wording.html(url)}" rel="noreferrer">{wording.html(url)}</a>'
    return wording.html(url)
