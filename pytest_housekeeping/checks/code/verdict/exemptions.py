"""Breaches that are let stand, by exemption or baseline; and those of both without a cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pytest_housekeeping.checks.code.verdict.breach import UNKNOWN, Breach, owner
from pytest_housekeeping.declarations.boundaries import FORBIDDEN, App, Boundaries, Contract, Zone
from pytest_housekeeping.declarations.code_baseline import Baseline, Instance
from pytest_housekeeping.declarations.exemptions import CODE_BROKEN, CodeExemption
from pytest_housekeeping.model import Finding, LetStand, Level
from pytest_housekeeping.sql.identifiers import split_name

EXEMPTION = "code-exemption"
BASELINE = "code-baseline"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Breaches as findings, those of exemptions without a cause among them; and what is exempt."""

    findings: tuple[Finding, ...]
    exempted: tuple[LetStand, ...]


def standing(
    found: Sequence[Breach],
    contract: Contract,
    *,
    exemptions: Sequence[CodeExemption],
    baseline: Baseline,
    today: date,
) -> Standing:
    """The breaches that are neither exempt nor in the baseline.

    ``exemptions``: those that are about this contract. A finding too is one of them that has ended
    or that matches no breach, and a baseline entry of this contract that is no longer there.
    """
    left: list[Breach] = []
    used: dict[CodeExemption, Breach] = {}
    by_key = {_key(each): each for each in exemptions}
    for breach in found:
        rule = CODE_BROKEN if breach.rule == CODE_BROKEN else ""
        exemption = by_key.get((rule, breach.file, breach.symbol, breach.object))
        # What is not known may be anything: the next such line is another thing.
        if exemption in used and breach.object == UNKNOWN:
            exemption = None
        if exemption is not None:
            used[exemption] = breach
        if exemption is None or not exemption.holds_on(today):
            left.append(breach)
    findings = []
    # The same instance may stand several times: each entry lets one of them stand.
    remaining = Counter({i: n for i, n in baseline.items() if i.contract == contract.name})
    for breach in left:
        instance = breach.instance(contract.name)
        if remaining[instance] > 0:
            remaining[instance] -= 1
        else:
            findings.append(breach.exemptible)
    findings += [_ended(each) for each in exemptions if not each.holds_on(today)]
    findings += [_unmatched(each) for each in exemptions if each not in used]
    findings += [_vanished(instance) for instance in remaining.elements()]
    held = [(each, breach) for each, breach in used.items() if each.holds_on(today)]
    exempted = [each.let_stand(breach.rule, breach.lasting) for each, breach in held]
    return Standing(findings=tuple(findings), exempted=tuple(exempted))


def exemptions_for(
    contract: Contract,
    boundaries: Boundaries,
    exemptions: Iterable[CodeExemption],
    files: Iterable[str],
) -> tuple[CodeExemption, ...]:
    """The exemptions that a contract answers for. ``files``: those of its source.

    What the schema breaks concerns no contract: the first one of the application tells it.
    """
    own = frozenset(files)
    target = boundaries.target(contract)
    is_first = contract == boundaries.first_on_code(contract.source)
    return tuple(
        each
        for each in exemptions
        if each.file in own
        and (
            is_first
            if each.rule
            else contract.type == FORBIDDEN
            and (each.object == UNKNOWN or _is_in(each.object, target, boundaries))
        )
    )


def unclaimed_exemptions(
    exemptions: Iterable[CodeExemption],
    boundaries: Boundaries,
    files: Mapping[str, Iterable[str]],
) -> tuple[Finding, ...]:
    """A finding for each exemption that no contract answers for. ``files``: by application."""
    everything = tuple(exemptions)
    claimed = {
        each
        for contract in boundaries.contracts
        for each in exemptions_for(contract, boundaries, everything, files.get(contract.source, ()))
    }
    return tuple(_unmatched(each) for each in everything if each not in claimed)


def _key(exemption: CodeExemption) -> tuple[str, ...]:
    return exemption.rule, exemption.file, exemption.symbol, exemption.object


def _is_in(name: str, part: App | Zone, boundaries: Boundaries) -> bool:
    """Whether an object, a schema, a role or a file belongs to a part."""
    if "/" in name:
        return True
    pieces = split_name(name)
    if len(pieces) == 1:
        return pieces[0] in (*part.schemas, *part.roles)
    found = owner(boundaries, pieces[0], pieces[-1])
    return found is not None and found.name == part.name


def _ended(exemption: CodeExemption) -> Finding:
    return _finding(
        EXEMPTION,
        exemption,
        f"the exemption of {exemption.symbol} ended on {exemption.until}: {exemption.reason}",
        "repair what it was for, or give it a new end in checks/boundaries.toml",
    )


def _unmatched(exemption: CodeExemption) -> Finding:
    detail = f"the exemption of {exemption.symbol} matches nothing any more"
    return _finding(EXEMPTION, exemption, detail, "take it out of checks/boundaries.toml")


def _vanished(instance: Instance) -> Finding:
    detail = f"{instance.symbol} no longer does what the baseline lets stand"
    fix = "take the instance out of checks/baseline.toml: it only shrinks"
    return _finding(BASELINE, instance, detail, fix)


def _finding(rule: str, about: CodeExemption | Instance, detail: str, fix: str) -> Finding:
    name = f"{about.file} {about.object}"
    return Finding(rule=rule, level=Level.ERROR, object=name, detail=detail, fix=fix)
