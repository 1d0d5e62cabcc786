"""The page of a run, made from its audit and from texts that the audit names: title and content.

The look is in *.html.jinja, report.css and search.js beside this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.evidence.compared_findings import rules_of
from pytest_housekeeping.evidence.report import tally
from pytest_housekeeping.evidence.report.batch import batch_view
from pytest_housekeeping.evidence.report.beside import NOTHING_BESIDE, Beside
from pytest_housekeeping.evidence.report.clone import clone_summary, growth_told
from pytest_housekeeping.evidence.report.display import shortened, visible
from pytest_housekeeping.evidence.report.findings_view import counts_told, findings_view
from pytest_housekeeping.evidence.report.html_steps import step_tables
from pytest_housekeeping.evidence.report.opening import (
    applied_files,
    commit_url,
    files_title,
    opening,
    web_address,
)
from pytest_housekeeping.evidence.report.production import plan_view
from pytest_housekeeping.evidence.report.templates import own_text, template
from pytest_housekeeping.evidence.report.timeline import timeline
from pytest_housekeeping.evidence.report.wording import outcome_text
from pytest_housekeeping.evidence.run_facts import stem

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit

_TEMPLATE, _WHOLE = "summary.html.jinja", "page.html.jinja"
_PARTS = ("macros", "files", "findings", "timeline", "facts", "steps")
_OF_A_COPY = ("plan", "batch", "way_back")
MARK = {"good": "✓", "bad": "✗", "unsure": "?"}
_MOST_STEPS = 50
_MOST_ROWS = 500
# Of the SQL, a page shows so much: the rest is in the commit, and in the files beside it.
_MOST_SQL = 400_000
_MOST_OF_A_FILE = 60_000
_MOST_LINES = 1500
_HEAD = '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
# What pytest-html writes, and what a reader with another screen, or none, needs in its place.
_FINISHED = (
    ("<html>", '<html lang="en">'),
    ('<meta charset="utf-8"/>', '<meta charset="utf-8"/>' + _HEAD),
    ("<body>", "<body><main>"),
    ("</body>", "</main></body>"),
)


def title(audit: Audit) -> str:
    """The heading and the name of the browser's tab. Plain text: pytest-html escapes it."""
    place = f" · {audit.target.database}" if audit.target else ""
    when = audit.run.started_at.strftime("%Y-%m-%d %H:%M UTC")
    return visible(f"{outcome_text(audit).headline} · {audit.run.mode}{place} · {when}")


def finished(page: str) -> str:
    """The page as pytest-html has written it, made fit for small screens and screen readers."""
    for written, wanted in _FINISHED:
        page = page.replace(written, wanted, 1)
    return page


def whole_page(audit: Audit, beside: Beside, others: Sequence[tuple[str, str]]) -> str:
    """The page without pytest-html; see `summary_html`."""
    content = summary_html(audit, beside, others)
    return template(_WHOLE).render(title=title(audit), content=content)


def compile_ahead(*, rehearses: bool) -> None:
    """Compile the templates before they are needed: that takes longer than to fill them in.

    Those that tell of a copy are of no use to a run that makes none.
    """
    parts = (*_PARTS, *(_OF_A_COPY if rehearses else ()))
    for name in (_TEMPLATE, _WHOLE, *(f"{part}.html.jinja" for part in parts)):
        template(name)


def summary_html(
    audit: Audit,
    beside: Beside = NOTHING_BESIDE,
    others: Sequence[tuple[str, str]] = (),
    *,
    own_table: bool = False,
) -> str:
    """For the prefix of pytest_html_results_summary: styles, and all that is told of the run.

    ``others`` are reports that belong to no step, each with its name. ``own_table``: pytest-html's
    own table has rows, and is to be seen.
    """
    return template(_TEMPLATE).render(
        css=own_text("report.css"),
        script=own_text("search.js"),
        most_steps=_MOST_STEPS,
        most_rows=_MOST_ROWS,
        own_table=own_table,
        others=others,
        **_of_the_run(audit),
        **_of_the_batch(audit, beside),
        **_of_the_findings(audit, beside),
    )


def _of_the_run(audit: Audit) -> dict[str, Any]:
    text = outcome_text(audit)
    return {
        "text": text,
        "mark": MARK[text.tone],
        "run": audit.run,
        "source": audit.source,
        "target": audit.target,
        "plan": audit.plan,
        "chain": audit.chain,
        "bound": audit.bound,
        "stem": stem(audit.run),
        "opening": opening(audit),
        "beside_files": list(_beside_files(audit)),
        "failed": tally.failures(audit),
        "timeline": timeline(audit),
        "conflicts": tally.lock_conflicts(audit),
        # Locks on what existed before: what others may have waited for.
        "locks": [(step, lock) for step in audit.steps for lock in step.locks],
    }


def _of_the_batch(audit: Audit, beside: Beside) -> dict[str, Any]:
    files = applied_files(audit)
    lines = beside.difference.splitlines()
    return {
        "files": files,
        "files_title": files_title(audit),
        "file_urls": {each.path: _file_url(audit, each.path) for each in files},
        "texts": _within(dict.fromkeys(each.sha256 for each in files), beside.texts),
        "difference": [(line[:1], line) for line in lines[:_MOST_LINES]],
        "difference_cut": max(0, len(lines) - _MOST_LINES),
        "batch": batch_view(audit),
        "plan_of": plan_view(audit),
        "clone": audit.clone,
        "clone_told": clone_summary(audit.clone) if audit.clone else "",
        "grown": [growth_told(each) for each in audit.clone.growth] if audit.clone else [],
    }


def _of_the_findings(audit: Audit, beside: Beside) -> dict[str, Any]:
    known = findings_view(audit)
    named = rules_of(audit)
    return {
        "findings": len(audit.findings),
        "found": known,
        "found_counts": counts_told(known),
        "rules": {name: page for name, page in beside.rules.items() if name in named},
        "phases": step_tables(audit, beside.logs),
    }


def _beside_files(audit: Audit) -> Iterator[tuple[str, str]]:
    """The files that lie beside the page, each with the name that it has for a reader."""
    kept = audit.snapshot
    for name, file in (("schema before", kept.before), ("schema after", kept.after)):
        if file is not None:
            yield name, file.path.rpartition("/")[2]


def _file_url(audit: Audit, path: str) -> str:
    """Where a file is looked at as the commit has it; "" where its name needs to be escaped."""
    commit = audit.source.commit or ""
    url = commit_url(audit, commit).replace("/commit/", "/blob/")
    return web_address(f"{url}/{path}") if url and not audit.source.dirty else ""


def _within(digests: Iterable[str], texts: Mapping[str, str]) -> dict[str, str]:
    """As many texts as fit into a page; of a long one its beginning."""
    left, shown = _MOST_SQL, dict[str, str]()
    for sha256 in digests:
        text = texts.get(sha256, "") if left > 1 else ""
        shown[sha256] = shortened(text, min(_MOST_OF_A_FILE, left)) if text else ""
        left -= len(shown[sha256])
    return shown
