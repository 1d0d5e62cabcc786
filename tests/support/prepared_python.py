"""An environment that has what this project depends on, from that of the tests and without pip.

``pip install -e .`` in it is the command that the documents give; it finds its dependencies there
and need not fetch and compile them, which takes 17 of its 19 CPU seconds. What builds the project
is there too, so that pip makes no environment of its own for that. That an empty environment does
as well is shown by `tests/runs/test_docs.py`, where all tests run: one that has the pip of the
tests, for making and compiling another one takes as long as half of the rest.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement

from support.fresh_copy import commit_all
from support.kept_bytecode import bring_bytecode, link

LOCK = "requirements-housekeeping.txt"
TESTS = Path(__file__).resolve().parents[1]
_SCRIPT = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys
from {module} import {function}
sys.exit({function}())
"""
_EMPTY = "empty"
_SHIM = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
    PYTHONPATH={tests} exec {ours} -P -m support.prepared_python "$3" {kind}
fi
exec {base} "$@"
"""


def prepared_python(venv: Path, *, empty: bool = False) -> Path:
    """Make the environment; its folder of programs. An empty one has pip, and nothing else."""
    base = Path(sys.executable).resolve()
    subprocess.run([base, "-m", "venv", "--without-pip", venv], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    for found in [distribution("pip")] if empty else _needed():
        for file in found.files or ():
            if ".." not in file.parts:
                _bring(Path(str(found.locate_file(file))), packages / file)
        for script in found.entry_points.select(group="console_scripts"):
            path = venv / "bin" / script.name
            module, function = script.module, script.attr
            text = _SCRIPT.format(python=venv / "bin/python", module=module, function=function)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)
    if not empty:
        # pip reads it as the variable: false is what switches the isolation off.
        (venv / "pip.conf").write_text("[global]\nno-build-isolation = false\n", encoding="utf-8")
    return venv / "bin"


def python_program(folder: Path, *, empty: bool = False) -> Path:
    """A ``python3`` in ``folder`` that makes prepared environments and else runs as it is.

    The clone in which it makes one gets the bytecode of this one.
    """
    path = folder / "python3"
    base, kind = Path(sys.executable).resolve(), _EMPTY if empty else ""
    shim = _SHIM.format(tests=TESTS, ours=sys.executable, base=base, kind=kind)
    path.write_text(shim, encoding="utf-8")
    path.chmod(0o755)
    return path


def lock_installed(repository: Path, more: str = "") -> None:
    """Lock what a prepared environment has, in the place of what the workflows would fetch.

    pip asks for a hash of each, and for the right one only where it has to fetch something.
    """
    pins = {found.name: found.version for found in _needed()}
    lines = [f"{name}=={pins[name]} --hash=sha256:{'0' * 64}\n" for name in sorted(pins)]
    (repository / LOCK).write_text("".join([*lines, more]), encoding="utf-8")
    commit_all(repository, "what is installed here")


def _bring(source: Path, copy: Path) -> None:
    """A file, and what Python has compiled of it, which only pip lists with it."""
    link(source, copy)
    if source.suffix == ".py":
        link(Path(cache_from_source(str(source))), Path(cache_from_source(str(copy))))


def _needed() -> Iterator[Distribution]:
    """pip, and what this project requires to be built and to run; not the project itself."""
    own = distribution("pytest-housekeeping")
    waiting = ["pip", "hatchling", *_required(own, frozenset())]
    seen: set[str] = set()
    while waiting:
        wanted = Requirement(waiting.pop())
        if str(wanted) in seen or wanted.name == "pytest-housekeeping":
            continue
        known = re.sub(r"[-_.]+", "-", wanted.name).lower()
        try:
            found = distribution(wanted.name)
        except PackageNotFoundError:
            continue  # pip will say so, if it cannot do without
        if known not in seen:
            yield found
        seen |= {str(wanted), known}
        waiting += _required(found, frozenset(wanted.extras))


def _required(found: Distribution, extras: frozenset[str]) -> Iterator[str]:
    for text in found.requires or ():
        wanted = Requirement(text)
        contexts = [{"extra": extra} for extra in ("", *extras)]
        if wanted.marker is None or any(wanted.marker.evaluate(each) for each in contexts):
            wanted.marker = None
            yield str(wanted)


if __name__ == "__main__":
    prepared_python(Path(sys.argv[1]).absolute(), empty=_EMPTY in sys.argv[2:])
    bring_bytecode(Path.cwd())
