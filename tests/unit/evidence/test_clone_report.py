"""What a clone with rows has told: in lines for who may read production, in classes for others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_housekeeping.evidence.audit_file import from_json, to_json
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.report.clone import clone_lines, clone_summary
from pytest_housekeeping.evidence.report.html import summary_html
from pytest_housekeeping.evidence.report.plan_comment import plan_comment
from pytest_housekeeping.evidence.report.terminal import terminal_summary
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.postgres.clone_facts import (
    Beside,
    CloneFacts,
    FileRun,
    Growth,
    StatementRun,
)
from support.evidence_samples import DOES, sample

MB = 1024 * 1024
ANEW = "rewritten, beside the old files until COMMIT"
WIDE = "sql/migrations/0017_wide.sql"
CLONE = CloneFacts(
    host="clone.internal",
    port=6000,
    database="shop",
    server_version="16.4",
    as_of="2027-01-02 03:04:05",
    behind=1204,
    relations=(
        Beside(
            relation="shop.orders",
            rows=2_999_000,
            size=1024 * MB,
            production_rows=3_000_000,
            production_size=1025 * MB,
        ),
    ),
    files=(
        FileRun(
            path=WIDE,
            duration_s=40.9,
            rows=3_000_000,
            wal=2048 * MB,
            statements=(
                StatementRun(line=1, command="SET", duration_s=0.0002, rows=0, wal=0),
                StatementRun(
                    line=4, command="UPDATE", duration_s=40.8, rows=3_000_000, wal=2048 * MB
                ),
            ),
        ),
        FileRun(path="sql/views/v.sql", duration_s=0.001, rows=0, wal=None, statements=()),
    ),
    deferred_s=0.5,
    growth=(
        Growth(
            relation="shop.orders",
            table_before=1024 * MB,
            table_after=2048 * MB,
            indexes_before=210 * MB,
            indexes_after=310 * MB,
            rewritten=True,
        ),
        Growth(
            relation="shop.new",
            table_before=0,
            table_after=8192,
            indexes_before=0,
            indexes_after=8192,
            made=True,
        ),
    ),
    left_out=("sql/migrations/0018_beside.sql",),
)


def planned(clone: CloneFacts) -> Audit:
    return sample(RunOutcome.PLANNED, Mode.PLAN, batch=[DOES], clone=clone)


def test_it_is_told_line_by_line_and_the_little_that_takes_no_time_in_one() -> None:
    assert clone_summary(CLONE) == (
        "2 files in 41.4 s on a clone whose rows are as of 2027-01-02 03:04:05 UTC, 1,204"
        " transactions behind production; 3,000,000 rows written; 2 GB of WAL; 1 GB more on disk;"
        " left out: sql/migrations/0018_beside.sql"
    )
    assert list(clone_lines(CLONE)) == [
        f"{WIDE}: 40.9 s, 3,000,000 rows written, 2 GB of WAL",
        f"{WIDE}:4 UPDATE: 40.8 s, 3,000,000 rows written, 2 GB of WAL",
        "1 file without a row, in less than 10 ms each",
        "what would run at COMMIT: 500 ms",
        f"shop.orders: 1 GB → 2 GB, indexes 210 MB → 310 MB, {ANEW}",
        "left out, for no transaction can hold it: sql/migrations/0018_beside.sql",
    ]
    audit = planned(CLONE)
    assert from_json(to_json(audit)) == audit
    lines = terminal_summary(audit)
    assert f"  clone     {clone_summary(CLONE)}" in lines
    page = summary_html(audit)
    for said in (f"{WIDE}", "UPDATE, line 4", "3,000,000", "40.9 s", "2,999,000", "210 MB → 310"):
        assert said in page


@pytest.mark.parametrize(
    ("clone", "told"),
    [
        (
            replace(CLONE, as_of="", since="2027-01-01 10:00:00", behind=None),
            "on a clone taken after the promotion of 2027-01-01 10:00:00 UTC;",
        ),
        (replace(CLONE, as_of="", behind=None), "on a clone of an unknown age;"),
        (replace(CLONE, growth=()), "2 GB of WAL; left out"),
        (replace(CLONE, stopped_at="sql/x.sql"), "; stopped at sql/x.sql"),
    ],
)
def test_what_is_not_known_is_not_told(clone: CloneFacts, told: str) -> None:
    assert told in clone_summary(clone)


def test_everybody_may_read_classes_and_no_number_or_place() -> None:
    whole = plan_comment(planned(CLONE), "a" * 40, private=True)
    assert f"- clone: {clone_summary(CLONE)}" in whole
    assert f"- `{WIDE}:4 UPDATE: 40.8 s, 3,000,000 rows written, 2 GB of WAL`" in whole
    text = plan_comment(planned(CLONE), "a" * 40)
    section = text.partition("### Measured on a clone that has the rows\n\n")[2]
    assert section.partition("\n\n")[0].splitlines() == [
        f"- `{WIDE}: > 10 s, > 1 M rows written`",
        "- `sql/views/v.sql: < 1 s`",
        "- `shop.orders: > 1 GB more`",
        "- `left out, for no transaction can hold it: sql/migrations/0018_beside.sql`",
    ]
    for secret in ("clone.internal", "6000", "40.", "2027-01-02 03:04:05", "1,204", "MB", "16.4"):
        assert secret not in section
