"""Which files of the tree an import of Python or a script means."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pytest_housekeeping.checks.code.facts import Import
from pytest_housekeeping.checks.code.readers.languages import SCRIPT_DIALECTS

_SCRIPTS = tuple(SCRIPT_DIALECTS)


class ImportFinder:
    """Which files of the tree an import means, by looking for them: nothing is imported.

    ``known``: the files of the applications. ``packages``: names under which a folder is installed.
    """

    def __init__(self, root: Path, known: Iterable[str], packages: Mapping[str, str]) -> None:
        self._root = root
        self._packages = packages
        self._there: dict[str, bool] = {}
        # Folders from which packages of the applications are imported when they are installed.
        self._roots = sorted({self._package_root(path) for path in known if path.endswith(".py")})

    def files(self, path: str, each: Import) -> Iterator[str]:
        """The files of the tree that are run or read by the import, the most exact first."""
        if path.endswith(_SCRIPTS):
            yield from self._script(path, each.module)
        elif path.endswith(".py"):
            yield from self._python(path, each)

    def _python(self, path: str, each: Import) -> Iterator[str]:
        """``from a import b`` runs a, and b as well where that is a module."""
        folder = os.path.dirname(path)  # noqa: PTH120
        if each.level:
            for _ in range(each.level - 1):
                folder = os.path.dirname(folder)  # noqa: PTH120
            bases = [folder]
        else:
            bases = [folder, *_parents(folder), "src", *self._roots]
        module = each.module.replace(".", "/")
        for base in dict.fromkeys(bases):
            start = "/".join(part for part in (base, module) if part)
            inner = [
                found for name in each.names if (found := self._python_file(f"{start}/{name}"))
            ]
            own = self._python_file(start) if start else None
            files = [*inner, *([own] if own else [])]
            if files:
                yield from files
                return

    def _python_file(self, stem: str) -> str | None:
        for path in (f"{stem}.py", f"{stem}/__init__.py"):
            if self._is_file(path):
                return path
        return None

    def _script(self, path: str, module: str) -> Iterator[str]:
        if module.startswith("."):
            stem = os.path.normpath(f"{os.path.dirname(path)}/{module}")  # noqa: PTH120
        else:
            # Of installed packages only those of this tree are looked for.
            name = next(
                (n for n in self._packages if module == n or module.startswith(f"{n}/")), None
            )
            if name is None:
                return
            stem = os.path.normpath(self._packages[name] + module.removeprefix(name))
        stem = stem.replace(os.sep, "/")
        # TypeScript writes ./flags.js for the module that is in flags.ts.
        plain, ending = os.path.splitext(stem)  # noqa: PTH122
        stems = [stem, plain] if ending in (".js", ".mjs", ".cjs", ".jsx") else [stem]
        choices = [stem, *(f"{s}{suffix}" for s in stems for suffix in _SCRIPTS)]
        choices += [f"{stem}/{folder}index{s}" for folder in ("", "src/") for s in _SCRIPTS]
        for choice in choices:
            if choice.endswith(_SCRIPTS) and self._is_file(choice):
                yield choice
                return

    def _package_root(self, path: str) -> str:
        """The folder from which the outermost package of a file is imported."""
        folder = os.path.dirname(path)  # noqa: PTH120
        while folder and self._is_file(f"{folder}/__init__.py"):
            folder = os.path.dirname(folder)  # noqa: PTH120
        return folder

    def _is_file(self, path: str) -> bool:
        if path.startswith(".."):  # outside the tree
            return False
        if path not in self._there:
            self._there[path] = (self._root / path).is_file()
        return self._there[path]


def package_names(root: Path, folders: Iterable[str]) -> dict[str, str]:
    """The names that the package.json of each folder gives it."""
    names = {}
    for folder in folders:
        try:
            name = json.loads((root / folder / "package.json").read_bytes()).get("name")
        except (OSError, ValueError, AttributeError):
            continue
        if isinstance(name, str):
            names[name] = folder
    return names


def _parents(folder: str) -> Iterator[str]:
    while folder:
        folder = os.path.dirname(folder)  # noqa: PTH120
        yield folder
