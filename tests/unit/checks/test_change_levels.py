"""How grave a change is, by what it does, by size and by traffic; what is accepted, and by whom."""

from __future__ import annotations

import pytest

from pytest_housekeeping.checks.changes.catalogue import CHANGE_RULES
from pytest_housekeeping.checks.changes.levels import Thresholds
from pytest_housekeeping.checks.changes.subject import PlannedFile, Subject
from pytest_housekeeping.checks.changes.verdict import Production, changes_verdict
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.batch_facts import (
    BatchFacts,
    Destroyed,
    ObjectChange,
    Renamed,
    TableScan,
    TakenLock,
)
from pytest_housekeeping.postgres.relations_now import RelationNow
from pytest_housekeeping.sql.header import Acceptance, read_header

MB = 1024 * 1024
LIMITS = Thresholds(small_mb=10, large_mb=1000, hot_writes=10)
STEP = "sql/migrations/0007_x.sql::rehearse"
SMALL, USUAL, LARGE = 10 * MB, 10 * MB + 1, 1000 * MB + 1
QUIET, HOT = 9.9, 10.0
ORDERS = "shop.orders"
REWRITE = BatchFacts(
    segment=1,
    rewritten=(ORDERS,),
    scans=(TableScan(relation=ORDERS, count=1, step=STEP),),
    locks=(TakenLock(relation=ORDERS, mode="AccessExclusiveLock", step=STEP),),
    changes=(
        ObjectChange(
            object="shop.orders.total",
            kind="column",
            change="changed",
            before="type: integer",
            after="type: bigint",
        ),
    ),
)
FOREIGN_KEY = BatchFacts(
    segment=1,
    scans=(TableScan(relation=ORDERS, count=1, step=STEP),),
    locks=(TakenLock(relation=ORDERS, mode="ShareRowExclusiveLock", step=STEP),),
    changes=(
        ObjectChange(
            object="bought_by on shop.orders",
            kind="constraint",
            change="made",
            after="definition: FOREIGN KEY (a) REFERENCES shop.customer(id)",
        ),
    ),
)
DROPPED = BatchFacts(
    segment=1,
    destroyed=(
        Destroyed(kind="column", object="shop.orders.note", how="dropped", relation=ORDERS),
    ),
    locks=(TakenLock(relation=ORDERS, mode="AccessExclusiveLock", step=STEP),),
)


def judged(
    *facts: BatchFacts,
    size: int | None = LARGE,
    writes: float | None = HOT,
    accepts: tuple[Acceptance, ...] = (),
    decided: bool = False,
    empty: bool = False,
    relations: tuple[str, ...] = (ORDERS,),
) -> dict[str, Finding]:
    file = PlannedFile(
        step=STEP,
        path="sql/migrations/0007_x.sql",
        text="ALTER TABLE shop.orders DROP COLUMN note;",
        accepts=accepts,
        decided=decided,
    )
    known = {
        name: RelationNow(relation=name, rows=7, size=size, writes_per_s=writes)
        for name in relations
    }
    production = Production(
        relations=known,
        objects=frozenset({"table shop.orders"}),
        empty=frozenset(known if empty else ()),
        thresholds=LIMITS,
    )
    subjects = [Subject(facts=each, files=(file,)) for each in facts]
    return {each.rule: each for each in changes_verdict(subjects, production).findings}


@pytest.mark.parametrize(
    ("size", "writes", "everybody", "writers"),
    [
        (SMALL, QUIET, Level.NOTICE, Level.NOTICE),
        (SMALL, HOT, Level.WARNING, Level.WARNING),
        (USUAL, QUIET, Level.WARNING, Level.WARNING),
        (USUAL, HOT, Level.ERROR, Level.WARNING),
        (LARGE, QUIET, Level.ERROR, Level.WARNING),
        (LARGE, HOT, Level.ERROR, Level.ERROR),
        (None, QUIET, Level.ERROR, Level.WARNING),
        (USUAL, None, Level.ERROR, Level.WARNING),
        (None, None, Level.ERROR, Level.ERROR),
    ],
)
def test_size_and_traffic_make_the_level(
    size: int | None, writes: float | None, everybody: Level, writers: Level
) -> None:
    """What nobody knows counts as much."""
    rewrite = judged(REWRITE, size=size, writes=writes)["type-change-rewrites"]
    key = judged(FOREIGN_KEY, size=size, writes=writes)["foreign-key-validated"]
    assert (rewrite.level, key.level) == (everybody, writers)


