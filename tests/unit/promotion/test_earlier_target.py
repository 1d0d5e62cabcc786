"""`after`: what was promoted there before is known again, and what only resembles it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.evidence import StartFacts, stem
from pytest_housekeeping.evidence.audit import make_audit
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.evidence.bound import Bound
from pytest_housekeeping.model import Kind, Mode, Outcome, Phase, RunOutcome, Step, StepResult
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.production.promoted.earlier_target import (
    EarlierTarget,
    schema_alone,
)
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from support.evidence_samples import TARGET
from support.schemas import schema
from support.staged_project import FILES, Staged, make_project, staged_copy

SETTINGS = """[tool.housekeeping.targets.preprod]
[tool.housekeeping.targets.prod]
after = "preprod"
[tool.housekeeping.fleet.tenants]
databases = "tenants"
after = "preprod"
[tool.housekeeping.fleet.shops]
databases = "shops"
after = "tenants"
"""
SOAK = SETTINGS.replace('after = "preprod"\n', 'after = "preprod"\nsoak = "2h"\n', 1)
SOAK_OF_FLEET = SETTINGS.replace('after = "tenants"\n', 'after = "tenants"\nsoak = "2h"\n')
SHOPS = '["s1", {"name": "s2"}, {"name": "old", "state": "archived"}]'


BEFORE, MIDDLE, AFTER = schema("table a"), schema("table a", "table b"), schema("table c")


class There:
    """What is on record of the target that comes first, and a promotion to the one behind it."""

    def __init__(self, staged: Staged) -> None:
        self.staged = staged
        self.now = datetime.now(UTC)
        self.runs = 0

    def context(self, target: str = "prod", emergency: str = "") -> RunContext:
        context = replace(self.staged, target=target).context(Mode.PROD)
        options = replace(context.options, emergency=emergency)
        return replace(context, options=options)

    def judge(self, before: Fingerprint = BEFORE, target: str = "prod", **named: Any) -> str:
        return self.earlier(target, **named).judge(before)[1]

    def earlier(self, target: str = "prod", **named: Any) -> EarlierTarget:
        return EarlierTarget(self.context(target, **named))

    def keep(
        self,
        steps: list[Step] | None = None,
        *,
        mode: Mode = Mode.PROD,
        outcome: RunOutcome = RunOutcome.PROMOTED,
        before: Fingerprint = BEFORE,
        after: Fingerprint = AFTER,
        ago: timedelta = timedelta(0),
        reverts: str = "",
        place: str = "ops/preprod/audit",
        of: str = "",
    ) -> str:
        """The evidence of a run, in the folder of its target or of another one; its id."""
        context = self.context()
        self.runs += 1
        at = self.now - ago + timedelta(seconds=self.runs)
        run = replace(context.run, id=f"{self.runs:08x}", mode=mode, started_at=at)
        run = replace(run, target=of or place.removeprefix("ops/").removesuffix("/audit"))
        run = replace(run, reverts=reverts) if reverts else run
        planned = tuple(context.plan.steps if steps is None else steps)
        facts = StartFacts(
            run=run,
            source=context.source,
            digest=context.plan.digest,
            steps=planned,
            segments=1,
        )
        audit = make_audit(
            facts,
            outcome=outcome,
            finished_at=at,
            results=[StepResult(step=step, outcome=Outcome.PASSED, examined=1) for step in planned],
            target=TARGET,
            bound=Bound(
                schema_before=schema_alone(context, before),
                schema_after=schema_alone(context, after),
            ),
        )
        data = {f"{place}/{stem(audit.run)}.json": to_json(audit).encode()}
        branch = f"housekeeping/audit/{self.runs}"
        self.staged.repository.commit_evidence(branch, data, "it", None)
        return run.id

    def steps(self, *paths: str) -> list[Step]:
        """Those of the plan, of whose files only these are applied."""
        return [
            step
            for step in self.context().plan.steps
            if step.phase is not Phase.APPLY or step.path in paths
        ]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("earlier") / "p"
    make_project(place, {**FILES, "pyproject.toml": SETTINGS, "tenants": "t1\n", "shops": SHOPS})
    return place


@pytest.fixture
def there(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[There]:
    with staged_copy(template, tmp_path / "p", monkeypatch) as staged:
        yield There(staged)


TAKEN_BACK = (
    "pytest --hk-mode=rollback --hk-target=preprod --hk-confirm=ROLLBACK --hk-to={}, and promote it"
    " anew: pytest --hk-mode=prod --hk-target=preprod --hk-confirm=PROMOTE"
)
FIRST, SECOND, VIEW = "sql/migrations/0001_a.sql", "sql/migrations/0002_b.sql", "sql/views/v.sql"


def test_just_this_was_promoted_there(there: There) -> None:
    with pytest.raises(ProofFailed, match="preprod has had no promotion of just this batch"):
        there.judge()
    run = there.keep()
    earlier = there.earlier()
    _, said = earlier.judge(BEFORE)
    assert said.startswith("promoted to preprod at ")
    assert f"(run {run})" in said
    assert earlier.compare_after(AFTER) == "; the same as in preprod"
    with pytest.raises(ProofFailed, match=f"not the one that run {run} has left in preprod"):
        earlier.compare_after(MIDDLE)


def test_several_there_make_up_one_here(there: There) -> None:
    one = there.keep(there.steps(FIRST), after=MIDDLE)
    with pytest.raises(ProofFailed, match="no promotion of just this batch"):
        there.judge()
    two = there.keep(there.steps(SECOND, VIEW), before=MIDDLE)
    assert f"(run {one}, {two})" in there.judge()
    with pytest.raises(ProofFailed, match=f"not the one that run {one} has found in preprod"):
        there.judge(MIDDLE)


def test_one_there_was_more_than_is_pending_here(there: There) -> None:
    """To promote it there once more would change nothing: it is taken back first, just this."""
    steps = there.context().plan.steps
    first = next(step for step in steps if step.path == FIRST and step.phase is Phase.APPLY)
    before = replace(first, id="sql/migrations/0000_a.sql::apply", path="sql/migrations/0000_a.sql")
    run = there.keep([before, *steps])
    with pytest.raises(ProofFailed, match=rf"run {run} in preprod had {FIRST} in one") as told:
        there.judge()
    assert told.value.fix.endswith(TAKEN_BACK.format("0001"))


def test_another_order_is_another_batch(there: There) -> None:
    there.keep(there.steps(SECOND, VIEW))
    there.keep(there.steps(FIRST))
    with pytest.raises(ProofFailed, match="no promotion of just this batch"):
        there.judge()


def test_other_checks_are_named(there: There) -> None:
    lacking = [step for step in there.context().plan.steps if step.kind is not Kind.QUERY]
    run = there.keep(lacking)
    with pytest.raises(ProofFailed, match=r"had other checks: checks/queries/q\.sql") as found:
        there.judge()
    # Nothing is pending there any more: to promote once more would change nothing.
    assert found.value.fix.startswith("promote from the commit that was promoted there, ")
    assert found.value.fix.endswith(TAKEN_BACK.format(run))


def test_a_file_that_was_edited_since_cannot_come_there(there: There) -> None:
    """A view may: its new text is applied again."""
    run, commit = there.keep(), there.context().source.commit
    there.staged.commit({VIEW: "CREATE OR REPLACE VIEW v AS SELECT 2;\n"})
    with pytest.raises(ProofFailed, match="preprod has had no promotion of just this batch"):
        there.judge()
    there.staged.commit({SECOND: "CREATE TABLE b (id bigint);\n"})
    with pytest.raises(
        ProofFailed, match=f"{SECOND} has another text than preprod has had"
    ) as told:
        there.judge()
    assert told.value.fix.startswith(f"git checkout {commit} -- {SECOND}, and what it is to do")
    assert told.value.fix.endswith(TAKEN_BACK.format(run))


@pytest.mark.parametrize("outcome", [RunOutcome.ROLLED_BACK, RunOutcome.PROMOTED_UNPROVED])
def test_what_did_not_end_well_counts_for_nothing(there: There, outcome: RunOutcome) -> None:
    there.keep(outcome=outcome)
    with pytest.raises(ProofFailed, match="no promotion of just this batch"):
        there.judge()


def test_what_another_target_had_counts_for_nothing_wherever_it_lies(there: There) -> None:
    there.staged.commit({"pyproject.toml": SOAK})
    there.keep(of="sandbox", ago=timedelta(hours=3))
    with pytest.raises(ProofFailed, match="preprod has had no promotion of just this batch"):
        there.judge()
    there.keep(ago=timedelta(hours=3))
    watch: dict[str, Any] = {"mode": Mode.VERIFY, "outcome": RunOutcome.NOTHING_TO_PROMOTE}
    there.keep([], **watch, of="sandbox", ago=timedelta(hours=1))
    with pytest.raises(ProofFailed, match="preprod was not looked at since"):
        there.judge()


def test_what_was_rolled_back_since_counts_no_more(there: There) -> None:
    run = there.keep()
    there.keep([], mode=Mode.ROLLBACK, reverts=run)
    with pytest.raises(ProofFailed, match="no promotion of just this batch"):
        there.judge()
    assert there.judge(emergency="it burns") == "waived by --hk-emergency"
    again = there.keep()
    assert f"(run {again})" in there.judge()


def test_it_stands_there_for_a_while(there: There) -> None:
    there.staged.commit({"pyproject.toml": SOAK})
    there.keep([], mode=Mode.VERIFY, outcome=RunOutcome.NOTHING_TO_PROMOTE, ago=timedelta(hours=5))
    there.keep(ago=timedelta(hours=1, minutes=58, seconds=30))
    with pytest.raises(ProofFailed, match="in preprod for 118 minutes, and has to for 2h"):
        there.judge()
    # By a clock that is ahead of this one.
    there.keep(ago=-timedelta(minutes=9, seconds=30))
    with pytest.raises(ProofFailed, match="in preprod for -10 minutes") as caught:
        there.judge()
    assert "set the clocks of this machine and of preprod's right" in caught.value.fix


def test_a_watch_that_found_something_is_none(there: There) -> None:
    there.staged.commit({"pyproject.toml": SOAK})
    there.keep(ago=timedelta(hours=3))
    watched = RunOutcome.NOTHING_TO_PROMOTE
    there.keep([], mode=Mode.VERIFY, outcome=watched, ago=timedelta(hours=4))
    there.keep([], mode=Mode.VERIFY, outcome=RunOutcome.ROLLED_BACK, ago=timedelta(hours=1))
    with pytest.raises(ProofFailed, match="preprod was not looked at since, with nothing to find"):
        there.judge()
    there.keep([], mode=Mode.VERIFY, outcome=watched, ago=timedelta(hours=1))
    assert there.judge().startswith("promoted to preprod")


def test_each_of_an_earlier_fleet_has_to_have_it(there: There) -> None:
    """But for those that are archived."""
    files = {"tenants": SHOPS, "shops": "x1\n"}
    there.staged.commit(files)
    there.keep(place="ops/tenants/s1/audit")
    with pytest.raises(ProofFailed, match=r"^tenants/s2 has had no promotion of just this batch"):
        there.judge(target="shops/x1")
    there.keep(place="ops/tenants/s2/audit", before=MIDDLE)
    assert there.judge(target="shops/x1").startswith("promoted to tenants at ")
    assert there.judge(MIDDLE, target="shops/x1").startswith("promoted to tenants at ")
    with pytest.raises(ProofFailed, match="the schema here is not the one"):
        there.judge(AFTER, target="shops/x1")
    with pytest.raises(ProofFailed, match="preprod has had no promotion"):
        there.judge(target="tenants/s1")


def test_each_of_an_earlier_fleet_stands_for_a_while_and_was_looked_at(there: There) -> None:
    there.staged.commit({"pyproject.toml": SOAK_OF_FLEET, "tenants": SHOPS, "shops": "x1\n"})
    there.keep(place="ops/tenants/s1/audit", ago=timedelta(hours=3))
    there.keep(place="ops/tenants/s2/audit", ago=timedelta(minutes=59, seconds=30))
    with pytest.raises(ProofFailed, match=r"^it stands in tenants/s2 for 59 minutes, and has to"):
        there.judge(target="shops/x1")
    there.staged.commit({"pyproject.toml": SOAK_OF_FLEET.replace("2h", "30min")})
    watch: dict[str, Any] = {"mode": Mode.VERIFY, "outcome": RunOutcome.NOTHING_TO_PROMOTE}
    for name in ("s1", "s2"):
        there.keep([], **watch, place=f"ops/tenants/{name}/audit", ago=timedelta(hours=2))
    with pytest.raises(ProofFailed, match=r"^tenants/s2 was not looked at since") as found:
        there.judge(target="shops/x1")
    assert found.value.fix == "pytest --hk-mode=verify --hk-fleet=tenants, then promote"
    there.keep([], **watch, place="ops/tenants/s2/audit", ago=timedelta(minutes=10))
    assert there.judge(target="shops/x1").startswith("promoted to tenants at ")


def test_one_of_an_earlier_fleet_that_had_other_checks(there: There) -> None:
    """What has shown nothing wrong in one says nothing of the other."""
    there.staged.commit({"tenants": SHOPS, "shops": "x1\n"})
    lacking = [step for step in there.context().plan.steps if step.kind is not Kind.QUERY]
    there.keep(place="ops/tenants/s1/audit")
    there.keep(lacking, place="ops/tenants/s2/audit")
    with pytest.raises(ProofFailed, match=r"in tenants had other checks: checks/queries/q\.sql"):
        there.judge(target="shops/x1")
