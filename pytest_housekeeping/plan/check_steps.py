"""The steps that ``checks/`` asks for: one for each declared object, rule, contract and test."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import BASELINE, QUERIES, Contracts
from pytest_housekeeping.declarations.exemptions import RuleExemption
from pytest_housekeeping.declarations.rules import BOUNDARY
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind, Phase, Step
from pytest_housekeeping.plan.test_discovery import TestNames, defined_tests
from pytest_housekeeping.sql.text import digest

SCOPE = "scope"


def check_steps(config: Config, contracts: Contracts, tests: TestNames) -> list[Step]:
    """One step per declared object, query, rule, exemption, contract and test function."""
    folder = config.root / config.checks
    return [
        *_objects(config, contracts),
        *_queries(config, folder),
        *_rls(config, contracts),
        *_boundaries(config, contracts),
        *_tests(config, folder, tests),
    ]


def running_steps(config: Config, contracts: Contracts, tests: TestNames) -> list[Step]:
    """The applications' own tests, and what the server has answered them, contract by contract.

    Raises MisuseError for a path without a test: nothing of the application would have run.
    """
    steps = []
    for app in contracts.boundaries.apps if contracts.boundaries else ():
        for given in app.tests:
            found = list(_tests(config, config.root / given, tests))
            if not found:
                raise MisuseError(
                    f"[apps.{app.name}] of {config.checks}/boundaries.toml: no test in {given!r}",
                    why="an application that did nothing was refused nothing",
                    fix="correct the path; it is relative to the folder of pyproject.toml",
                )
            steps += found
    path = f"{config.checks}/boundaries.toml"
    for name in contracts.running_contracts:
        steps.append(_step(Kind.BOUNDARY, path, name, _digest(config, path)))
    return steps


def needs_canaries(contracts: Contracts, step: Step) -> bool:
    """Whether a step has to write rows, or make objects, and roll them back.

    ``--hk-no-canary`` leaves such steps out.
    """
    if step.name in contracts.code_contracts:
        return True  # a name is resolved by a function that is made and rolled back
    if step.kind is not Kind.RLS or contracts.rls is None:
        return False
    names = {rule.id for rule in contracts.rules if rule.writes and rule.family != BOUNDARY}
    exempt = {exemption_name(each) for each in contracts.rls.exemptions if each.rule in names}
    return step.name in names | exempt


def exemption_name(exemption: RuleExemption) -> str:
    """How the item of an exemption is called."""
    return f"exempt {exemption.rule} {exemption.object}"


def _objects(config: Config, contracts: Contracts) -> Iterator[Step]:
    if contracts.objects is not None:
        path = f"{config.checks}/objects.toml"
        sha256 = _digest(config, path)
        for declared in contracts.objects.declared:
            yield _step(Kind.OBJECT, path, str(declared), sha256)


def _queries(config: Config, folder: Path) -> Iterator[Step]:
    for path in sorted((folder / QUERIES).glob("*.sql")):
        relative = path.relative_to(config.root).as_posix()
        yield _step(Kind.QUERY, relative, "query", _digest(config, relative))


def _rls(config: Config, contracts: Contracts) -> Iterator[Step]:
    if contracts.rls is not None:
        path = f"{config.checks}/rls.toml"
        sha256 = _digest(config, path)
        yield _step(Kind.RLS, path, SCOPE, sha256)
        for rule in contracts.rules:
            if rule.family != BOUNDARY:
                yield _step(Kind.RLS, path, rule.id, sha256)
        for exemption in contracts.rls.exemptions:
            yield _step(Kind.RLS, path, exemption_name(exemption), sha256)


def _boundaries(config: Config, contracts: Contracts) -> Iterator[Step]:
    if contracts.boundaries is not None:
        path = f"{config.checks}/boundaries.toml"
        sha256 = _digest(config, path)
        for contract in contracts.boundaries.contracts:
            yield _step(Kind.BOUNDARY, path, contract.name, sha256)
        stands = config.root / config.checks / BASELINE
        if stands.is_file():
            sha256 = digest(f"{sha256} {digest(stands.read_bytes())}".encode())
        for name in contracts.code_contracts:
            yield _step(Kind.BOUNDARY, path, name, sha256)


def _tests(config: Config, folder: Path, names: TestNames) -> Iterator[Step]:
    for path in [folder] if folder.is_file() else sorted(folder.rglob("*.py")):
        if any(fnmatch(path.name, pattern) for pattern in names.files):
            relative = path.relative_to(config.root).as_posix()
            sha256 = _digest(config, relative)
            for name in defined_tests(path, relative, names):
                yield _step(Kind.TEST, relative, name, sha256)


def _step(kind: Kind, path: str, name: str, sha256: str) -> Step:
    return Step(
        id=f"{path}::{name}", phase=Phase.VERIFY, kind=kind, path=path, name=name, sha256=sha256
    )


def _digest(config: Config, path: str) -> str:
    return digest((config.root / path).read_bytes())