def test_of_two_tables_the_heavier_one_counts() -> None:
    found = judged(FOREIGN_KEY, relations=(ORDERS, "shop.customer"))["foreign-key-validated"]
    assert "shop.customer: about 7 rows, 1,000 MB, 10 writes/s" in found.detail


def test_what_the_batch_has_made_raises_nothing() -> None:
    assert not judged(REWRITE, FOREIGN_KEY, DROPPED, relations=())


def test_a_table_is_known_by_the_name_that_it_has_in_production() -> None:
    renaming = BatchFacts(
        segment=1, renamed=(Renamed(kind="table", before="shop.old", after=ORDERS),)
    )
    found = judged(renaming, REWRITE, relations=("shop.old",))
    assert {"table-renamed", "type-change-rewrites"} <= found.keys()
    assert "shop.old: about 7 rows" in found["type-change-rewrites"].detail


@pytest.mark.parametrize(
    ("decided", "empty", "level"),
    [(False, False, Level.ERROR), (True, False, Level.WARNING), (False, True, Level.NOTICE)],
)
def test_data_go_by_decision_alone(decided: bool, empty: bool, level: Level) -> None:
    found = judged(DROPPED, size=1, writes=0.0, decided=decided, empty=empty)
    assert found["column-dropped"].level is level


def test_what_a_file_accepts_is_told_with_its_reason() -> None:
    known = Acceptance(rule="type-change-rewrites", object="shop.orders.total", reason="at night")
    found = judged(REWRITE, accepts=(known,))
    assert found["type-change-rewrites"].level is Level.NOTICE
    assert "accepted by sql/migrations/0007_x.sql: at night" in found["type-change-rewrites"].detail
    assert "accepted-in-vain" not in found


@pytest.mark.parametrize(
    ("rule", "name", "why"),
    [
        ("type-change-rewrites", "shop.orders.price", "that rule has found nothing there"),
        ("type-change", "shop.orders.total", "no such rule"),
    ],
)
def test_what_is_accepted_in_vain_is_said(rule: str, name: str, why: str) -> None:
    found = judged(REWRITE, accepts=(Acceptance(rule=rule, object=name, reason="at night"),))
    assert found["type-change-rewrites"].level is Level.ERROR
    assert found["accepted-in-vain"].level is Level.WARNING
    assert why in found["accepted-in-vain"].detail


def test_an_error_says_how_it_is_accepted() -> None:
    """To the letter: the line is read as just that acceptance."""
    fix = judged(REWRITE)["type-change-rewrites"].fix
    header = read_header(fix[fix.index("-- hk: accepts") :])
    assert header.accepts == (
        Acceptance(rule="type-change-rewrites", object="shop.orders.total", reason="REASON"),
    )


@pytest.mark.parametrize(
    ("written", "name", "reason"),
    [
        ("accepts a-rule of shop.orders.total: at night", "shop.orders.total", "at night"),
        (
            "accepts a-rule of shop.net(integer, text): why: so",
            "shop.net(integer, text)",
            "why: so",
        ),
        (
            "accepts a-rule of once on shop.orders: it is small",
            "once on shop.orders",
            "it is small",
        ),
    ],
)
def test_what_a_header_accepts(written: str, name: str, reason: str) -> None:
    header = read_header(f"-- hk: {written}\n-- hk: transaction=own\nSELECT 1")
    assert header.accepts == (Acceptance(rule="a-rule", object=name, reason=reason),)
    assert (header.transaction, header.problems) == ("own", ())


@pytest.mark.parametrize(
    "written",
    [
        "accepts a-rule of shop.orders",
        "accepts a-rule of shop.orders:",
        "accepts a-rule: at night",
        "accepts of shop.orders: at night",
        "accept a-rule of shop.orders: at night",
    ],
)
def test_nothing_is_accepted_without_rule_object_and_reason(written: str) -> None:
    header = read_header(f"-- hk: {written}\nSELECT 1")
    assert header.accepts == ()
    assert "unknown header" in header.problems[0].found


def test_a_file_of_comments_has_no_statement() -> None:
    file = PlannedFile(step="0002", path="0002.sql", text="-- hk: empty, shop.orders was thinned\n")
    assert (file.texts, file.statements) == ([], [])


def test_no_two_rules_share_an_id_and_each_teaches() -> None:
    assert len({rule.id for rule in CHANGE_RULES}) == len(CHANGE_RULES)
    for rule in CHANGE_RULES:
        texts = (rule.title, rule.condition, rule.effect, rule.fix, *rule.bad, *rule.good)
        assert all(texts), rule.id
        assert rule.bad, rule.id
        assert rule.good, rule.id
        assert rule.page.startswith("https://www.postgresql.org/docs/16/"), rule.id
