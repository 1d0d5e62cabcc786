"""The head of the HTML report, made from an audit: its title, and the run at a glance.

The look is summary.html.jinja and report.css beside this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.report import tally
from pytest_housekeeping.evidence.report.batch import batch_view
from pytest_housekeeping.evidence.report.clone import clone_summary, growth_told
from pytest_housekeeping.evidence.report.display import visible
from pytest_housekeeping.evidence.report.production import plan_view
from pytest_housekeeping.evidence.report.templates import stylesheet, template
from pytest_housekeeping.evidence.report.wording import approval_text, outcome_text
from pytest_housekeeping.evidence.run_facts import stem

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Audit

_TEMPLATE = "summary.html.jinja"
_MARK = {"good": "✓", "bad": "✗", "unsure": "?"}
_MOST_STEPS = 50
_MOST_ROWS = 500


def title(audit: Audit) -> str:
    """The heading and the name of the browser's tab. Plain text: pytest-html escapes it."""
    place = f" · {audit.target.database}" if audit.target else ""
    when = audit.run.started_at.strftime("%Y-%m-%d %H:%M UTC")
    return visible(f"{outcome_text(audit).headline} · {audit.run.mode}{place} · {when}")


def compile_ahead() -> None:
    """Compile the template before it is needed: that takes longer than to fill it in."""
    template(_TEMPLATE)


def summary_html(audit: Audit) -> str:
    """For the prefix of pytest_html_results_summary: the styles, and the run at a glance."""
    text = outcome_text(audit)
    return template(_TEMPLATE).render(
        css=stylesheet(),
        text=text,
        mark=_MARK[text.tone],
        run=audit.run,
        source=audit.source,
        target=audit.target,
        plan=audit.plan,
        chain=audit.chain,
        bound=audit.bound,
        approved_by=approval_text(audit.bound),
        stem=stem(audit.run),
        started=audit.run.started_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        # Only a web address becomes a link: "javascript:" is text.
        ci_is_link=audit.run.ci_url.startswith(("https://", "http://")),
        failed=tally.failures(audit),
        findings=len(audit.findings),
        kinds=tally.kinds(audit),
        phases=tally.by_phase(audit),
        conflicts=tally.lock_conflicts(audit),
        batch=batch_view(audit),
        plan_of=plan_view(audit),
        clone=audit.clone,
        clone_told=clone_summary(audit.clone) if audit.clone else "",
        grown=[growth_told(each) for each in audit.clone.growth] if audit.clone else [],
        # Locks on what existed before: what others may have waited for.
        locks=[(step, lock) for step in audit.steps for lock in step.locks],
        most_steps=_MOST_STEPS,
        most_rows=_MOST_ROWS,
    )
