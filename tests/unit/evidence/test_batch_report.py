"""What a batch does, in the terminal and on the page of a run."""

from __future__ import annotations

from dataclasses import replace

from pytest_housekeeping.evidence.report.batch import batch_lines, who_waits
from pytest_housekeeping.evidence.report.html import summary_html
from pytest_housekeeping.evidence.report.terminal import terminal_summary
from pytest_housekeeping.postgres.batch_facts import LOCK_MODES, BatchFacts, ObjectChange
from support.evidence_samples import DOES, sample


def test_the_lines_of_a_batch() -> None:
    assert batch_lines(sample(batch=[DOES])) == [
        "  objects   1 made, 1 changed",
        "            ~ column venture.orders.total: type: integer → bigint",
        '            + view venture."<b>" (definition: SELECT)',
        "  access    app on venture.orders: SELECT: nothing → all rows",
        (
            "  locks     venture.orders: AccessExclusiveLock, readers and writers wait;"
            " rewritten, all rows; scanned in full 2 times; 1 index built"
        ),
        (
            "            venture.person: RowExclusiveLock, nobody waits; rows of it are written,"
            " the copy cannot tell how many"
        ),
        "            weaker ones, for which no reader or writer waits, on 1 relation",
        "  destroys  column venture.person.note is dropped",
        "  said      NOTICE at sql/migrations/0001_x.sql: drop cascades to view v",
        (
            "  coverage  3 statements measured, 1 judged by the parser, 1 not judged:"
            " sql/migrations/0003_x.sql"
        ),
    ]


def test_where_nothing_was_applied_nothing_is_told() -> None:
    assert batch_lines(sample()) == batch_lines(sample(batch=[BatchFacts(segment=1)])) == []
    assert "What the batch does" not in summary_html(sample(batch=[BatchFacts(segment=1)]))


def test_many_objects_are_counted_and_some_are_shown() -> None:
    change = ObjectChange(object="s.t", kind="table", change="made")
    lines = batch_lines(sample(batch=[replace(DOES, changes=(change,) * 40)]), 12)
    assert lines[0] == "  objects   40 made"
    assert lines[13] == "            … and 28 more"


def test_no_line_of_a_batch_is_a_command_and_no_text_is_markup() -> None:
    facts = replace(
        DOES, changes=(replace(DOES.changes[0], before="a\nb", after="::error::x\n\x1b[31m"),)
    )
    lines = terminal_summary(sample(batch=[facts]))
    assert not [line for line in lines if line.lstrip().startswith("::")]
    assert "\x1b" not in "\n".join(lines)
    page = summary_html(sample(batch=[DOES]))
    assert "<b>&quot;" not in page
    assert "venture.&#34;&lt;b&gt;&#34;" in page
    for said in ("2 objects made, changed or dropped", "1 change of access", "readers and writers"):
        assert said in page


def test_who_waits_for_which_lock() -> None:
    """As the table of conflicts has it: ACCESS SHARE reads, ROW EXCLUSIVE writes."""
    assert {mode: who_waits(mode) for mode in LOCK_MODES} == {
        "AccessShareLock": "",
        "RowShareLock": "",
        "RowExclusiveLock": "",
        "ShareUpdateExclusiveLock": "",
        "ShareLock": "writers",
        "ShareRowExclusiveLock": "writers",
        "ExclusiveLock": "writers",
        "AccessExclusiveLock": "readers and writers",
    }
