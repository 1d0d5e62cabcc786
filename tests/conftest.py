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

# Tests of a minute: begun last, they would leave the other cores idle.
_DEAR = (
    "tests/runs/test_production_page.py",
    "tests/runs/test_prod_workflow.py",
    "tests/runs/test_workflows.py",
    "tests/runs/test_docs.py",
    "tests/database/checks/test_ddl_chains.py",
)
_ROOMS = ("tests/runs", "tests/database", "tests/unit")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter; pytest's own are closed to others."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whole runs first, the quick tests last; otherwise in the order of pytest-randomly.

    ``--dist=worksteal`` gives each worker a part of the list that hangs together, and an idle one
    takes from the end of another's. So the first worker begins with all that needs the production
    of `tests/runs/conftest.py`, and makes it alone; the second begins with what takes long.
    """
    dear = sorted((each for each in items if _module(each) in _DEAR), key=_dearness)
    rest = sorted((each for each in items if _module(each) not in _DEAR), key=_place)
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    second = len(items) // workers if workers > 1 else 0
    items[:] = [*rest[:second], *dear, *rest[second:]]


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _dearness(item: pytest.Item) -> int:
    return _DEAR.index(_module(item))


def _place(item: pytest.Item) -> int:
    if "rehearsed" in getattr(item, "fixturenames", ()):
        return -1
    rooms = (n for n, room in enumerate(_ROOMS) if item.nodeid.startswith(room))
    return next(rooms, len(_ROOMS))
