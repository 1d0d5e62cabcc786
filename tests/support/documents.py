"""The documents of this repository, and the blocks in them that stand for themselves."""

from __future__ import annotations

from support.console_blocks import blocks_of
from support.fresh_copy import ROOT

TOOL_PAGES = sorted((ROOT / "docs/from").glob("*.md"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *TOOL_PAGES])
# Their blocks follow on each other: tests/runs/test_production_page.py runs them in one shell.
STORIES = (ROOT / "docs/production.md", ROOT / "docs/recovery.md")
# Their blocks run in the projects that they show, or in one of its own: test_checks_page.py,
# test_python_page.py, test_tool_pages.py and test_workflows.py in tests/runs/.
_SHOWN = ("checks.md", "python.md", "ci.md", "beside_your_tool.md")
PROJECTS = (*(ROOT / "docs" / name for name in _SHOWN), *TOOL_PAGES)
BLOCKS = [
    block
    for document in DOCUMENTS
    if document not in (*STORIES, *PROJECTS)
    for block in blocks_of(document, ROOT)
]
