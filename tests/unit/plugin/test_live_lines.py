"""Lines of another thread while pytest captures: on the terminal, and nowhere else."""

from __future__ import annotations

import subprocess
import sys

import pytest

_TEST = """
import threading

def test_it(pytestconfig):
    print("printed by the test")
    thread = threading.Thread(target=pytestconfig.hk_lines.write, args=([
        "still at it: correct-horse-7-battery", "  in its way: \\x1b[31m \\r::error::x",
        "::error::x"],))
    thread.start()
    thread.join()
    import os
    os.write(1, b"written by the test\\n")

def test_that_fails(pytestconfig):
    print("printed by the other")
    pytestconfig.hk_lines.write(["and again"])
    raise AssertionError
"""
# One interpreter for all of them: to start one takes longer than what is tested.
_RUN = """
import pytest, sys
from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.plugin.live_lines import LiveLines

class Plugin:
    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config):
        config.hk_lines = LiveLines(config)
        config.hk_lines.write(["before there is a reporter"])
        config.hk_lines.keep_out(Secrets(["correct-horse-7-battery"]))
        config.add_cleanup(config.hk_lines.close)

for arguments in (["-q"], ["-v"], ["-rN"], ["-q", "--capture=sys"], ["-p", "no:terminal"]):
    print("=== BEGIN", flush=True)
    off = [word for name in ("cacheprovider", "randomly", "hypothesispytest")
           for word in ("-p", "no:" + name)]
    pytest.main([*arguments, *off, "--import-mode=importlib", "test_it.py"], plugins=[Plugin()])
    sys.stdout.flush()
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each of the runs has printed."""
    folder = tmp_path_factory.mktemp("live_lines")
    (folder / "test_it.py").write_text(_TEST)
    done = subprocess.run(
        [sys.executable, "-c", _RUN], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.split("=== BEGIN\n")[1:]


@pytest.mark.parametrize("place", range(4), ids=["quiet", "verbose", "default", "sys"])
def test_they_are_on_lines_of_their_own(outputs: list[str], place: int) -> None:
    lines = outputs[place].splitlines()
    assert lines[0] == "before there is a reporter"
    at = lines.index("still at it: [secret]")
    assert lines[at + 1 : at + 3] == ["  in its way: \\x1b[31m \\r::error::x", ": :error::x"]
    again = lines.index("and again")
    assert again > at
    # What a test printed is what it printed, and is shown where it failed.
    assert lines.index("printed by the other") > again
    assert "printed by the test" not in lines
    # Past Python's own files, --capture=sys captures nothing.
    assert ("written by the test" in lines) is (place == 3)
    assert "\r" not in outputs[place]
    assert "\x1b" not in outputs[place]
    assert lines.count("still at it: [secret]") == lines.count("and again") == 1


def test_the_test_is_named_again_behind_them(outputs: list[str]) -> None:
    """Or the outcome would stand alone."""
    lines = outputs[1].splitlines()
    behind = lines[lines.index(": :error::x") + 1 :]
    assert next(filter(None, behind)).split()[:2] == ["test_it.py::test_it", "PASSED"]


def test_where_pytest_shows_nothing_neither_do_they(outputs: list[str]) -> None:
    assert outputs[4] == ""


def test_the_runs_came_to_their_end(outputs: list[str]) -> None:
    assert [output.count("1 failed, 1 passed") for output in outputs] == [1, 1, 1, 1, 0]
