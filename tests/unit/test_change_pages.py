"""docs/changes.md and docs/beside_others.md say what the rules and the cases say.

HK_WRITE_DOCS=1 writes them anew.
"""

from __future__ import annotations

import os

from change_pages import render_change_pages
from pytest_housekeeping.checks.changes.catalogue import CHANGE_RULES
from support.change_statements import DANGEROUS
from support.fresh_copy import ROOT

FOLDER = ROOT / "docs"


def test_every_page_is_what_the_rules_say() -> None:
    pages = render_change_pages()
    if os.environ.get("HK_WRITE_DOCS") == "1":
        for name, text in pages.items():
            (FOLDER / name).write_text(text, encoding="utf-8")
    written = {name: (FOLDER / name).read_text(encoding="utf-8") for name in pages}
    assert written == dict(pages), (
        "HK_WRITE_DOCS=1 pytest tests/unit/test_change_pages.py writes them"
    )


def test_every_rule_has_its_place() -> None:
    page = render_change_pages()["changes.md"]
    for rule in CHANGE_RULES:
        assert page.count(f"### {rule.id}\n") == 1
        assert page.count(f"](#{rule.id})") == 1


def test_what_is_found_in_a_case_is_a_rule() -> None:
    assert {case.rule for case in DANGEROUS} <= {rule.id for rule in CHANGE_RULES}
