"""What is new, what stands since when, what is fixed, and beside which runs that is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.evidence import Repository, stem
from pytest_housekeeping.evidence import earlier_runs as earlier_runs_module
from pytest_housekeeping.evidence.audit import make_audit
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.evidence.chain import latest_digest
from pytest_housekeeping.evidence.compared_findings import sorted_findings
from pytest_housekeeping.evidence.earlier_runs import ThisRun, earlier_runs, why_none
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.plain_audit import plain_audit
from pytest_housekeeping.evidence.run_facts import SourceFacts
from pytest_housekeeping.model import (
    Finding,
    Kind,
    LetStand,
    Level,
    Mode,
    Outcome,
    Phase,
    RunOutcome,
    Step,
    StepResult,
)
from support.evidence_samples import NOTICE, RLS, START, TARGET, facts
from support.git_folders import commit_all, git, init, opened

RULE = Step(id="checks/rls.toml::rls-not-forced", phase=Phase.VERIFY, kind=Kind.RLS, segment=1)
EXEMPT = replace(RULE, id="checks/rls.toml::exempt rls-not-forced venture.orders")
CODE = Step(id="checks/boundaries.toml::code", phase=Phase.VERIFY, kind=Kind.BOUNDARY, segment=1)
FILE = Step(id="sql/migrations/1.sql::rehearse", phase=Phase.REHEARSE, kind=Kind.REHEARSAL)
SKIPPED = Outcome.SKIPPED
NAMES = Finding(rule="code-x", level=Level.ERROR, object="app/a.py:3:7", detail="names venture.t")


def result(step: Step, *findings: Finding, outcome: Outcome | None = None) -> StepResult:
    errors = any(each.level is Level.ERROR for each in findings)
    ended = outcome or (Outcome.FAILED if errors else Outcome.PASSED)
    return StepResult(step=step, outcome=ended, examined=1, findings=findings, message="its reason")


def run(
    number: int,
    results: Sequence[StepResult],
    earlier: Sequence[Audit] = (),
    *,
    mode: Mode = Mode.PROD,
    commit: str = "c" * 40,
    version: str = "0.1.0",
) -> Audit:
    known = facts(mode, run=f"r{number}")
    began = START + timedelta(days=number)
    return make_audit(
        replace(
            known,
            run=replace(known.run, started_at=began, tool_version=version),
            source=SourceFacts(commit=commit, branch="main"),
            steps=tuple(each.step for each in results),
        ),
        outcome=RunOutcome.PROMOTED,
        finished_at=began + timedelta(seconds=1),
        results=results,
        target=TARGET,
        earlier=([json.loads(to_json(each)) for each in earlier], "none on record"),
    )


def began(audit: Audit) -> str:
    return json.loads(to_json(audit))["run"]["started_at"]  # type: ignore[no-any-return]


def told(audit: Audit) -> tuple[list[str], list[str], list[str]]:
    found = sorted_findings(audit)
    return tuple(
        [each.object for each in part] for part in (found.new, found.standing, found.fixed)
    )  # type: ignore[return-value]


def test_new_standing_and_fixed_are_told_apart_and_age_is_kept() -> None:
    other = replace(RLS, object="venture.person")
    first = run(1, [result(RULE, RLS, NOTICE)])
    second = run(2, [result(RULE, RLS, other)], [first])
    third = run(3, [result(RULE, RLS)], [second, first])

    assert told(first) == (["venture.orders", "venture.tmp"], [], [])
    assert (first.compared.run, first.compared.why_not) == ("", "none on record")
    assert told(second) == (["venture.person"], ["venture.orders"], ["venture.tmp"])
    assert second.compared.run == "r1"
    assert told(third) == ([], ["venture.orders"], ["venture.person"])
    assert third.findings[0].since == began(first)


def test_what_was_not_asked_again_is_not_fixed() -> None:
    first = run(1, [result(RULE, RLS), result(CODE, NAMES)])
    skipped = run(2, [result(RULE), result(CODE, outcome=Outcome.SKIPPED)], [first])
    broken = run(2, [result(RULE), result(CODE, outcome=Outcome.FAILED)], [first])

    assert told(skipped) == told(broken) == ([], [], ["venture.orders"])
    # It is found again in the newest run that has asked.
    third = run(3, [result(RULE, RLS), result(CODE, NAMES)], [skipped, first])
    assert told(third) == (["venture.orders"], ["app/a.py:3:7"], [])


def test_a_line_that_moves_and_a_number_that_grows_are_nothing_new() -> None:
    rows = Finding(rule="x", level=Level.NOTICE, object="venture.t", detail="with 8 rows")
    first = run(1, [result(CODE, NAMES, rows)])
    moved = replace(NAMES, object="app/a.py:40:7")
    again = run(2, [result(CODE, moved, replace(rows, detail="with 9 rows"))], [first])
    assert told(again) == ([], ["app/a.py:40:7", "venture.t"], [])

    twice = run(2, [result(CODE, moved, NAMES, rows)], [first])
    assert told(twice) == (["app/a.py:3:7"], ["app/a.py:40:7", "venture.t"], [])
    worse = run(2, [result(CODE, NAMES, replace(rows, level=Level.ERROR))], [first])
    assert told(worse) == (["venture.t"], ["app/a.py:3:7"], [])
    one_less = run(3, [result(CODE, NAMES, replace(rows, level=Level.ERROR))], [twice])
    assert told(one_less) == (["venture.t"], ["app/a.py:3:7"], ["app/a.py:3:7"])
    seen = run(2, [result(CODE, NAMES, replace(rows, detail="and is read by all"))], [first])
    assert told(seen) == (["venture.t"], ["app/a.py:3:7"], [])


def test_another_version_may_word_it_otherwise() -> None:
    first = run(1, [result(RULE, RLS)])
    later = replace(RLS, detail="its owner is not bound")
    assert told(run(2, [result(RULE, later)], [first], version="0.2.0"))[1] == ["venture.orders"]


def test_what_is_said_of_the_batch_is_never_standing_and_never_fixed() -> None:
    said = replace(NOTICE, object="venture.batch")
    first = run(1, [result(FILE, said)])
    assert told(run(2, [result(FILE, said)], [first])) == (["venture.batch"], [], [])
    assert told(run(2, [result(FILE)], [first])) == ([], [], [])


def test_what_no_contract_judges_stands_whichever_step_of_which_mode_tells_it() -> None:
    promote = Step(id="promote", phase=Phase.PROMOTE, kind=Kind.PROMOTE, segment=1)
    whole = Step(id="rehearse::result", phase=Phase.REHEARSE, kind=Kind.REHEARSAL, segment=1)
    drift = Step(id="precheck::drift", phase=Phase.PRECHECK, kind=Kind.PRECHECK)
    said = Finding(rule="rls-unjudged", level=Level.WARNING, object="rls.toml", detail="2 tables")

    staged = run(1, [result(promote, said)], mode=Mode.STAGING)
    assert told(run(2, [result(promote, said)], [staged], mode=Mode.STAGING))[:2] == (
        [],
        ["rls.toml"],
    )
    first = run(1, [result(whole, said), result(promote)])
    second = run(2, [result(drift, said)], [first], mode=Mode.VERIFY)
    third = run(3, [result(whole, said), result(promote)], [second, first])
    for audit in (second, third):
        assert told(audit) == ([], ["rls.toml"], [])
        assert audit.findings[0].since == began(first)
    # Fixed where it was asked for and is not told: not where the run came to no such step.
    assert told(run(3, [result(whole), result(promote)], [second]))[2] == ["rls.toml"]
    assert told(run(3, [result(drift)], [second], mode=Mode.VERIFY))[2] == ["rls.toml"]
    half = [result(whole), result(replace(whole, id="rehearse::result[2/2]"), outcome=SKIPPED)]
    for results in ([result(drift)], half):
        assert told(run(3, results, [second])) == ([], [], [])


def test_what_an_exemption_lets_stand_is_not_fixed() -> None:
    first = run(1, [result(RULE, RLS), result(CODE, NAMES)])
    table = LetStand(rule=RLS.rule, object=RLS.object, reason="its reason")
    # Of a place in a file without the line, which moves.
    place = LetStand(rule=NAMES.rule, object="app/a.py", reason="its reason")
    results = [
        result(RULE),
        replace(result(EXEMPT), exempted=(table,)),
        replace(result(CODE), exempted=(place,)),
        # The same contract, in another segment.
        replace(result(replace(CODE, id=f"{CODE.id}[1/2]")), exempted=(place,)),
    ]
    second = run(2, results, [first])
    third = run(3, results, [second, first])
    for audit in (second, third):
        assert told(audit) == ([], [], [])
        for let, given in zip(audit.compared.exempted, (table, place), strict=True):
            assert (let.rule, let.object, let.reason) == (given.rule, given.object, "its reason")
            assert let.since == began(first)
    assert run(2, [result(RULE), result(EXEMPT, RLS)], [first]).compared.exempted == ()


# --- which runs are a run's own past


@pytest.mark.usefixtures("isolated_git")
def test_a_branch_is_held_against_what_it_builds_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_BASE_REF", raising=False)
    folder = init(tmp_path / "project")
    commits = [commit_all(folder, f"main {number}") for number in (1, 2)]
    git(folder, "checkout", "-q", "-b", "topic")
    topic = [commit_all(folder, f"topic {number}") for number in (1, 2)]
    git(folder, "update-ref", "refs/remotes/origin/main", commits[1])
    git(folder, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    with opened(folder) as repository:
        for number, commit in enumerate([*commits, *topic], start=1):
            keep(repository, run(number, [result(RULE)], mode=Mode.STAGING, commit=commit))
        keep(repository, run(9, [result(RULE)], mode=Mode.STAGING, commit="e" * 40))

        def found(commit: str | None) -> list[str]:
            this = ThisRun(mode=Mode.STAGING, folder="ops/audit", commit=commit, target=None)
            return [each["run"]["id"] for each in earlier_runs(repository, this)]

        assert found(topic[1]) == found(topic[0]) == ["r2", "r1"]
        assert found(commits[1]) == ["r1"]
        assert found(commits[0]) == found(None) == []
        git(folder, "symbolic-ref", "--delete", "refs/remotes/origin/HEAD")
        assert found(topic[1]) == ["r3", "r2", "r1"]
        monkeypatch.setenv("GITHUB_BASE_REF", "main")
        assert found(topic[1]) == ["r2", "r1"]


@pytest.mark.usefixtures("isolated_git")
def test_a_shallow_clone_says_why_it_compares_with_nothing(tmp_path: Path) -> None:
    origin = init(tmp_path / "origin")
    commit_all(origin, "first")
    commit_all(origin, "second")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{origin}", "shallow")
    with opened(tmp_path / "shallow") as repository:
        this = ThisRun(mode=Mode.STAGING, folder="ops/audit", commit=repository.head(), target=None)
        assert list(earlier_runs(repository, this)) == []
        assert "which is shallow: git fetch --unshallow" in why_none(repository, this)


@pytest.mark.usefixtures("isolated_git")
def test_another_database_and_what_is_no_audit_are_passed_over(tmp_path: Path) -> None:
    with opened(init(tmp_path / "project")) as repository:
        keep(repository, run(1, [result(RULE, RLS)]))
        keep(repository, run(2, [result(RULE, RLS)], mode=Mode.VERIFY))
        broken: list[Any] = [b"{", b"[]", b'{"run": {}, "plan": {}, "chain": {}, "source": {}}']
        whole = json.loads(to_json(run(3, [result(RULE, RLS)])))
        broken.append(json.dumps({**whole, "findings": [{"rule": 1}]}).encode())
        broken.append(json.dumps({**whole, "findings": 7}).encode())
        broken.append(json.dumps({**whole, "schema_version": 99}).encode())
        for number, data in enumerate(broken):
            path = f"ops/audit/prod_20290101T00000{number}Z_x{number}.json"
            repository.commit_evidence(f"housekeeping/audit/x{number}", {path: data}, "x", None)

        def found(target: Any) -> list[str]:
            this = ThisRun(mode=Mode.PROD, folder="ops/audit", commit=None, target=target)
            return [each["run"]["id"] for each in earlier_runs(repository, this)]

        assert found(TARGET) == ["r2", "r1"]
        assert found(replace(TARGET, system_identifier="7")) == []
        assert found(None) == []


@pytest.mark.usefixtures("isolated_git")
def test_of_a_log_of_many_runs_no_more_is_read_and_taken_apart_than_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = init(tmp_path / "project")
    first, second = (commit_all(folder, f"main {number}") for number in (1, 2))
    taken_apart: list[bytes] = []

    def counted(data: bytes) -> dict[str, Any] | None:
        taken_apart.append(data)
        return plain_audit(data)

    monkeypatch.setattr(earlier_runs_module, "plain_audit", counted)
    with opened(folder) as found:
        audits = [run(1, [result(RULE)], mode=Mode.STAGING, commit=first)]
        audits += [run(n, [result(RULE)], mode=Mode.STAGING, commit=second) for n in range(2, 30)]
        files = {f"ops/audit/{stem(each.run)}.json": to_json(each).encode() for each in audits}
        found.commit_evidence("housekeeping/audit/staging", files, "runs", None)
        repository = Counted(found)
        given: Any = repository
        this = ThisRun(mode=Mode.STAGING, folder="ops/audit", commit=second, target=None)
        assert next(earlier_runs(given, this))["run"]["id"] == "r1"
        assert len(taken_apart) == 1
        assert len(repository.asked) < 12

        repository.asked.clear()
        newest = latest_digest(given, Mode.STAGING, folder / "ops" / "audit")
        assert newest == audits[-1].chain.digest
        assert len(repository.asked) == 3
        assert latest_digest(given, Mode.PROD, folder / "ops" / "audit") is None


class Counted:
    """A repository, and what git was asked by it."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.asked: list[tuple[str, ...]] = []

    def attempt(self, *command: str, stdin: bytes | None = None) -> tuple[int, bytes, str]:
        self.asked.append(command)
        return self.repository.attempt(*command, stdin=stdin)

    def run(self, *command: str, stdin: bytes | None = None) -> bytes:
        self.asked.append(command)
        return self.repository.run(*command, stdin=stdin)

    def relative(self, path: Path) -> str:
        return self.repository.relative(path)


def keep(repository: Any, audit: Audit) -> None:
    path = f"ops/audit/{stem(audit.run)}.json"
    branch = f"housekeeping/audit/{stem(audit.run)}"
    repository.commit_evidence(branch, {path: to_json(audit).encode()}, "a run", None)
