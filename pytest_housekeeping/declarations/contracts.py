"""What ``checks/`` declares, read together, and the steps that verify it."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations import boundaries as boundary
from pytest_housekeeping.declarations import objects, rls
from pytest_housekeeping.declarations.boundaries import Boundaries, Contract
from pytest_housekeeping.declarations.code_exemptions import (
    Baseline,
    CodeExemption,
    parse_baseline,
    parse_exemptions,
)
from pytest_housekeeping.declarations.objects import Objects
from pytest_housekeeping.declarations.rls import Exemption, RlsContract
from pytest_housekeeping.declarations.rules import Rule, shipped_rules, unique_rules
from pytest_housekeeping.errors import HousekeepingError, MisuseError
from pytest_housekeeping.model import Kind, Phase, Step
from pytest_housekeeping.plan.test_discovery import TestNames as TestNames
from pytest_housekeeping.plan.test_discovery import defined_tests
from pytest_housekeeping.sql import file as sqlfile

T = TypeVar("T")
SCOPE = "scope"
BASELINE = "baseline.toml"
DECLARATIONS = ("objects.toml", "rls.toml", "boundaries.toml", BASELINE)
QUERIES = "queries"


@dataclass(frozen=True, kw_only=True)
class Contracts:
    """The declarations of a project; what it does not declare is None and has no step."""

    objects: Objects | None
    rls: RlsContract | None
    boundaries: Boundaries | None
    rules: tuple[Rule, ...]
    code_exemptions: tuple[CodeExemption, ...] = ()
    code_baseline: Baseline = field(default_factory=Counter)

    @property
    def code_contracts(self) -> dict[str, Contract]:
        """The contracts on code, by the name of their step."""
        found = self.boundaries.on_code if self.boundaries else ()
        return {code_name(each): each for each in found}

    @property
    def running_contracts(self) -> dict[str, Contract]:
        """What the tests of an application must not be refused, by the name of the step."""
        declared = self.boundaries
        return {
            f"running: {each.source} → {each.target}": each
            for each in (declared.contracts if declared else ())
            if declared and each.type == boundary.FORBIDDEN and declared.source(each).tests
        }

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role that a contract speaks of, once."""
        named = [*(self.rls.roles if self.rls else ())]
        for app in self.boundaries.apps if self.boundaries else ():
            named += app.roles
        return tuple(dict.fromkeys(named))

    @property
    def rules_in_force(self) -> tuple[Rule, ...]:
        """The rules that have something to judge here: those that staging must see firing."""
        types = {each.type for each in self.boundaries.contracts} if self.boundaries else set()
        return tuple(
            rule
            for rule in self.rules
            if (rule.contract in types if rule.family == "boundary" else self.rls is not None)
        )

    def needs_canaries(self, step: Step) -> bool:
        """Whether a step has to write and roll back what it wrote; of a contract, a part does."""
        if step.name in self.code_contracts:
            return True  # a name is resolved by a function that is made and rolled back
        if step.kind is not Kind.RLS or self.rls is None:
            return False
        names = {rule.id for rule in self.rules if rule.writes and rule.family != "boundary"}
        exempt = {exemption_name(each) for each in self.rls.exemptions if each.rule in names}
        return step.name in names | exempt

    @property
    def context(self) -> tuple[str, ...]:
        """The settings that carry the identity."""
        return self.rls.context if self.rls else ()


def load(config: Config, further_rules: Iterable[Rule] = ()) -> Contracts:
    """Read the three declarations. Raises MisuseError with the errors of all of them at once."""
    rules = unique_rules([*shipped_rules(), *further_rules])
    known = frozenset(rule.id for rule in rules)
    errors: list[HousekeepingError] = list(_unread(config))

    def read(name: str, parse: Callable[..., T], **options: Any) -> T | None:
        path = config.root / config.checks / name
        label = f"{config.checks}/{name}"
        if not path.is_file():
            return None
        try:
            return parse(sqlfile.decode(path.read_bytes(), label), path=label, **options)
        except HousekeepingError as error:
            errors.append(error)
            return None

    boundaries = read("boundaries.toml", boundary.parse_boundaries)
    contracts = Contracts(
        objects=read("objects.toml", objects.parse),
        rls=read("rls.toml", rls.parse_rls, known_rules=known),
        boundaries=boundaries,
        rules=rules,
        code_exemptions=(boundaries and read("boundaries.toml", parse_exemptions)) or (),
        code_baseline=read(
            BASELINE,
            parse_baseline,
            contracts=[each.name for each in (boundaries.contracts if boundaries else ())],
        )
        or Counter(),
    )
    if boundaries is not None:
        errors += _silent_pairs(boundaries, f"{config.checks}/boundaries.toml")
    if errors:
        raise MisuseError("\n".join(str(error) for error in errors))
    return contracts


