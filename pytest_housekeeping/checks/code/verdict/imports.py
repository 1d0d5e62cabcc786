"""Imports of one application's modules by another's, also by way of modules that are nobody's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.facts import FileFacts, Import
from pytest_housekeeping.checks.code.readers.languages import SCRIPT_DIALECTS

if TYPE_CHECKING:
    from grimp import ImportGraph

Read = Callable[[list[str]], Mapping[str, FileFacts]]
_SCRIPTS = tuple(SCRIPT_DIALECTS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """A line that imports, and the file of the other application that it leads to."""

    file: str
    line: int
    column: int
    symbol: str
    module: str
    chain: tuple[str, ...]


def crossings(
    root: Path,
    source: Mapping[str, FileFacts],
    target: Iterable[str],
    *,
    read: Read,
    packages: Mapping[str, str] | None = None,
) -> tuple[Crossing, ...]:
    """Every import in ``source`` that leads to a file of ``target``, directly or not.

    ``read`` reads files that belong to no application, to follow what they import. ``packages``:
    names under which a folder of the target is installed. Nothing is imported or run.
    """
    targets = frozenset(target)
    finder = _Finder(root, {*source, *targets}, packages or {})
    direct = {
        (path, each): tuple(finder.files(path, each))
        for path, reading in source.items()
        for each in reading.imports
    }
    outward = {
        found for files in direct.values() for found in files if found not in source
    } - targets
    graph = _follow(outward, targets, source, finder, read) if outward else None
    return tuple(_crossings(direct, source, targets, graph))


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


def _crossings(
    direct: Mapping[tuple[str, Import], tuple[str, ...]],
    source: Mapping[str, FileFacts],
    targets: frozenset[str],
    graph: ImportGraph | None,
) -> Iterator[Crossing]:
    for (path, each), files in direct.items():
        chains: list[tuple[str, ...]] = [(found,) for found in files if found in targets]
        if not chains and graph is not None:
            chains = [
                chain
                for found in files
                if found not in source and (chain := _chain(graph, found, targets))
            ]
        for chain in chains[:1]:
            yield Crossing(
                file=path,
                line=each.line,
                column=each.column,
                symbol=each.symbol,
                module=chain[-1],
                chain=chain,
            )


def _follow(
    outward: Iterable[str],
    targets: frozenset[str],
    source: Mapping[str, FileFacts],
    finder: _Finder,
    read: Read,
) -> ImportGraph:
    """The graph of the modules between, grown file by file from what is imported."""
    from grimp import ImportGraph

    graph = ImportGraph()
    waiting = sorted(outward)
    seen = set(waiting)
    for path in waiting:
        graph.add_module(_module(path))
    while waiting:
        following: set[str] = set()
        for path, reading in read(waiting).items():
            for each in reading.imports:
                for found in finder.files(path, each):
                    graph.add_import(
                        importer=_module(path),
                        imported=_module(found),
                        line_number=each.line,
                        line_contents=each.module,
                    )
                    if found not in seen and found not in targets and found not in source:
                        following.add(found)
        seen |= following
        waiting = sorted(following)
    return graph


def _chain(graph: ImportGraph, start: str, targets: frozenset[str]) -> tuple[str, ...]:
    behind = graph.find_upstream_modules(_module(start))
    for target in sorted(targets):
        if _module(target) in behind:
            found = graph.find_shortest_chain(_module(start), _module(target)) or ()
            return (*(each.replace("\u2044", "/").replace("\u2024", ".") for each in found),)
    return ()


def _module(path: str) -> str:
    """A path as one name of the graph, in which dots would mean packages."""
    return path.replace("/", "\u2044").replace(".", "\u2024")


class _Finder:
    """Which files an import means."""

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
            name = next(
                (n for n in self._packages if module == n or module.startswith(f"{n}/")), None
            )
            if name is None:
                return
            stem = os.path.normpath(self._packages[name] + module.removeprefix(name))
        stem = stem.replace(os.sep, "/")
        plain, ending = os.path.splitext(stem)  # noqa: PTH122
        stems = [stem, plain] if ending in (".js", ".mjs", ".cjs", ".jsx") else [stem]
        choices = [stem, *(f"{s}{suffix}" for s in stems for suffix in _SCRIPTS)]
        choices += [f"{stem}/{folder}index{s}" for folder in ("", "src/") for s in _SCRIPTS]
        for choice in choices:
            if choice.endswith(_SCRIPTS) and self._is_file(choice):
                yield choice
                return

    def _package_root(self, path: str) -> str:
        folder = os.path.dirname(path)  # noqa: PTH120
        while folder and self._is_file(f"{folder}/__init__.py"):
            folder = os.path.dirname(folder)  # noqa: PTH120
        return folder

    def _is_file(self, path: str) -> bool:
        if path.startswith(".."):
            return False
        if path not in self._there:
            self._there[path] = (self._root / path).is_file()
        return self._there[path]


def _parents(folder: str) -> Iterator[str]:
    while folder:
        folder = os.path.dirname(folder)  # noqa: PTH120
        yield folder
