"""From what code reaches to findings: what is forbidden, undecided, or broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.code.facts import CodeReference, Name, ReferenceKind, Undecided
from pytest_housekeeping.checks.code.resolve.resolution import ReachedObject, Rejection, Resolution
from pytest_housekeeping.checks.code.verdict.imports import Crossing
from pytest_housekeeping.declarations.boundaries import FORBIDDEN, App, Boundaries, Contract, Zone
from pytest_housekeeping.declarations.code_baseline import Instance
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.sql.identifiers import split_name

BOUNDARY = "code-boundary"
UNDECIDED = "code-undecided"
BROKEN = "code-broken"
UNKNOWN = "undecided"


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """One thing that a contract does not let stand, before exemptions and baseline."""

    rule: str
    file: str
    line: int
    column: int
    symbol: str
    object: str
    detail: str
    fix: str

    @property
    def finding(self) -> Finding:
        place = f"{self.file}:{self.line}:{self.column}"
        named = "" if self.object == UNKNOWN else f" {self.object}"
        return Finding(
            rule=self.rule,
            level=Level.ERROR,
            object=place + named,
            detail=self.detail,
            fix=self.fix,
        )

    def instance(self, contract: str) -> Instance:
        return Instance(
            contract=contract,
            rule=self.rule,
            file=self.file,
            symbol=self.symbol,
            object=self.object,
        )


def breaches(
    boundaries: Boundaries,
    contract: Contract,
    found: Sequence[CodeReference | Undecided],
    answers: Sequence[Mapping[CodeReference, Resolution]],
    crossings: Sequence[Crossing],
) -> tuple[Breach, ...]:
    """What the contract forbids and cannot decide, one for each line and object.

    ``answers``: of each role of the application; what any of them reaches counts.
    """
    if contract.type != FORBIDDEN:
        return ()
    unique: dict[tuple[str, int, str], Breach] = {}
    undecided = {(each.file, each.line) for each in found if isinstance(each, Undecided)}
    for breach in sorted(
        (
            *_forbidden(boundaries, contract, found, answers),
            *_unclear(found, answers, undecided),
            *_imports(contract, crossings),
        ),
        key=lambda breach: (breach.file, breach.line, breach.column),
    ):
        unique.setdefault((breach.file, breach.line, breach.object), breach)
    return tuple(
        breach for breach in unique.values() if not _is_said_better(breach, unique.values())
    )


def broken(
    found: Sequence[CodeReference | Undecided],
    answers: Sequence[Mapping[CodeReference, Resolution]],
    places: Mapping[CodeReference, tuple[int, int]] | None = None,
) -> tuple[Breach, ...]:
    """Code that this schema would break: refused for every role of the application."""
    result = []
    for reference in _references(found):
        refusal = _refused(reference, answers)
        if refusal is None or not reference.certain or reference.foreign:
            continue
        line, column = (places or {}).get(reference, _place(reference))
        result.append(
            Breach(
                rule=BROKEN,
                file=reference.file,
                line=line,
                column=column,
                symbol=reference.symbol,
                object=refusal.word,
                detail=f"code that this schema would break: {refusal.message}"
                f" (SQLSTATE {refusal.sqlstate})",
                fix="change the code before the schema, or keep what it needs",
            )
        )
    return tuple(result)


def owner(boundaries: Boundaries, schema: str, name: str) -> App | Zone | None:
    """Whose an object is: a table that a zone names is the zone's, whatever its schema."""
    for part in boundaries.parts:
        if any(split_name(table) == (schema, name) for table in part.tables):
            return part
    for part in boundaries.parts:
        if any(split_name(each) == (schema,) or each == schema for each in part.schemas):
            return part
    return None


def _forbidden(
    boundaries: Boundaries,
    contract: Contract,
    found: Sequence[CodeReference | Undecided],
    answers: Sequence[Mapping[CodeReference, Resolution]],
) -> Iterator[Breach]:
    target = boundaries.target(contract)
    own_roles = set(boundaries.source(contract).roles)
    for reference in _references(found):
        loose = not reference.certain and reference.kind is ReferenceKind.STATEMENT
        if loose and _refused(reference, answers) is not None:
            continue  # it reads like SQL and means nothing here: prose
        for reached in _reached(reference, answers):
            if reached.through in {f"role {role}" for role in own_roles}:
                continue
            if reached.kind is ReferenceKind.ROLE:
                is_target = reached.name in target.roles
                name = reached.name
            else:
                part = owner(boundaries, reached.schema, reached.name)
                is_target = part is not None and part.name == target.name
                name = reached.object
            if is_target:
                yield _crossed(reference, reached, name, contract)