def _silent_pairs(boundaries: Boundaries, path: str) -> Iterator[MisuseError]:
    """A pair without a contract would be guarded by nobody, and would look as if it were."""
    for source, target in boundary.undeclared_pairs(boundaries):
        yield MisuseError(
            f"{path}: no contract says whether {source!r} may reach {target!r}",
            why="silence is no permission and no guard: the way between them is not looked at",
            fix=f'add [[contract]] with source = "{source}", target = "{target}"'
            ' and type = "forbidden" or "allowed"',
        )


def _unread(config: Config) -> Iterator[MisuseError]:
    """Declarations under a name that nobody reads, which would protect nothing and say nothing."""
    top = config.root / config.checks
    for entry in sorted(top.iterdir()):
        if entry.is_dir() and entry.name != QUERIES:
            near = difflib.get_close_matches(entry.name.lower(), [QUERIES])
            strangers = [entry] if near and any(entry.rglob("*.[sS][qQ][lL]")) else []
        elif entry.is_dir():
            strangers = [each for each in sorted(entry.iterdir()) if not _is_query(each)]
        else:
            known = entry.suffix.lower() not in (".toml", ".sql") or entry.name in DECLARATIONS
            strangers = [] if known else [entry]
        for stranger in strangers:
            near = difflib.get_close_matches(stranger.name.lower(), [*DECLARATIONS, QUERIES], n=1)
            yield MisuseError(
                f"{stranger.relative_to(config.root).as_posix()} is read by nobody"
                + (f" (did you mean {near[0]}?)" if near else ""),
                why="a check under a name that is not looked for would prove nothing",
                fix=f"{config.checks}/ holds {', '.join(DECLARATIONS)}, {QUERIES}/*.sql, test_*.py",
            )


def _is_query(entry: Path) -> bool:
    """A query, or a file that nobody would take for one."""
    if entry.is_dir():
        return not any(entry.rglob("*.[sS][qQ][lL]"))
    return entry.suffix == ".sql" or entry.suffix.lower() != ".sql"


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


def _step(kind: Kind, path: str, name: str, sha256: str) -> Step:
    return Step(
        id=f"{path}::{name}", phase=Phase.VERIFY, kind=kind, path=path, name=name, sha256=sha256
    )


def _digest(config: Config, path: str) -> str:
    return sqlfile.digest((config.root / path).read_bytes())


def _objects(config: Config, contracts: Contracts) -> Iterator[Step]:
    if contracts.objects is not None:
        path = f"{config.checks}/objects.toml"
        digest = _digest(config, path)
        for declared in contracts.objects.declared:
            yield _step(Kind.OBJECT, path, str(declared), digest)


def _rls(config: Config, contracts: Contracts) -> Iterator[Step]:
    if contracts.rls is not None:
        path = f"{config.checks}/rls.toml"
        digest = _digest(config, path)
        yield _step(Kind.RLS, path, SCOPE, digest)
        for rule in contracts.rules:
            if rule.family != "boundary":
                yield _step(Kind.RLS, path, rule.id, digest)
        for exemption in contracts.rls.exemptions:
            yield _step(Kind.RLS, path, exemption_name(exemption), digest)


def exemption_name(exemption: Exemption) -> str:
    """How the item of an exemption is called."""
    return f"exempt {exemption.rule} {exemption.object}"


def _boundaries(config: Config, contracts: Contracts) -> Iterator[Step]:
    if contracts.boundaries is not None:
        path = f"{config.checks}/boundaries.toml"
        digest = _digest(config, path)
        for contract in contracts.boundaries.contracts:
            yield _step(Kind.BOUNDARY, path, contract.name, digest)
        stands = config.root / config.checks / BASELINE
        if stands.is_file():
            digest = sqlfile.digest(f"{digest} {sqlfile.digest(stands.read_bytes())}".encode())
        for name in contracts.code_contracts:
            yield _step(Kind.BOUNDARY, path, name, digest)


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


def code_name(contract: Contract) -> str:
    """How the item is called that judges the code of a contract's source."""
    return f"code: {contract.source} → {contract.target}"


def _queries(config: Config, folder: Path) -> Iterator[Step]:
    for path in sorted((folder / QUERIES).glob("*.sql")):
        relative = path.relative_to(config.root).as_posix()
        yield _step(Kind.QUERY, relative, "query", _digest(config, relative))


def _tests(config: Config, folder: Path, names: TestNames) -> Iterator[Step]:
    for path in [folder] if folder.is_file() else sorted(folder.rglob("*.py")):
        if any(fnmatch(path.name, pattern) for pattern in names.files):
            relative = path.relative_to(config.root).as_posix()
            digest = _digest(config, relative)
            for name in defined_tests(path, relative, names):
                yield _step(Kind.TEST, relative, name, digest)
