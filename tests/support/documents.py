"""The documents of this repository, and the blocks in them that stand for themselves."""

from __future__ import annotations

from support.console_blocks import blocks_of
from support.fresh_copy import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
# Their blocks follow on each other: tests/runs/test_production_page.py runs them in one shell.
STORIES = (ROOT / "docs/production.md", ROOT / "docs/recovery.md")
# Their blocks run in the projects that they show, or in one of its own: test_checks_page.py,
# test_python_page.py and test_workflows.py in tests/runs/.
PROJECTS = tuple(ROOT / "docs" / name for name in ("checks.md", "python.md", "ci.md"))
BLOCKS = [
    block
    for document in DOCUMENTS
    if document not in (*STORIES, *PROJECTS)
    for block in blocks_of(document, ROOT)
]
