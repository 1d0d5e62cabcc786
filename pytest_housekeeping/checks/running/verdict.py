"""What is said of code that runs: what the batch breaks, what is let stand, how much was judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from pytest_housekeeping.checks.code.verdict.breach import Breach
from pytest_housekeeping.checks.running.bodies import BodyState
from pytest_housekeeping.checks.running.committed_code import RunningApp
from pytest_housekeeping.checks.running.compare import breaks
from pytest_housekeeping.checks.running.compare_bodies import broken_bodies
from pytest_housekeeping.checks.running.coverage import Coverage, coverage_of
from pytest_housekeeping.checks.running.state import SchemaState
from pytest_housekeeping.declarations.exemptions import CodeExemption
from pytest_housekeeping.evidence.report.display import plural
from pytest_housekeeping.model import Finding, Level, Verdict

UNSEEN, EXEMPTION = "running-unseen", "running-exemption"
_SHOWN = 20


def running_verdict(
    apps: Sequence[RunningApp],
    before: SchemaState,
    after: Sequence[SchemaState],
    *,
    exemptions: Sequence[CodeExemption],
    today: date,
) -> Verdict:
    """Whether the batch breaks code that runs: an error for what no longer works, a warning for
    what reads or writes another shape. ``after``: as each of its transactions leaves it.

    An application of which nothing was found stops nothing: it may be new, and none of it runs. How
    many files were searched for it is what was examined then.
    """
    found: list[Breach] = []
    # What the whole batch breaks is told first, and not again for a moment on the way.
    for number, state in reversed(list(enumerate(after, start=1))):
        on_the_way = f", after transaction {number} of {len(after)}" * (number < len(after))
        broken = list(broken_bodies(before.bodies, state.bodies))
        for app, old, new in zip(apps, before.apps, state.apps, strict=True):
            broken += [_of_code(each, str(app.commit)) for each in breaks(app, old, new)]
        found += [replace(each, detail=each.detail + on_the_way) for each in broken]
    findings = list(_standing(_once(found), exemptions, today))
    judged: list[str] = []
    examined = 0
    for app, old in zip(apps, before.apps, strict=True):
        coverage, lines = coverage_of(app, old)
        examined += coverage.judged or app.searched
        judged += lines
        findings += [] if coverage.judged else [_unseen(app, coverage)]
    judged += _of_bodies(before.bodies)
    return Verdict(
        examined=examined,
        findings=tuple(findings),
        unit="statements and names of running code",
        coverage=tuple(judged),
    )


def _of_code(breach: Breach, commit: str) -> Breach:
    return replace(breach, detail=f"{breach.detail}; the code of {commit}")


def _once(found: Iterable[Breach]) -> Iterable[Breach]:
    """Each line and object once, however many roles, commits or statements come to it."""
    unique: dict[tuple[str, int, str, str], Breach] = {}
    for each in sorted(found, key=lambda each: (each.file, each.line, each.level is Level.WARNING)):
        unique.setdefault((each.file, each.line, each.rule, each.object), each)
    return unique.values()


def _standing(
    found: Iterable[Breach], exemptions: Sequence[CodeExemption], today: date
) -> Iterator[Finding]:
    """What no exemption lets stand; and exemptions that have ended, or have no cause."""
    by_key = {(each.rule, each.file, each.symbol, each.object): each for each in exemptions}
    used: set[CodeExemption] = set()
    for breach in found:
        exemption = by_key.get((breach.rule, breach.file, breach.symbol, breach.object))
        if exemption is not None and exemption.holds_on(today):
            used.add(exemption)
        else:
            yield breach.exemptible
    for each in exemptions:
        if not each.holds_on(today):
            yield _of_exemption(each, f"ended on {each.until}: {each.reason}")
        elif each not in used:
            yield _of_exemption(each, "matches nothing of this batch")


def _of_exemption(exemption: CodeExemption, said: str) -> Finding:
    """It was written for one batch, and stays when that is in: no reason to stop the next one."""
    return Finding(
        rule=EXEMPTION,
        level=Level.WARNING,
        object=f"{exemption.file} {exemption.object}",
        detail=f"the exemption of {exemption.symbol} from {exemption.rule} {said}",
        fix="take it out of checks/boundaries.toml",
    )


def _unseen(app: RunningApp, coverage: Coverage) -> Finding:
    """Also where all of it is refused already: the batch may be what repairs that."""
    files, patterns = len(app.extraction.files), ", ".join(app.app.code)
    said = f"no statement of it was found in {app.commit}: {files} files match {patterns}"
    fix = "nothing, where none of it runs yet; else name the commit that runs:"
    fix += " running = [...] under [tool.housekeeping]"
    if not coverage.is_whole:
        said = f"none of its statements in {app.commit} could be judged: {coverage}"
        fix = "see why in the message of the step: a role without rights, or another search_path?"
    return Finding(
        rule=UNSEEN,
        level=Level.WARNING,
        object=app.app.name,
        detail=f"{said}; nothing of it was judged",
        fix=fix,
    )


def _of_bodies(state: BodyState) -> Iterator[str]:
    prepared = sum(
        any(answer.refused is None for _, answer in paths.values())
        for paths in state.answers.values()
    )
    line = f"{plural(state.routines, 'function')} of the database:"
    line += f" {plural(prepared, 'statement')} prepared"
    more = ", …" if len(state.undecided) > _SHOWN else ""
    if state.undecided:
        line += f", not decided in {', '.join(state.undecided[:_SHOWN])}{more}"
    yield line
