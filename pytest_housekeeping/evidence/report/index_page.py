"""The page of all runs, one file without anything beside it: filtered and looked into in a browser.

The look is index.html.jinja, index.css and index.js beside this module.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.report.display import visible
from pytest_housekeeping.evidence.report.templates import markup, own_text, template
from pytest_housekeeping.evidence.report.wording import outcome_word

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.index.rows import Row
    from pytest_housekeeping.evidence.index.schema_texts import SchemaTexts

_MOST_TEXT = 8_000_000
_CALLED = {"changed_outside": "changed outside", "not_known": "not known"}
_TONES = {
    "promoted": "good",
    "nothing_to_promote": "good",
    "promoted_in_part": "unsure",
    "promoted_unproved": "unsure",
    "unknown": "unsure",
    "not_known": "unsure",
}
_FACTS = {
    "result": "Result",
    "target": "Database",
    "request": "Request",
    "reason": "Reason",
    "people": "Different people",
    "risk": "Risk",
    "tests": "Tests",
    "way_back": "Way back",
    "review": "Review",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """A row as the page shows it: with what it may link to, and what it says in its first cells."""

    row: Row
    what: str
    tone: str
    facts: Sequence[tuple[str, str]]
    links: Sequence[tuple[str, str]]
    elsewhere: str


def index_page(
    rows: Sequence[Row],
    schemas: SchemaTexts,
    faults: Sequence[str],
    *,
    here: frozenset[str],
    project: str,
) -> str:
    """The page. Only what is ``here``, in its own folder, becomes a link; all else is text."""
    shown = [_shown(each, here) for each in rows]
    large = sum(map(len, schemas.blocks)) > _MOST_TEXT
    return template("index.html.jinja").render(
        css=own_text("index.css"),
        script=own_text("index.js"),
        project=project,
        rows=shown,
        faults=faults,
        outcomes=_choices(each.what for each in shown),
        targets=_choices(each.row.target for each in shown),
        data=_data(shown, schemas, large=large),
        states=len(schemas.states),
        large=large,
    )


def _choices(values: Iterable[str]) -> list[str]:
    return sorted({visible(each) for each in values if each})


def _shown(row: Row, here: frozenset[str]) -> _Shown:
    outcome = _CALLED.get(row.outcome) or outcome_word(row.mode, row.outcome)
    name = row.path.rpartition("/")[2]
    files = (("report", row.report), ("audit", name), ("schema after", row.schema))
    links = [(label, file) for label, file in files if file in here]
    if row.ci_url.startswith(("https://", "http://")):
        links.append(("workflow run", row.ci_url))
    told = [(label, row.facts[key]) for key, label in _FACTS.items() if key in row.facts]
    return _Shown(
        row=row,
        what=f"{row.mode} {outcome}".strip(),
        tone=_TONES.get(row.outcome, "bad"),
        facts=[(k, v if isinstance(v, str) else "\n".join(v)) for k, v in told],
        links=links,
        elsewhere=f"git show {row.branches[0]}:{row.path}" if row.path and name not in here else "",
    )


def _data(shown: Sequence[_Shown], schemas: SchemaTexts, *, large: bool) -> str:
    """What the script filters by, as JSON that ends no element and begins none."""
    document = {
        "rows": [
            {
                "o": _searched(each.row.objects),
                "f": _searched(each.row.files),
                "p": _searched((each.row.runner, each.row.author, each.row.approver)),
                "w": visible(each.what),
                "t": visible(each.row.target),
                "d": each.row.began,
                "e": each.row.ended or each.row.began,
            }
            for each in shown
        ],
        "blocks": [] if large else [visible(each) for each in schemas.blocks],
        "states": [
            {
                "at": state.at,
                "t": visible(state.target),
                "said": visible(f"as run {state.run} {_verb(found=state.found)} it at {state.at}"),
                "path": visible(state.path),
                "s": [] if large else splices,
            }
            for state, splices in schemas.states
        ],
    }
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    return markup(text.replace("&", r"\u0026").replace("<", r"\u003c"))


def _verb(*, found: bool) -> str:
    return "found" if found else "left"


def _searched(values: Sequence[str]) -> str:
    return visible("\n".join(values)).lower()
