"""What an application's code does against one contract: what it reaches, and what is undecided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_housekeeping.checks.code.facts import CodeReference, Name, ReferenceKind, Undecided
from pytest_housekeeping.checks.code.resolve.resolution import (
    ReachedObject,
    Resolutions,
    reached_by_any,
    rejected_for_all,
)
from pytest_housekeeping.checks.code.verdict.breach import (
    BOUNDARY,
    UNDECIDED,
    UNKNOWN,
    Breach,
    Placed,
    breach_at,
    owner,
)
from pytest_housekeeping.checks.code.verdict.imports import Crossing
from pytest_housekeeping.declarations.boundaries import FORBIDDEN, App, Boundaries, Contract, Zone


def breaches(
    boundaries: Boundaries,
    contract: Contract,
    found: Sequence[CodeReference | Undecided],
    resolutions: Sequence[Resolutions],
    crossings: Sequence[Crossing],
) -> tuple[Breach, ...]:
    """What the contract forbids and cannot decide, one for each line and object.

    ``resolutions``: one for each role of the application; what any of them reaches counts.
    """
    if contract.type != FORBIDDEN:
        return ()
    unique: dict[tuple[str, int, str], Breach] = {}
    for breach in sorted(
        (
            *_forbidden(boundaries, contract, found, resolutions),
            *_undecided(found, resolutions),
            *_imports(contract, crossings),
        ),
        key=lambda breach: (breach.file, breach.line, breach.column),
    ):
        unique.setdefault((breach.file, breach.line, breach.object), breach)
    return tuple(
        breach for breach in unique.values() if not _is_said_better(breach, unique.values())
    )


def _forbidden(
    boundaries: Boundaries,
    contract: Contract,
    found: Sequence[CodeReference | Undecided],
    resolutions: Sequence[Resolutions],
) -> Iterator[Breach]:
    target = boundaries.target(contract)
    # A role of its own may well reach what is the target's: the rules on privileges judge that.
    by_own_role = {f"role {role}" for role in boundaries.source(contract).roles}
    for reference in found:
        if not isinstance(reference, CodeReference) or _is_prose(reference, resolutions):
            continue
        for reached in reached_by_any(reference, resolutions):
            if reached.through not in by_own_role and _is_of(reached, target, boundaries):
                yield _crossed(reference, reached, contract)


def _is_prose(reference: CodeReference, resolutions: Sequence[Resolutions]) -> bool:
    """Whether it only reads like SQL: the server knows nothing of what it names."""
    uncertain = not reference.certain and reference.kind is ReferenceKind.STATEMENT
    return uncertain and rejected_for_all(reference, resolutions) is not None


def _is_of(reached: ReachedObject, target: App | Zone, boundaries: Boundaries) -> bool:
    if reached.kind is ReferenceKind.ROLE:
        return reached.name in target.roles
    part = owner(boundaries, reached.schema, reached.name)
    return part is not None and part.name == target.name


def _crossed(reference: CodeReference, reached: ReachedObject, contract: Contract) -> Breach:
    name = reached.name if reached.kind is ReferenceKind.ROLE else reached.object
    through = f" through {reached.through}" if reached.through else ""
    columns = f" ({', '.join(reached.columns)})" if reached.columns else ""
    return breach_at(
        reference,
        place=_place(reference, reached),
        rule=BOUNDARY,
        object=name,
        detail=f"{reference.how} reaches {name}{columns}{through}, which the contract"
        f" {contract.name!r} forbids",
        fix=f"go by way of something that {contract.source} owns, or change the contract",
    )


def _place(reference: CodeReference, reached: ReachedObject) -> tuple[int, int]:
    """Where the object is named; else the view or function that leads to it; else the reference."""
    wanted = reached.name or reached.schema
    named: Name | None = None
    for name in reference.names:
        if name.parts[-1] == wanted:
            return name.line, name.column
        if reached.through.endswith(f".{name.parts[-1]}"):
            named = name
    return (named.line, named.column) if named is not None else (reference.line, reference.column)


def _undecided(
    found: Sequence[CodeReference | Undecided], resolutions: Sequence[Resolutions]
) -> Iterator[Breach]:
    lines = {(each.file, each.line) for each in found if isinstance(each, Undecided)}
    for each in found:
        if isinstance(each, Undecided):
            yield _unknown(each, each.reason)
        elif each.foreign and each.certain and (each.file, each.line) not in lines:
            rejection = rejected_for_all(each, resolutions)
            if rejection is not None:
                yield _unknown(each, f"perhaps another database is meant: {rejection.message}")


def _unknown(placed: Placed, reason: str) -> Breach:
    return breach_at(
        placed,
        rule=UNDECIDED,
        object=UNKNOWN,
        detail=f"what the line reaches is not known: {reason}",
        fix="write the name out, or say it: hk: reaches venture.orders -- reason"
        " (in a comment on the line or above it; 'nothing' when it reaches no object)",
    )


def _imports(contract: Contract, crossings: Sequence[Crossing]) -> Iterator[Breach]:
    for each in crossings:
        by_way = f" by way of {' and '.join(each.chain[:-1])}" if len(each.chain) > 1 else ""
        yield breach_at(
            each,
            rule=BOUNDARY,
            object=each.module,
            detail=f"the import leads to {each.module}{by_way}, which is code of {contract.target}",
            fix="move what both need to a place that is nobody's, or change the contract",
        )


def _is_said_better(breach: Breach, all_breaches: Iterable[Breach]) -> bool:
    """Whether it names only a schema, and another breach of the line a table in that schema."""
    return breach.rule == BOUNDARY and any(
        other.file == breach.file
        and other.line == breach.line
        and other.object.startswith(f"{breach.object}.")
        for other in all_breaches
    )
