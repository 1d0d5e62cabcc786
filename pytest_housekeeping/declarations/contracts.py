"""What ``checks/`` declares: its TOML files, read together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations import objects, rls
from pytest_housekeeping.declarations.baseline_drift import NAME as BASELINE_DRIFT
from pytest_housekeeping.declarations.boundaries import (
    FORBIDDEN,
    Boundaries,
    Contract,
    parse_boundaries,
    undeclared_pairs,
)
from pytest_housekeeping.declarations.code_baseline import Baseline, parse_baseline
from pytest_housekeeping.declarations.exemptions import (
    CODE_BROKEN,
    RUNNING_RULES,
    BoundaryExemption,
    CodeExemption,
    parse_exemptions,
)
from pytest_housekeeping.declarations.objects import Objects
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule, shipped_rules, unique_rules
from pytest_housekeeping.errors import HousekeepingError, MisuseError, did_you_mean
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import decode

T = TypeVar("T")
BASELINE = "baseline.toml"
DECLARATIONS = ("objects.toml", "rls.toml", "boundaries.toml", BASELINE, BASELINE_DRIFT)
QUERIES = "queries"


@dataclass(frozen=True, kw_only=True)
class Contracts:
    """The declarations of a project; what it does not declare is None and has no step."""

    objects: Objects | None
    rls: RlsContract | None
    boundaries: Boundaries | None
    rules: tuple[Rule, ...]
    boundary_exemptions: tuple[BoundaryExemption, ...] = ()
    code_exemptions: tuple[CodeExemption, ...] = ()
    code_baseline: Baseline = field(default_factory=Counter)
    running_exemptions: tuple[CodeExemption, ...] = ()

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
            if declared and each.type == FORBIDDEN and declared.source(each).tests
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
            if (rule.contract in types if rule.family == BOUNDARY else self.rls is not None)
        )

    @property
    def context(self) -> tuple[str, ...]:
        """The settings that carry the identity."""
        return self.rls.context if self.rls else ()


def load_contracts(
    config: Config, files: ProjectFiles, further_rules: Iterable[Rule] = ()
) -> Contracts:
    """Read the three declarations. Raises MisuseError with the errors of all of them at once."""
    rules = unique_rules([*shipped_rules(), *further_rules])
    known = frozenset(rule.id for rule in rules if rule.family != BOUNDARY)
    of_boundaries = frozenset(rule.id for rule in rules if rule.family == BOUNDARY)
    errors: list[HousekeepingError] = list(_unread(config))

    def read(name: str, parse: Callable[..., T], **options: Any) -> T | None:
        label = f"{config.checks}/{name}"
        if not files.has(label):
            return None
        try:
            return parse(decode(files.read(label), label), path=label, **options)
        except HousekeepingError as error:
            errors.append(error)
            return None

    boundaries = read("boundaries.toml", parse_boundaries)
    names = [each.name for each in (boundaries.contracts if boundaries else ())]
    asked = {"rules": of_boundaries, "contracts": names}
    exempt = (boundaries and read("boundaries.toml", parse_exemptions, **asked)) or ((), ())
    contracts = Contracts(
        objects=read("objects.toml", objects.parse),
        rls=read("rls.toml", rls.parse_rls, known_rules=known),
        boundaries=boundaries,
        rules=rules,
        boundary_exemptions=exempt[1],
        code_exemptions=tuple(each for each in exempt[0] if each.rule in ("", CODE_BROKEN)),
        running_exemptions=tuple(each for each in exempt[0] if each.rule in RUNNING_RULES),
        code_baseline=read(BASELINE, parse_baseline, contracts=names) or Counter(),
    )
    if boundaries is not None:
        errors += _silent_pairs(boundaries, f"{config.checks}/boundaries.toml")
        errors += _unread_keys(boundaries, f"{config.checks}/boundaries.toml")
        errors += _unread_exemptions(boundaries, exempt[0], f"{config.checks}/boundaries.toml")
    if errors:
        raise MisuseError("\n".join(str(error) for error in errors))
    return contracts


def _silent_pairs(boundaries: Boundaries, path: str) -> Iterator[MisuseError]:
    """Pairs of which no contract says anything: nobody would notice that nothing guards them."""
    for source, target in undeclared_pairs(boundaries):
        yield MisuseError(
            f"{path}: no contract says whether {source!r} may reach {target!r}",
            why="silence is no permission and no guard: the way between them is not looked at",
            fix=f'add [[contract]] with source = "{source}", target = "{target}"'
            ' and type = "forbidden" or "allowed"',
        )


def _unread_keys(boundaries: Boundaries, path: str) -> Iterator[MisuseError]:
    """Code and tests of an application that no contract is judged by: they would look guarded."""
    sources = {each.source for each in boundaries.contracts}
    refusing = {each.source for each in boundaries.contracts if each.type == FORBIDDEN}
    for app in boundaries.apps:
        for key, given, known, wanted in (
            ("code", app.code, sources, "a contract"),
            ("tests", app.tests, refusing, "a forbidden contract"),
        ):
            if given and app.name not in known:
                yield MisuseError(
                    f"{path}: {key} of [apps.{app.name}] is read by no contract",
                    why="it would look as if it were held to something, and nothing looks at it",
                    fix=f'add {wanted}, [[contract]] with source = "{app.name}", or take {key} out',
                )


def _unread_exemptions(
    boundaries: Boundaries, exemptions: Iterable[CodeExemption], path: str
) -> Iterator[MisuseError]:
    """Exemptions of code where no application has any: nobody would notice that they are idle."""
    for each in exemptions if not any(app.code for app in boundaries.apps) else ():
        yield MisuseError(
            f"{path}: the exemption of {each.symbol} in {each.file} is read by nobody",
            why="no application has code, so that nothing of it is examined",
            fix="give [apps.…] its code, or take the exemption out",
        )


def _unread(config: Config) -> Iterator[MisuseError]:
    """Files under ``checks/`` whose names are not read: what they declare is not checked."""
    top = config.root / config.checks
    for entry in sorted(top.iterdir()):
        if entry.is_dir() and entry.name != QUERIES:
            near = did_you_mean(entry.name.lower(), [QUERIES])
            strangers = [entry] if near and any(entry.rglob("*.[sS][qQ][lL]")) else []
        elif entry.is_dir():
            strangers = [each for each in sorted(entry.iterdir()) if not _is_query(each)]
        else:
            known = entry.suffix.lower() not in (".toml", ".sql") or entry.name in DECLARATIONS
            strangers = [] if known else [entry]
        for stranger in strangers:
            yield MisuseError(
                f"{stranger.relative_to(config.root).as_posix()} is read by nobody"
                + did_you_mean(stranger.name.lower(), [*DECLARATIONS, QUERIES]),
                why="a check under a name that is not looked for would prove nothing",
                fix=f"{config.checks}/ holds {', '.join(DECLARATIONS)}, {QUERIES}/*.sql, test_*.py;"
                " how each is written: python -m pytest_housekeeping docs checks",
            )


def _is_query(entry: Path) -> bool:
    """Whether it is a query, or a file that nobody would take for one."""
    if entry.is_dir():
        return not any(entry.rglob("*.[sS][qQ][lL]"))
    return entry.suffix == ".sql" or entry.suffix.lower() != ".sql"


def code_name(contract: Contract) -> str:
    """How the item is called that judges the code of a contract's source."""
    return f"code: {contract.source} → {contract.target}"
