"""A plan in the terminal, on its page and on a workflow's: what production has, and the command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_housekeeping.evidence.bound import Bound
from pytest_housekeeping.evidence.production_now import AppliedNow, ProductionNow, WayBack
from pytest_housekeeping.evidence.report.github import step_summary
from pytest_housekeeping.evidence.report.html import summary_html
from pytest_housekeeping.evidence.report.production import promote_command
from pytest_housekeeping.evidence.report.terminal import terminal_summary
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.postgres.relations_now import RelationNow
from support.evidence_samples import DOES, sample

DIGEST = f"{'1' * 64}-{'a' * 60}"
NOW = ProductionNow(
    looked_s=2.5,
    relations=(
        RelationNow(relation="venture.orders", rows=1_200_000, size=220_200_960, writes_per_s=14),
        RelationNow(relation="venture.person", rows=None, size=None, writes_per_s=None),
    ),
    applied=(
        AppliedNow(
            path="sql/migrations/0000_w.sql",
            kind="migration",
            run="r0",
            commit="c" * 40,
            at="2027-01-01 02:03:04.56789+00",
            by="promoter",
        ),
    ),
    way_back=(
        WayBack(path="sql/migrations/0001_x.sql", how="irreversible", said="rows are <b>gone</b>"),
    ),
    drift="f" * 64,
)
PLANNED = sample(
    RunOutcome.PLANNED,
    Mode.PLAN,
    batch=[DOES],
    production=NOW,
    bound=Bound(digest=DIGEST, planned=False),
)


def test_what_production_has_stands_beside_each_lock() -> None:
    lines = "\n".join(terminal_summary(PLANNED))
    for said in (
        (
            "  applied   1 file, the last sql/migrations/0000_w.sql, 2027-01-01 02:03:04 by"
            " promoter, commit cccccccccccc\n"
        ),
        "  locks     venture.orders (about 1,200,000 rows, 210 MB, 14 writes/s): AccessExclusive",
        "column venture.person.note is dropped, where there are rows that nobody has counted\n",
        "  way back  sql/migrations/0001_x.sql: irreversible: rows are <b>gone</b>\n",
    ):
        assert said in lines
    page = summary_html(PLANNED)
    for said in (
        "about 1,200,000 rows, 210 MB, 14 writes/s",
        "counted for\n2.5 s",
        "&lt;b&gt;gone",
    ):
        assert said in page


def test_the_command_promotes_what_was_planned_and_accepts_what_has_drifted() -> None:
    command = promote_command(PLANNED)
    assert command == (
        f"pytest --hk-mode=prod --hk-confirm=PROMOTE --hk-plan={DIGEST}"
        f" --hk-accept-drift={'f' * 64}"
    )
    assert f"promote exactly this: {command}" in terminal_summary(PLANNED)
    assert command in step_summary(PLANNED)
    several = PLANNED.model_copy(update={"plan": PLANNED.plan.model_copy(update={"segments": 3})})
    assert "--hk-segments=3" in promote_command(several)


@pytest.mark.parametrize(
    ("mode", "outcome", "digest"),
    [
        (Mode.PLAN, RunOutcome.REFUSED, DIGEST),
        (Mode.PLAN, RunOutcome.NOTHING_TO_PROMOTE, DIGEST),
        (Mode.PLAN, RunOutcome.PLANNED, ""),
        (Mode.PROD, RunOutcome.PROMOTED, DIGEST),
    ],
)
def test_no_command_where_there_is_nothing_to_promote_as_planned(
    mode: Mode, outcome: RunOutcome, digest: str
) -> None:
    record = sample(outcome, mode, bound=Bound(digest=digest, planned=False))
    assert promote_command(record) == ""
    assert "Promote exactly this" not in summary_html(record)


def test_no_duration_is_forecast() -> None:
    """What takes how long on an empty copy says nothing of production."""
    lines = [
        line for line in terminal_summary(PLANNED) if line.startswith(("  locks", "  objects"))
    ]
    assert not [line for line in lines if " ms" in line or line.endswith(" s")]


def test_a_plan_of_a_thousand_objects_fits_a_pull_request() -> None:
    many = replace(DOES, changes=DOES.changes * 1000, access=DOES.access * 1000)
    assert len(step_summary(sample(RunOutcome.PLANNED, Mode.PLAN, batch=[many]))) < 65_536
