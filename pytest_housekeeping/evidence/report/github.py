"""A run on GitHub: the step summary, which is also a pull request's body."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_housekeeping.errors import named
from pytest_housekeeping.evidence.report import tally
from pytest_housekeeping.evidence.report.access_matrix import Cell, access_matrix
from pytest_housekeeping.evidence.report.batch import (
    change_lines,
    counts_told,
    coverage,
    destroyed_lines,
    has_batch,
    lock_lines,
    message_lines,
)
from pytest_housekeeping.evidence.report.beside import NOTHING_BESIDE, Beside
from pytest_housekeeping.evidence.report.clone import clone_lines
from pytest_housekeeping.evidence.report.display import duration, plural
from pytest_housekeeping.evidence.report.findings_view import findings_view
from pytest_housekeeping.evidence.report.markdown import Section, block, cell, code, fitted, size
from pytest_housekeeping.evidence.report.opening import (
    AppliedFile,
    applied_files,
    files_title,
    opening,
)
from pytest_housekeeping.evidence.report.production import now_told, promote_command, rows_of
from pytest_housekeeping.evidence.report.wording import outcome_text
from pytest_housekeeping.evidence.run_facts import stem

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.kinds import FindingKind
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.findings import FindingRecord

MARK = {"good": "✅", "bad": "❌", "unsure": "⚠️"}
LONGEST = 64_500
_LONG_BLOCK = 12_000
# Of a list that is longer, only its heading is seen at first.
_MANY = 25
_MOST_MET = 20
_HEAD = "| level | rule | object | detail | fix |\n| --- | --- | --- | --- | --- |\n"
_PLAIN = re.compile(r"https?://[\w.-]+(?::\d+)?(?:/[\w.-]+)*")


def step_summary(audit: Audit, beside: Beside = NOTHING_BESIDE) -> str:
    """GitHub Markdown of fewer than 65,536 characters, the most that a pull request takes.

    What a project named stands in code only, where it is no markup, mention or link.
    """
    text = outcome_text(audit)
    head = [f"## {MARK[text.tone]} {text.headline}", text.meaning]
    head += [block(audit.run.message)] if audit.run.message else []
    head.append(_facts(audit))
    command = promote_command(audit)
    head += ["Promote exactly this:", block(command)] if command else []
    met = tally.lock_conflicts(audit)[:_MOST_MET]
    head += ["\n".join(f"- {cell(each)}" for each in met)] if met else []
    if text.next_steps:
        head.append("### What to do now\n\n" + "\n".join(f"- {step}" for step in text.next_steps))
    tail = [_phases(audit)]
    tail.append(f"Evidence: {cell(stem(audit.run))}, digest {cell(audit.chain.digest)}\n")
    room = LONGEST - sum(size(part) + 2 for part in (*head, *tail))
    sections = [each for each in _sections(audit, beside) if each.entries]
    return "\n\n".join([*head, *fitted(sections, room - 2 * len(sections), "in the report"), *tail])


def _sections(audit: Audit, beside: Beside) -> Iterator[Section]:
    """What changed, then what was found; of the lists, as much as there is room for."""
    failed, known = tally.failures(audit), findings_view(audit)
    yield Section(
        title=f"{plural(len(failed), 'step')} failed",
        entries=tuple(
            f"{cell(step.id)}\n\n{block(step.message or 'no message')}" for step in failed
        ),
        between="\n\n",
    )
    yield _listed("Data destroyed", destroyed_lines(audit, rows_of(audit)))
    yield _listed(f"Objects: {counts_told(audit)}", change_lines(audit))
    yield _access(audit)
    yield _listed("Locks, held until COMMIT", lock_lines(audit, now_told(audit)))
    if audit.clone:
        yield _listed("Measured on a clone that has the rows", clone_lines(audit.clone))
    new = "new finding" if known.compared else "finding"
    yield Section(title=plural(known.count_new, new), entries=tuple(_rows(known.new)), head=_HEAD)
    yield _listed(
        f"{len(known.fixed):,} fixed",
        (f"{each.rule}: {each.object}: {each.detail}" for each in known.fixed),
    )
    yield Section(
        title=f"{known.count_standing:,} standing, the oldest since {known.oldest}",
        entries=tuple(_rows(known.standing)),
        head=_HEAD,
        folded=True,
    )
    yield _listed(
        f"{len(known.exempted):,} exempt",
        (f"{each.rule}: {each.object}: {each.reason}" for each in known.exempted),
        folded=True,
    )
    yield _listed("The way back", audit.way_back, folded=True)
    files = applied_files(audit)
    yield Section(
        title=files_title(audit),
        entries=tuple(_file(each, beside) for each in files),
        between="\n\n",
        folded=True,
    )
    lines = beside.difference.splitlines()
    yield Section(
        title="The schema, before and after",
        entries=tuple(block(part, _LONG_BLOCK, "diff") for part in _pieces(lines)),
        between="\n\n",
        folded=True,
    )
    said = [*message_lines(audit), f"coverage: {coverage(audit)}"] if has_batch(audit) else []
    yield _listed("What the server said", said, folded=True)


def _listed(title: str, lines: Iterable[str], *, folded: bool = False) -> Section:
    entries = tuple(f"- {code(each)}" for each in lines)
    return Section(title=title, entries=entries, folded=folded or len(entries) > _MANY)


def _access(audit: Audit) -> Section:
    """Role by relation by command; what has changed is marked."""
    matrix = access_matrix(
        (each for segment in audit.batch for each in segment.access),
        (each for segment in audit.batch for each in segment.access_kept),
    )
    rows = []
    for row in matrix.rows:
        cells = (_may(row.cells.get(command)) for command in matrix.commands)
        rows.append(f"| {cell(row.relation)} | {cell(row.role)} | {' | '.join(cells)} |")
    names = ("relation", "role", *(command.lower() for command in matrix.commands))
    return Section(
        title="Who may do what, changes in bold",
        entries=tuple(rows),
        head=f"| {' | '.join(names)} |\n|{' --- |' * len(names)}\n",
        folded=len(rows) > _MANY,
    )


def _may(known: Cell | None) -> str:
    if known is None:
        return "-"
    after = cell(known.after or "nothing")
    return f"{cell(known.before or 'nothing')} → **{after}**" if known.changed else after


def _file(file: AppliedFile, beside: Beside) -> str:
    did = f"{plural(file.statements, 'statement')}, {plural(file.rows, 'row')} written"
    text = beside.texts.get(file.sha256, "")
    sql = block(text, _LONG_BLOCK, "sql") if text else f"sha256 {cell(file.sha256)}"
    outcome = f"{file.outcome}, {'not applied, ' * file.undone}"
    return f"{cell(file.path)}: {outcome}{did}, {duration(file.duration_s)}\n\n{sql}"


def _pieces(lines: Sequence[str]) -> Iterator[str]:
    """The difference object by object, so that none is cut in the middle."""
    piece: list[str] = []
    for line in lines:
        if line.startswith("@@") and piece:
            yield "\n".join(piece)
            piece = []
        piece.append(line)
    if piece:
        yield "\n".join(piece)


def _facts(audit: Audit) -> str:
    rows = []
    for each in opening(audit):
        shown = _linked(each.value, each.url)
        rows.append(f"| {each.name} | {shown}{f' {cell(each.more)}' * bool(each.more)} |")
    rows.append(f"| plan | {cell(audit.plan.digest[:12])} {len(audit.plan.steps):,} steps |")
    body = "\n".join(rows)
    return f"| | |\n| --- | --- |\n{body}"


def _linked(text: str, url: str) -> str:
    """A link only to an address that holds nothing which Markdown would read."""
    return f"[{cell(text)}]({url})" if url and _PLAIN.fullmatch(url) else cell(text)


def _phases(audit: Audit) -> str:
    rows = [
        f"| {c.phase} | {c.passed:,} | {c.failed:,} | {c.skipped:,} | {c.examined:,} "
        f"| {duration(c.duration_s)} |"
        for c in tally.by_phase(audit)
    ]
    head = "| phase | passed | failed | skipped | examined | time |"
    line = "| --- | ---: | ---: | ---: | ---: | ---: |"
    return "\n".join([head, line, *rows])


def _rows(kinds: Sequence[FindingKind[FindingRecord]]) -> Iterator[str]:
    return (_finding(kind, each) for kind in kinds for each in kind.in_full)


def _finding(kind: FindingKind[FindingRecord], finding: FindingRecord) -> str:
    objects, detail = cell(finding.object), cell(finding.detail)
    left = kind.left if finding is kind.in_full[-1] else ()
    if left:
        objects = f"{len(left) + 1:,}: {cell(named((finding.object, *left)))}"
        detail = f"{cell(finding.object)}: {detail}; and {len(left):,} more of this kind"
    if kind.below and finding is kind.in_full[-1]:
        below = named([f"{each.rule} {each.object}" for each in kind.below])
        detail += f" with it: {cell(below)}"
    since = f" since {finding.since[:10]}" * bool(finding.since)
    rule = f"{cell(kind.rule)}{since}"
    return f"| {finding.level} | {rule} | {objects} | {detail} | {cell(finding.fix)} |"
