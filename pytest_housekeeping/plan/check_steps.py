"""The steps that ``checks/`` asks for: one for each declared object, rule, contract and test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import PurePosixPath

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import BASELINE, QUERIES, Contracts
from pytest_housekeeping.declarations.exemptions import RuleExemption
from pytest_housekeeping.declarations.rules import BOUNDARY
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind, Phase, Step
from pytest_housekeeping.plan.test_discovery import TestNames, defined_tests, tests_in
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import digest

SCOPE = "scope"


def check_steps(
    config: Config, files: ProjectFiles, contracts: Contracts, tests: TestNames
) -> list[Step]:
    """One step per declared object, query, rule, exemption, contract and test function."""
    _refuse_unread(files, config.checks, tests)
    return [
        *_objects(config, files, contracts),
        *_queries(config, files),
        *_rls(config, files, contracts),
        *_boundaries(config, files, contracts),
        *_tests(files, config.checks, tests),
    ]


def verify_steps(
    config: Config, files: ProjectFiles, contracts: Contracts, tests: TestNames
) -> tuple[Step, ...]:
    """The same of a promotion. Raises MisuseError where there is none."""
    steps = check_steps(config, files, contracts, tests)
    if not steps:
        raise MisuseError(
            f"{config.checks}/ declares nothing to verify",
            why="a promotion that proves nothing would commit anything",
            fix=f"declare at least {config.checks}/objects.toml",
        )
    return tuple(steps)


def running_steps(
    config: Config, files: ProjectFiles, contracts: Contracts, tests: TestNames
) -> list[Step]:
    """The applications' own tests, and what the server has answered them, contract by contract.

    Raises MisuseError for a path without a test: nothing of the application would have run.
    """
    steps = []
    for app in contracts.boundaries.apps if contracts.boundaries else ():
        for given in app.tests:
            found = list(_tests(files, given, tests))
            if not found:
                raise MisuseError(
                    f"[apps.{app.name}] of {config.checks}/boundaries.toml: no test in {given!r}",
                    why="an application that did nothing was refused nothing",
                    fix="correct the path; it is relative to the folder of pyproject.toml",
                )
            steps += found
    path = f"{config.checks}/boundaries.toml"
    for name in contracts.running_contracts:
        steps.append(_step(Kind.BOUNDARY, path, name, files.digest(path)))
    return steps


def exemption_name(exemption: RuleExemption) -> str:
    """How the item of an exemption is called."""
    return f"exempt {exemption.rule} {exemption.object}"


def _objects(config: Config, files: ProjectFiles, contracts: Contracts) -> Iterator[Step]:
    if contracts.objects is not None:
        path = f"{config.checks}/objects.toml"
        sha256 = files.digest(path)
        for declared in contracts.objects.declared:
            yield _step(Kind.OBJECT, path, str(declared), sha256)


def _queries(config: Config, files: ProjectFiles) -> Iterator[Step]:
    for path in files.find(f"{config.checks}/{QUERIES}", "*.sql"):
        yield _step(Kind.QUERY, path, "query", files.digest(path))


def _rls(config: Config, files: ProjectFiles, contracts: Contracts) -> Iterator[Step]:
    if contracts.rls is not None:
        path = f"{config.checks}/rls.toml"
        sha256 = files.digest(path)
        yield _step(Kind.RLS, path, SCOPE, sha256)
        for rule in contracts.rules:
            if rule.family != BOUNDARY:
                yield _step(Kind.RLS, path, rule.id, sha256)
        for exemption in contracts.rls.exemptions:
            yield _step(Kind.RLS, path, exemption_name(exemption), sha256)


def _boundaries(config: Config, files: ProjectFiles, contracts: Contracts) -> Iterator[Step]:
    if contracts.boundaries is not None:
        path = f"{config.checks}/boundaries.toml"
        sha256 = files.digest(path)
        for contract in contracts.boundaries.contracts:
            yield _step(Kind.BOUNDARY, path, contract.name, sha256)
        baseline = f"{config.checks}/{BASELINE}"
        if files.has(baseline):
            sha256 = digest(f"{sha256} {files.digest(baseline)}".encode())
        for name in contracts.code_contracts:
            yield _step(Kind.BOUNDARY, path, name, sha256)


def _tests(files: ProjectFiles, given: str, names: TestNames) -> Iterator[Step]:
    """Of a file, or of all files below a folder."""
    one = (PurePosixPath(given).as_posix(),)
    for path in one if files.has(given) else files.find(given, "*.py", below=True):
        if any(fnmatch(path.rpartition("/")[2], pattern) for pattern in names.files):
            sha256 = files.digest(path)
            for name in defined_tests(files.read(path), path, names):
                yield _step(Kind.TEST, path, name, sha256)


def _refuse_unread(files: ProjectFiles, checks: str, names: TestNames) -> None:
    """Raises MisuseError for a test that pytest does not look for: because of what its file is
    called, where no other file names that, as one that imports it would; or because settings leave
    out what is called like a test everywhere else. Where no test is asked for, none is missing."""
    if not names.files:
        return
    texts = {path: _text_of(files, path) for path in files.find(checks, "*.py", below=True)}
    for path, text in texts.items():
        name = path.rpartition("/")[2]
        if name == "conftest.py":
            continue
        is_read = any(fnmatch(name, pattern) for pattern in names.files)
        if is_read and names == TestNames():
            continue  # nothing is left out of it
        usual = tests_in(text, TestNames())
        if is_read:
            tests = sorted({*usual} - {*tests_in(text, names)})
        else:
            module = re.compile(rb"\b%s\b" % re.escape(name.removesuffix(".py").encode()))
            others = (each for at, each in texts.items() if at != path)
            is_imported = any(module.search(each) for each in others)
            tests = [] if is_imported else [*usual, *tests_in(text, names)]
        if tests:
            raise MisuseError(
                f"{path} has a test, {tests[0]}, and is read by nobody"
                if not is_read
                else f"{path} has a test, {tests[0]}, and python_functions or python_classes leave"
                " it out",
                why="pytest goes by names, so that it would never run",
                fix=f"call the file as one of {', '.join(names.files)}, and the test as these"
                " settings of pytest say; or otherwise, if it is no test",
            )


def _text_of(files: ProjectFiles, path: str) -> bytes:
    """What is no test is not of the plan, and is asked for this alone."""
    with suppress(OSError):
        return (files.root / path).read_bytes()
    return b""


def _step(kind: Kind, path: str, name: str, sha256: str) -> Step:
    return Step(
        id=f"{path}::{name}", phase=Phase.VERIFY, kind=kind, path=path, name=name, sha256=sha256
    )
