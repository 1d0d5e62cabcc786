"""Which files of the repository run as Python, and the very bytes that do.

Python itself says what it compiles and what it runs (audit events ``compile`` and ``exec``), also
for a module that takes itself out of ``sys.modules`` again, and for pytest's rewritten modules:
https://docs.python.org/3/library/audit_events.html
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from _pytest.assertion.rewrite import AssertionRewritingHook

from pytest_housekeeping.plugin.bytecode import is_made_of
from pytest_housekeeping.promotion.repository.attestation import RanFile


class CodeWatch:
    """What ran below ``top`` since ``watch``; the interpreter's own packages are left out."""

    def __init__(self, top: Path, config: Any) -> None:
        self.top = f"{top}{os.sep}"
        self.config = config
        self.asked = False
        """Whether the compiler had to be asked what a bytecode is made of."""
        installed = (f"{os.path.realpath(each)}{os.sep}" for each in _installed())
        # A folder around the repository must not take all of it for installed.
        self.installed = tuple(each for each in installed if len(each) > len(self.top))
        self.folders: dict[str, str] = {}
        self.paths: dict[str, str] = {}
        self.compiled: dict[str, bytes] = {}
        self.ran: dict[str, bytes | None] = {}
        self.before = frozenset(sys.modules)
        # What a module is said to be made of, where that is no file of the repository's: most are
        # so, and they are looked through several times.
        self.elsewhere: dict[str, object] = {}
        self.settled: dict[str, ModuleType] = {}

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit event: the bytes of a file are compiled, or a module's code is run."""
        if event == "compile" and isinstance(arguments[0], bytes):
            path = self._path(arguments[1])
            if path.endswith(".py"):
                self.compiled[path] = arguments[0]
        elif event == "exec" and isinstance(arguments[0], CodeType):
            code = arguments[0]
            if code.co_name == "<module>" and code.co_filename.endswith(".py"):
                path = self._path(code.co_filename)
                if path.endswith(".py"):
                    self._take(path, code)
                elif path:
                    self._take_whole(path)

    def files(self) -> Iterator[RanFile]:
        """All that ran so far, and what was imported before anybody watched."""
        for name in self._unsettled():
            facts = _facts_of(sys.modules.get(name))
            file = facts.get("__file__")
            if file is None or self.elsewhere.get(name) is file:
                continue
            path = self._path(file)
            if isinstance(file, str) and self.paths.get(file) == "":
                self.elsewhere[name] = file
            if not path or path in self.ran:
                continue
            if name not in self.before and isinstance(
                facts.get("__loader__"), AssertionRewritingHook
            ):
                # Its code bore another name: a __pycache__ that came from elsewhere.
                self.ran[path] = None
            else:
                self._take_whole(path)
        yield from (RanFile(path=path, data=data) for path, data in sorted(self.ran.items()))

    def settle(self) -> None:
        """Behind ``files``, and before a fork in which nothing of the repository runs: there only
        what is imported later is looked at. To look at a module is to copy its memory there."""
        self.settled = dict(sys.modules)

    def _unsettled(self) -> list[str]:
        """The names of modules: what is imported comes behind what was."""
        if not self.settled:
            return list(sys.modules)

        def is_new(name: str) -> bool:
            return self.settled.get(name) is not sys.modules.get(name)

        try:
            return list(takewhile(is_new, reversed(sys.modules)))
        except RuntimeError:  # another thread imports something
            return list(sys.modules)

    def _take_whole(self, path: str) -> None:
        """A file of which only its presence is known: read as it is now, and once."""
        if path not in self.ran:
            with suppress(OSError):
                self.ran[path] = Path(path).read_bytes()

    def _take(self, path: str, code: CodeType) -> None:
        data = self.compiled.pop(path, None)
        if data is None:
            # From __pycache__.
            with suppress(OSError):
                data = Path(path).read_bytes()
            if data is not None:
                self.asked = True
                data = data if is_made_of(data, code, self.config) else None
            self.compiled.pop(path, None)
        # Twice, and of two texts: neither can be attested.
        self.ran[path] = data if self.ran.get(path, data) == data else None

    def _path(self, name: object) -> str:
        """The real path of a file below ``top``; "" for any other."""
        if not isinstance(name, str | bytes) or not name or name[:1] in ("<", b"<"):
            return ""
        given = os.fsdecode(name)
        if given in self.paths:
            return self.paths[given]
        folder, _, file = given.rpartition(os.sep)
        if folder not in self.folders:
            self.folders[folder] = os.path.realpath(folder or os.curdir)
        path = f"{self.folders[folder]}{os.sep}{file}"
        if not path.startswith(self.top) or path.startswith(self.installed):
            self.paths[given] = ""
            return ""
        found = path if Path(path).is_file() else self._holder(path)
        if found:
            self.paths[given] = found
        return found

    def _holder(self, path: str) -> str:
        """The file that holds a module that is no file: a .pyc without its source, or an archive
        on ``sys.path`` (https://docs.python.org/3/library/zipimport.html)."""
        compiled = f"{path}c"
        archives = (str(each) for each in Path(path).parents if str(each).startswith(self.top))
        return next((each for each in (compiled, *archives) if Path(each).is_file()), "")


_watching: list[CodeWatch] = []


def watch(root: Path, config: Any) -> CodeWatch:
    """Begin to watch the repository that ``root`` is in, or ``root`` itself."""
    top = Path(os.path.realpath(root))
    for folder in (top, *top.parents):
        if (folder / ".git").exists():
            top = folder
            break
    is_first = not _watching
    _watching[:] = [CodeWatch(top, config)]
    if is_first:
        # A hook stays until the process ends; it is there once, for the newest run.
        sys.addaudithook(_hook)
    return _watching[0]


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("compile", "exec"):
        _watching[0].heard(event, arguments)


def _installed() -> Iterator[str]:
    """Where the packages and programs of this interpreter are installed."""
    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
    yield from (sysconfig.get_paths()[name] for name in names)
    yield from site.getsitepackages()
    yield site.getusersitepackages()
    if (Path(sys.prefix) / "pyvenv.cfg").is_file():
        yield sys.prefix


def _facts_of(module: object) -> dict[str, Any]:
    """What a module holds; a lazy one is not loaded by being asked."""
    try:
        facts = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return {}
    return facts if isinstance(facts, dict) else {}
