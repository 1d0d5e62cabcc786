"""The pages on what a batch changes: its rules, and what they and others say of sixty batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_housekeeping.checks.changes.catalogue import FAMILIES
from pytest_housekeeping.checks.changes.levels import Weight, level_of
from pytest_housekeeping.checks.changes.rule import ChangeRule, Harm
from pytest_housekeeping.config import Config
from support.change_statements import DANGEROUS, HARMLESS, SQUAWK, Case

_NOTE = "<!-- Rendered from {source}; HK_WRITE_DOCS=1 pytest tests/unit/test_change_pages.py -->"
_PAGES = Path(__file__).parent / "pages"


def render_change_pages() -> Mapping[str, str]:
    """The pages by their file names below ``docs/``."""
    return {"changes.md": _changes(), "beside_others.md": _beside()}


def _changes() -> str:
    note = _NOTE.format(source="pytest_housekeeping/checks/changes/")
    lines = [
        "# What a batch changes",
        "",
        note,
        "",
        _intro("changes.md", levels="\n".join(_levels()), **_thresholds()),
    ]
    for family, rules in FAMILIES.items():
        lines += [f"## {family}", "", "| rule | finding | does |", "| --- | --- | --- |"]
        lines += [f"| [{r.id}](#{r.id}) | {r.title} | {r.harm.value} |" for r in rules]
        lines.append("")
        for rule in rules:
            lines += [*_rule(rule), ""]
    return "\n".join(lines).rstrip() + "\n"


def _intro(name: str, **values: str) -> str:
    """What stands before what is rendered."""
    return (_PAGES / name).read_text(encoding="utf-8").format(**values)


def _thresholds() -> dict[str, str]:
    config = Config(root=_PAGES)
    return {
        "small": f"{config.small_table_mb:g}",
        "large": f"{config.large_table_mb:g}",
        "hot": f"{config.hot_table_writes:g}",
    }


def _levels() -> Iterator[str]:
    yield "| what happens | small, not hot | neither, or small and hot | large or hot | both |"
    yield "| --- | --- | --- | --- | --- |"
    for harm in Harm:
        if harm is Harm.DATA:
            yield f"| {harm.value} | by decision, see below | | | |"
        else:
            yield f"| {harm.value} | {' | '.join(level_of(harm, w).value for w in Weight)} |"


def _rule(rule: ChangeRule) -> Iterator[str]:
    yield f"### {rule.id}"
    yield ""
    yield f"**{rule.title}** · {rule.harm.value}"
    yield ""
    yield f"- **When:** {_marked(rule.condition)}"
    yield f"- **Effect:** {_marked(rule.effect)}"
    yield f"- **In place of it:** {_marked(rule.fix)}"
    if rule.known_as:
        yield f"- **Elsewhere:** {'; '.join(rule.known_as)}"
    yield f"- **PostgreSQL:** <{rule.page}>"
    for title, files in (("Bad", rule.bad), ("Good", rule.good)):
        yield ""
        yield f"{title}:"
        for text in files:
            yield ""
            yield f"```sql\n{text}\n```"


def _marked(text: str) -> str:
    """What is to be filled in is no HTML."""
    return text.replace("{", "*").replace("}", "*")


def _beside() -> str:
    lines = ["# Beside others", "", _NOTE.format(source="tests/support/change_statements.py"), ""]
    lines.append(_intro("beside_others.md", squawk=SQUAWK, score="\n".join(_score())))
    for title, cases in (("Dangerous", DANGEROUS), ("Harmless", HARMLESS)):
        head = ("batch", "pytest-housekeeping", "squawk", "eugene", "strong_migrations")
        lines += [f"## {title}", "", f"| {' | '.join(head)} |", "| --- | --- | --- | --- | --- |"]
        lines += [_row(case) for case in cases]
        lines.append("")
    lines += ["## The statements", ""]
    for case in (*DANGEROUS, *HARMLESS):
        lines += [f"**{case.title}**", ""]
        for text in case.files:
            lines += [f"```sql\n{text}\n```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _row(case: Case) -> str:
    rule = f"[{case.rule}](changes.md#{case.rule})" if case.rule else ""
    told = (rule, ", ".join(case.squawk), ", ".join(case.eugene), case.strong_migrations)
    return f"| {case.title} | {' | '.join(each or '-' for each in told)} |"


def _score() -> Iterator[str]:
    yield f"| pytest-housekeeping | {len(DANGEROUS)} of {len(DANGEROUS)} | 0 of {len(HARMLESS)} |"
    yield f"| squawk {SQUAWK}, run | {_told('squawk', DANGEROUS)} | {_told('squawk', HARMLESS)} |"
    for name in ("eugene", "strong_migrations"):
        found, alarms = _told(name, DANGEROUS), _told(name, HARMLESS, but="executing SQL directly")
        yield f"| {name}, by its documentation | {found} | {alarms} |"


def _told(name: str, cases: Sequence[Case], *, but: str = "") -> str:
    told = [getattr(case, name) for case in cases]
    return f"{sum(1 for each in told if each and each != but)} of {len(cases)}"
