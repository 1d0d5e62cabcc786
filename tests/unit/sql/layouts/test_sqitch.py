"""Sqitch's plan: the order, reworked changes, ids; its files, which psql gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.sqitch_plan import read_plan
from support.layout_ground import numbered, read_layout

WHO = "2024-01-31T12:00:00Z Ann <ann@example.com>"
PLAN = f"""%syntax-version=1.0.0
%project=shop

customer {WHO} # it's the first
mail [customer !old] {WHO}
@v1 {WHO} # out

mail [mail@v1] {WHO} # once more
lib/last {WHO}
"""


def test_a_reworked_change_has_its_earlier_text_under_the_tag(tmp_path: Path) -> None:
    names = ("customer", "mail@v1", "mail", "lib/last")
    files = numbered(*(f"db/deploy/{name}.sql" for name in names), "db/revert/mail@v1.sql")
    found = read_layout(tmp_path, {"db/sqitch.plan": PLAN, **files})
    assert (found.config.layout, found.config.migrations, found.errors) == ("sqitch", "db", "")
    assert found.paths() == [f"deploy/{name}.sql" for name in names]
    assert found.file("revert/mail@v1.sql").undoes == "db/deploy/mail@v1.sql"
    assert found.paths(Kind.ROLLBACK) == ["revert/mail@v1.sql"]


def test_the_plan_may_stand_in_the_root(tmp_path: Path) -> None:
    plan = f"%project=shop\na {WHO}\n"
    text = "-- Deploy shop:a to pg\n\nBEGIN;\n\\set ON_ERROR_STOP 1\n\\i lib/x.sql\nCOMMIT;\n"
    files = {"deploy/a.sql": text, "lib/x.sql": "SELECT 1;"}
    found = read_layout(tmp_path, {"sqitch.plan": plan, "sqitch.conf": "[core]\n", **files})
    assert found.paths() == ["deploy/a.sql"]
    assert found.problems("deploy/a.sql") == []
    assert found.text("deploy/a.sql").split() == [
        "--",
        "Deploy",
        "shop:a",
        "to",
        "pg",
        "SELECT",
        "1;",
    ]


def test_ids_are_the_digests_that_sqitch_itself_has() -> None:
    first, second, *_ = read_plan(PLAN, "sqitch.plan")
    import hashlib

    info = (
        "project shop\nchange customer\nplanner Ann <ann@example.com>\n"
        "date 2024-01-31T12:00:00Z\n\nit's the first"
    )
    digest = hashlib.sha1(f"change {len(info)}\0{info}".encode(), usedforsecurity=False)
    assert first.id == digest.hexdigest()
    info = (
        f"project shop\nchange mail\nparent {first.id}\nplanner Ann <ann@example.com>\n"
        "date 2024-01-31T12:00:00Z\nrequires\n  + customer\nconflicts\n  - old"
    )
    digest = hashlib.sha1(f"change {len(info)}\0{info}".encode(), usedforsecurity=False)
    assert second.id == digest.hexdigest()


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (f"a {WHO}\na {WHO}\n", "sqitch.plan:2: a stands twice, and no tag between"),
        ("%project=x\na what is this\n", "sqitch.plan:2: 'a what is this' is no line of a plan"),
        (f"@v1 {WHO}\n", "sqitch.plan:1: '@v1"),
    ],
)
def test_a_plan_that_cannot_be_read_is_refused_by_line(plan: str, said: str) -> None:
    with pytest.raises(SqlFileError) as caught:
        read_plan(plan, "sqitch.plan")
    assert said in str(caught.value)


def test_settings_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    conf = "[core]\n\tengine = mysql\n\tdeploy_dir = up\n"
    files = {"sqitch.plan": f"a {WHO}\n", "deploy/a.sql": "SELECT 1;", "sqitch.conf": conf}
    errors = read_layout(tmp_path, files).errors
    assert "sqitch.conf says engine = mysql" in errors
    assert "sqitch.conf says deploy_dir = up" in errors