def _crossed(
    reference: CodeReference, reached: ReachedObject, name: str, contract: Contract
) -> Breach:
    line, column = _place(reference, reached)
    through = f" through {reached.through}" if reached.through else ""
    columns = f" ({', '.join(reached.columns)})" if reached.columns else ""
    return Breach(
        rule=BOUNDARY,
        file=reference.file,
        line=line,
        column=column,
        symbol=reference.symbol,
        object=name,
        detail=f"{reference.how} reaches {name}{columns}{through}, which the contract"
        f" {contract.name!r} forbids",
        fix=f"go by way of something that {contract.source} owns, or change the contract",
    )


def _unclear(
    found: Sequence[CodeReference | Undecided],
    answers: Sequence[Mapping[CodeReference, Resolution]],
    undecided: set[tuple[str, int]],
) -> Iterator[Breach]:
    for each in found:
        if isinstance(each, Undecided):
            yield _undecided(each.file, each.line, each.column, each.symbol, each.reason)
        elif (
            each.foreign
            and each.certain
            and (each.file, each.line) not in undecided
            and (refusal := _refused(each, answers)) is not None
        ):
            reason = f"perhaps another database is meant: {refusal.message}"
            yield _undecided(each.file, each.line, each.column, each.symbol, reason)


def _undecided(file: str, line: int, column: int, symbol: str, reason: str) -> Breach:
    return Breach(
        rule=UNDECIDED,
        file=file,
        line=line,
        column=column,
        symbol=symbol,
        object=UNKNOWN,
        detail=f"what the line reaches is not known: {reason}",
        fix="write the name out, or say it: hk: reaches venture.orders -- reason"
        " (in a comment on the line or above it; 'nothing' when it reaches no object)",
    )


def _imports(contract: Contract, crossings: Sequence[Crossing]) -> Iterator[Breach]:
    for each in crossings:
        by_way = f" by way of {' and '.join(each.chain[:-1])}" if len(each.chain) > 1 else ""
        yield Breach(
            rule=BOUNDARY,
            file=each.file,
            line=each.line,
            column=each.column,
            symbol=each.symbol,
            object=each.module,
            detail=f"the import leads to {each.module}{by_way}, which is code of {contract.target}",
            fix="move what both need to a place that is nobody's, or change the contract",
        )


def _is_said_better(breach: Breach, all_breaches: Iterable[Breach]) -> bool:
    """A schema alone, where the same line is said to reach a table of it."""
    return breach.rule == BOUNDARY and any(
        other.file == breach.file
        and other.line == breach.line
        and other.object.startswith(f"{breach.object}.")
        for other in all_breaches
    )


def _references(found: Iterable[CodeReference | Undecided]) -> Iterator[CodeReference]:
    return (each for each in found if isinstance(each, CodeReference))


def _reached(
    reference: CodeReference, answers: Sequence[Mapping[CodeReference, Resolution]]
) -> Iterable[ReachedObject]:
    unique: dict[tuple[str, str], ReachedObject] = {}
    for answer in answers:
        for reached in answer[reference].reached if reference in answer else ():
            key = (reached.schema, reached.name)
            if key not in unique or (unique[key].through and not reached.through):
                unique[key] = reached
    return unique.values()


def _refused(
    reference: CodeReference, answers: Sequence[Mapping[CodeReference, Resolution]]
) -> Rejection | None:
    refusals = [answer[reference].rejected for answer in answers if reference in answer]
    return refusals[0] if refusals and None not in refusals else None


def _place(reference: CodeReference, reached: ReachedObject | None = None) -> tuple[int, int]:
    """The line of the name that says it, or of the first name, or of the statement."""
    wanted = reached.name or reached.schema if reached is not None else ""
    named: Name | None = None
    for name in reference.names:
        if name.parts[-1] == wanted:
            return name.line, name.column
        if reached is not None and reached.through.endswith(f".{name.parts[-1]}"):
            named = name
    return (named.line, named.column) if named is not None else (reference.line, reference.column)
