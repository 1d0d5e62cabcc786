"""Findings weighed against what is let stand: exemptions with a reason, and the baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from pytest_housekeeping.checks.code.verdict.findings import UNKNOWN, Breach, owner
from pytest_housekeeping.declarations.boundaries import FORBIDDEN, App, Boundaries, Contract, Zone
from pytest_housekeeping.declarations.code_baseline import Baseline, Instance
from pytest_housekeeping.declarations.exemptions import CodeExemption
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.sql.identifiers import split_name

EXEMPTION = "code-exemption"
BASELINE = "code-baseline"


def weigh(
    found: Sequence[Breach],
    contract: Contract,
    *,
    exemptions: Sequence[CodeExemption],
    baseline: Baseline,
    today: date,
) -> tuple[Finding, ...]:
    """The findings that remain: not exempt, not in the baseline; and what there is no cause for.

    ``exemptions``: those that are about this contract. A baseline entry of this contract that is
    no longer there is a finding.
    """
    left: list[Breach] = []
    used: set[CodeExemption] = set()
    by_key = {(each.file, each.symbol, each.object): each for each in exemptions}
    for breach in found:
        exemption = by_key.get((breach.file, breach.symbol, breach.object))
        if exemption is not None:
            used.add(exemption)
        if exemption is None or not exemption.holds_on(today):
            left.append(breach)
    findings = []
    remaining = Counter({i: n for i, n in baseline.items() if i.contract == contract.name})
    for breach in left:
        instance = breach.instance(contract.name)
        if remaining[instance] > 0:
            remaining[instance] -= 1
        else:
            findings.append(breach.finding)
    findings += [_expired(each) for each in exemptions if not each.holds_on(today)]
    findings += [_without_cause(each) for each in exemptions if each not in used]
    findings += [_vanished(instance) for instance in remaining.elements()]
    return tuple(findings)


def about(
    exemptions: Iterable[CodeExemption],
    boundaries: Boundaries,
    contract: Contract,
    files: Iterable[str],
) -> tuple[CodeExemption, ...]:
    """The exemptions that a contract has to answer for."""
    own = frozenset(files)
    target = boundaries.target(contract)
    return tuple(
        each
        for each in exemptions
        if contract.type == FORBIDDEN
        and each.file in own
        and (each.object == UNKNOWN or _is_in(each.object, target, boundaries))
    )


def unclaimed(
    exemptions: Iterable[CodeExemption],
    boundaries: Boundaries,
    files: Mapping[str, Iterable[str]],
) -> tuple[Finding, ...]:
    """Exemptions that no contract answers for. ``files``: of each application."""
    everything = tuple(exemptions)
    claimed = {
        each
        for contract in boundaries.contracts
        for each in about(everything, boundaries, contract, files.get(contract.source, ()))
    }
    return tuple(_without_cause(each) for each in everything if each not in claimed)


def _is_in(name: str, part: App | Zone, boundaries: Boundaries) -> bool:
    """Whether an object, a schema or a file belongs to a part."""
    if "/" in name:
        return True
    pieces = split_name(name)
    if len(pieces) == 1:
        return pieces[0] in (*part.schemas, *part.roles)
    found = owner(boundaries, pieces[0], pieces[-1])
    return found is not None and found.name == part.name


def _expired(exemption: CodeExemption) -> Finding:
    return Finding(
        rule=EXEMPTION,
        level=Level.ERROR,
        object=f"{exemption.file} {exemption.object}",
        detail=f"the exemption of {exemption.symbol} ended on {exemption.until}:"
        f" {exemption.reason}",
        fix="repair what it was for, or give it a new end in checks/boundaries.toml",
    )


def _without_cause(exemption: CodeExemption) -> Finding:
    return Finding(
        rule=EXEMPTION,
        level=Level.ERROR,
        object=f"{exemption.file} {exemption.object}",
        detail=f"the exemption of {exemption.symbol} matches nothing any more",
        fix="take it out of checks/boundaries.toml",
    )


def _vanished(instance: Instance) -> Finding:
    return Finding(
        rule=BASELINE,
        level=Level.ERROR,
        object=f"{instance.file} {instance.object}",
        detail=f"{instance.symbol} no longer does what the baseline lets stand",
        fix="take the instance out of checks/baseline.toml: it only shrinks",
    )
