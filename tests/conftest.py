"""What tests share is asserted in their helpers too: pytest shows there what was compared."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("support")

# A shell that starts the suite with ``&`` has it ignore Ctrl-C, and with it whatever it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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
