"""docs/rules/ says what the rules say; HK_WRITE_DOCS=1 writes it anew."""

from __future__ import annotations

import os

from pytest_housekeeping.declarations.rules import shipped_rules
from rule_pages import render_pages
from support.fresh_copy import ROOT

FOLDER = ROOT / "docs" / "rules"


def test_every_page_is_what_its_rule_says() -> None:
    pages = render_pages(shipped_rules())
    if os.environ.get("HK_WRITE_DOCS") == "1":
        FOLDER.mkdir(parents=True, exist_ok=True)
        for stale in {path.name for path in FOLDER.glob("*.md")} - pages.keys():
            (FOLDER / stale).unlink()
        for name, text in pages.items():
            (FOLDER / name).write_text(text, encoding="utf-8")
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    assert written == dict(pages), (
        "HK_WRITE_DOCS=1 pytest tests/unit/test_rule_pages.py writes them"
    )


def test_the_index_names_every_rule_once() -> None:
    index = render_pages(shipped_rules())["README.md"]
    for rule in shipped_rules():
        assert index.count(f"]({rule.id}.md)") == 1


def test_every_page_teaches() -> None:
    for rule in shipped_rules():
        page = render_pages([rule])[f"{rule.id}.md"]
        for part in ("## Why", "## Repair", "## Bad example", "## Good example", rule.title):
            assert part in page
