"""Imports of one application's modules by another's, also by way of modules that are nobody's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.facts import FileFacts, Import
from pytest_housekeeping.checks.code.verdict.import_finder import ImportFinder

if TYPE_CHECKING:
    from grimp import ImportGraph

Read = Callable[[list[str]], Mapping[str, FileFacts]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """A line that imports, and the file of the other application that it leads to.

    ``chain``: the files between, that file at the end.
    """

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
    finder = ImportFinder(root, {*source, *targets}, packages or {})
    direct = {
        (path, each): tuple(finder.files(path, each))
        for path, facts in source.items()
        for each in facts.imports
    }
    outward = {
        found for files in direct.values() for found in files if found not in source
    } - targets
    graph = _follow(outward, targets, source, finder, read) if outward else None
    return tuple(_crossings(direct, source, targets, graph))


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
    finder: ImportFinder,
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
        for path, facts in read(waiting).items():
            for each in facts.imports:
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
    """The shortest way from a file to one of the target's, both included; empty for none."""
    behind = graph.find_upstream_modules(_module(start))
    for target in sorted(targets):
        if _module(target) in behind:
            found = graph.find_shortest_chain(_module(start), _module(target)) or ()
            return (*(each.replace("\u2044", "/").replace("\u2024", ".") for each in found),)
    return ()


def _module(path: str) -> str:
    """A path as one name of the graph, in which a dot would mean a package."""
    return path.replace("/", "\u2044").replace(".", "\u2024")
