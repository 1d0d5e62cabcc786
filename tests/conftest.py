"""What tests share is asserted in their helpers too: pytest shows there what was compared."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("support")

# A test of a minute that begins last leaves one core idle for a minute; and what a module makes
# once is made by one worker, if its tests stand together at the front of that worker's queue.
_DEAR = (
    "tests/runs/test_production_page.py",
    "tests/runs/test_prod_workflow.py",
    "tests/runs/test_workflows.py",
    "tests/runs/test_docs.py",
    "tests/runs/test_two_promotions.py",
    "tests/database/checks/test_ddl_chains.py",
    "tests/runs/test_faults.py",
)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter; pytest's own are closed to others."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The dearest modules first; the others stay in the order that pytest-randomly gave them."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    module = item.nodeid.partition("::")[0]
    return _DEAR.index(module) if module in _DEAR else len(_DEAR)
