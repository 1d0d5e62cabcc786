"""The incident report: what the evidence knows is filled in, what only people know is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.report.display import duration, one_line, plural, visible
from pytest_housekeeping.evidence.report.tally import by_phase, failures, findings
from pytest_housekeeping.evidence.report.wording import outcome_text
from pytest_housekeeping.evidence.run_facts import stem
from pytest_housekeeping.model import Mode, Phase, RunOutcome
from pytest_housekeeping.plan.rollback_files import DESTROYS

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Audit, StepRecord

_QUESTIONS = {
    "Who noticed, how, and when?": "",
    "What did users see, who was affected, and for how long?": "",
    "Which data was lost or wrong, and where can it come back from?": "",
    "What was the cause, and why did staging not show it?": "",
    "Which check would have caught it?": (
        "Write it: a query in `checks/queries/`, a test in `checks/test_*.py`, a row in the seeds."
    ),
    "What will be done, by whom, and by when?": "",
}
_BRANCH = "branch `housekeeping/audit/{}`"


def incident_report(
    audit: Audit,
    *,
    reverted: Sequence[Audit] = (),
    changes: Sequence[str] = (),
    proposal: str = "",
) -> str:
    """The report as Markdown. ``reverted`` are the promotions undone, ``changes`` the objects that
    differ between before and after, ``proposal`` the file that stands beside it."""
    parts = (
        _head(audit, reverted),
        _timeline(audit, reverted),
        _work(audit),
        _reason(audit, reverted, proposal),
        _schema(audit, changes),
        _concerned(audit),
        _evidence(audit, reverted),
        _asked(),
    )
    return "\n".join("\n".join(part) + "\n" for part in parts)


def _head(audit: Audit, reverted: Sequence[Audit]) -> Iterator[str]:
    run, text = audit.run, outcome_text(audit)
    yield f"# Incident of {_day(run.started_at)}: {_line(text.headline)}"
    yield ""
    yield (
        "Filled in from the evidence of the run. What no evidence can know is asked at the end:"
        " complete it, and merge."
    )
    yield ""
    yield f"{_line(text.meaning)} {_line(run.message)}".rstrip()
    yield ""
    yield "| | |"
    yield "| --- | --- |"
    yield f"| run | `{run.id}`, {run.mode}, {run.outcome} |"
    if reverted:
        yield f"| undoes | {', '.join(f'`{each.run.id}`' for each in reverted)} |"
    yield f"| by | {_line(run.actor) or 'not known'} |"
    yield f"| commit | `{audit.source.commit or 'none'}` on {_line(audit.source.branch or '-')} |"
    if audit.target is not None:
        there = audit.target
        yield (
            f"| database | `{there.host}:{there.port}/{there.database}` as `{there.user}`,"
            f" PostgreSQL {there.server_version}, system {there.system_identifier} |"
        )
    if run.ci_url:
        yield f"| CI | {run.ci_url} |"


def _timeline(audit: Audit, reverted: Sequence[Audit]) -> Iterator[str]:
    yield "## Timeline"
    yield ""
    yield "| UTC | what | took |"
    yield "| --- | --- | --- |"
    for each in sorted(reverted, key=lambda one: one.run.finished_at):
        run, commit = each.run, (each.source.commit or "none")[:12]
        said = f"promotion `{run.id}` of commit `{commit}` by {_line(run.actor) or 'somebody'}"
        yield f"| {_moment(run.started_at)} | {said} begins | |"
        took = duration(run.duration_s)
        yield f"| {_moment(run.finished_at)} | it has ended: {run.outcome} | {took} |"
    yield f"| {_moment(audit.run.started_at)} | run `{audit.run.id}` begins | |"
    for count in by_phase(audit):
        said = (
            f"{count.phase}: {count.passed} passed, {count.failed} failed, {count.skipped} skipped"
        )
        yield f"| | {said} | {duration(count.duration_s)} |"
    took = duration(audit.run.duration_s)
    yield f"| {_moment(audit.run.finished_at)} | it has ended: {audit.run.outcome} | {took} |"
    if reverted:
        oldest = min(each.run.finished_at for each in reverted)
        stood = duration((audit.run.finished_at - oldest).total_seconds())
        yield ""
        yield f"From the first promotion's end to the end of this run: {stood}."


def _work(audit: Audit) -> Iterator[str]:
    undone = audit.run.mode is Mode.ROLLBACK
    yield "## What was undone" if undone else "## What was applied"
    yield ""
    steps = [step for step in audit.steps if step.phase is Phase.APPLY]
    if not steps:
        yield "Nothing."
        return
    yield "| step | outcome | statements | rows | took |"
    yield "| --- | --- | --- | --- | --- |"
    for step in steps:
        yield (
            f"| `{_line(step.id)}` | {step.outcome} | {step.statements} | {step.rows}"
            f" | {duration(step.duration_s)} |"
        )
    if audit.run.outcome in (RunOutcome.ROLLED_BACK, RunOutcome.REFUSED):
        yield ""
        yield "None of it was committed: the database is as it was before this run."


def _reason(audit: Audit, reverted: Sequence[Audit], proposal: str) -> Iterator[str]:
    yield "## Which check, or whose decision"
    yield ""
    if reverted:
        yield (
            f"{_line(audit.run.actor) or 'Somebody'} asked for it with `--hk-confirm=ROLLBACK`;"
            " the reason is asked below."
        )
        yield ""
    failed = failures(audit)
    if not failed:
        yield "No check of this run failed."
    for step in failed:
        yield from _failed(step, audit)
    if proposal:
        yield ""
        yield (
            f"Nothing was run where a rollback file is missing. [A proposal]({proposal}) was made"
            " of the two snapshots: review and complete it, commit it as rollback files, prove"
            " them in staging, and run again."
        )


def _failed(step: StepRecord, audit: Audit) -> Iterator[str]:
    yield f"- `{_line(step.id)}` failed"
    yield from _indented(step.message)
    for finding in findings(audit):
        if finding.step == step.id and finding.rule != DESTROYS:
            yield f"  - {finding.rule}: `{_line(finding.object)}` {_line(finding.detail)}"
            if finding.fix:
                yield f"    fix: {_line(finding.fix)}"


def _indented(text: str) -> Iterator[str]:
    yield ""
    yield from (f"      {line}" for line in visible(text).splitlines())
    yield ""


def _schema(audit: Audit, changes: Sequence[str]) -> Iterator[str]:
    yield "## The schema"
    yield ""
    if audit.run.outcome in (RunOutcome.ROLLED_BACK, RunOutcome.REFUSED):
        yield "As before this run: nothing was committed."
    elif changes:
        yield f"This run has changed {plural(len(changes), 'object')}:"
        yield ""
        yield from (f"- {_line(change)}" for change in changes)
    else:
        yield "The snapshots below say what differs."


def _concerned(audit: Audit) -> Iterator[str]:
    yield "## Locks, tables and rows"
    yield ""
    held = duration(audit.run.locks_held_s) if audit.run.locks_held_s else "no time"
    yield f"Others had to wait for strong locks for {held}."
    locks = {(lock.relation, lock.mode) for step in audit.steps for lock in step.locks}
    if locks:
        yield ""
        yield "| relation | lock |"
        yield "| --- | --- |"
        yield from (f"| `{_line(name)}` | {mode} |" for name, mode in sorted(locks))
    lost = [finding for finding in audit.findings if finding.rule == DESTROYS]
    if lost:
        yield ""
        word = "Destroyed" if audit.run.outcome is RunOutcome.PROMOTED else "Would be destroyed"
        yield f"{word}, as staging has seen it:"
        yield ""
        yield from (f"- {_line(finding.object)} {_line(finding.detail)}" for finding in lost)


def _evidence(audit: Audit, reverted: Sequence[Audit]) -> Iterator[str]:
    yield "## Evidence"
    yield ""
    for each, label in ((audit, "this run"), *((each, "undone") for each in reverted)):
        name = stem(each.run)
        yield f"- {label}: `{name}.json` and [the report](../audit/{name}.html), " + _BRANCH.format(
            name
        )
        for kept, when in ((each.snapshot.before, "before"), (each.snapshot.after, "after")):
            if kept is not None:
                place = kept.path.rpartition("/")[2]
                yield f"  - schema {when}: [{place}](../audit/{place}), sha256 `{kept.sha256}`"


def _asked() -> Iterator[str]:
    yield "## To be completed"
    for question, hint in _QUESTIONS.items():
        yield ""
        yield f"**{question}** {hint}".rstrip()
        yield ""
        yield "> …"


def _line(text: str) -> str:
    """The text on one line of a table; what would be read as a new cell or as HTML is written."""
    return one_line(text).replace("|", "\\|").replace("<", "&lt;")


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
