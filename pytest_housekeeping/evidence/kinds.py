"""What the checks found, put together: what is alike in one, and below it what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pytest_housekeeping.model import Level

GRAVITY = {Level.ERROR: 0, Level.WARNING: 1, Level.NOTICE: 2}
# Of one kind so many are told in full; of more, one, with the names of the others.
EACH = 3
# What keeps files out of a plan, or differs from production, is something else in each: so many of
# them are told in full.
_EACH_ITS_OWN = frozenset(["baseline", "drift", "rollback-differs", "sql-file"])
_OWN = 20

_OPEN = (
    "rls-not-enabled",
    "policy-always-true",
    "policy-widens",
    "policy-without-column",
    "policy-undeclared",
    "policy-missing",
    "role-owns-table",
    "role-bypasses-rls",
)
# Rule by rule, what it follows from where both speak of the same object, of a policy and its table,
# or of a role: what comes first is the cause. With it the rest is gone, or will be told again.
_FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "policy-dormant": ("rls-not-enabled",),
    "rls-no-policy": ("policy-missing",),
    "policy-always-true": ("policy-differs",),
    "policy-widens": ("policy-differs", "policy-always-true"),
    "policy-without-column": ("policy-differs", "policy-always-true"),
    "policy-check-looser": ("policy-differs", "policy-always-true"),
    "policy-undeclared": ("policy-always-true",),
    "policy-for-public": ("policy-differs", "policy-always-true", "policy-undeclared"),
    "context-required": _OPEN,
    "identity-isolated": (
        *_OPEN,
        "context-required",
        "policy-check-looser",
        "policy-insert-unchecked",
    ),
    "definer-for-public": ("definer-exempt-owner",),
    "boundary-reached": (
        "boundary-table-privilege",
        "boundary-public-grant",
        "boundary-membership",
    ),
}


class Told(Protocol):
    """A finding, as a check returns it or as an audit holds it."""

    @property
    def rule(self) -> str: ...
    @property
    def level(self) -> Level: ...
    @property
    def object(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def fix(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def because(self) -> str: ...


Found = TypeVar("Found", bound=Told)


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingKind(Generic[Found]):
    """The findings of one rule at one level that follow from nothing else, and what follows from
    them."""

    rule: str
    level: Level
    findings: tuple[Found, ...]
    below: tuple[Found, ...] = ()

    @property
    def objects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.object for each in self.findings))

    @property
    def each(self) -> tuple[str, ...]:
        """The objects, each with what was seen of it where that is not the same of all."""
        if len({each.detail for each in self.findings}) == 1:
            return self.objects
        return tuple(f"{each.object}: {each.detail}" for each in self.findings)

    @property
    def fixes(self) -> tuple[str, ...]:
        """What repairs them, each once."""
        return tuple(dict.fromkeys(each.fix for each in self.findings if each.fix))

    @property
    def in_full(self) -> tuple[Found, ...]:
        """Those to tell in full: all of them, or one that stands for the rest."""
        if self.rule in _EACH_ITS_OWN:
            return self.findings[:_OWN]
        return self.findings[:1] if len(self.findings) > EACH else self.findings

    @property
    def left(self) -> tuple[str, ...]:
        """The objects of those that are not told in full."""
        return tuple(each.object for each in self.findings[len(self.in_full) :])


def causes_of(findings: Sequence[Told]) -> list[str]:
    """For each finding the rule and the object of the one that it follows from, or nothing.

    What a rule itself says of that counts where there is such a finding.
    """
    known: dict[tuple[str, str], Told] = {}
    for each in findings:
        known.setdefault((each.rule, each.object), each)
        # A policy, rule or trigger is written "name ON table".
        known.setdefault((each.rule, each.object.rpartition(" ON ")[2]), each)
    named = {_name(each) for each in findings}
    return [
        each.because if each.because in named else _name_of(_cause(each, known))
        for each in findings
    ]


def kinds_of(findings: Sequence[Found]) -> list[FindingKind[Found]]:
    """The gravest first, otherwise in the order of what was found first; ``because`` is set."""
    by_name = {_name(each): each for each in reversed(findings)}
    heads: dict[tuple[Level, str], list[Found]] = {}
    below: dict[tuple[Level, str], list[Found]] = {}
    for each in findings:
        root = _root(each, by_name)
        (heads if root is each else below).setdefault((root.level, root.rule), []).append(each)
    found = [
        FindingKind(
            rule=rule,
            level=level,
            findings=tuple(each),
            below=tuple(below.get((level, rule), ())),
        )
        for (level, rule), each in heads.items()
    ]
    return sorted(found, key=lambda kind: GRAVITY[kind.level])


def _root(finding: Found, by_name: Mapping[str, Found]) -> Found:
    seen = {_name(finding)}
    while finding.because in by_name and finding.because not in seen:
        seen.add(finding.because)
        finding = by_name[finding.because]
    return finding


def _cause(finding: Told, known: Mapping[tuple[str, str], Told]) -> Told | None:
    for rule in _FOLLOWS.get(finding.rule, ()):
        for subject in (finding.object, finding.role):
            cause = known.get((rule, subject)) if subject else None
            if cause is not None and GRAVITY[cause.level] <= GRAVITY[finding.level]:
                return cause
    return None


def _name(finding: Told) -> str:
    return f"{finding.rule} {finding.object}"


def _name_of(finding: Told | None) -> str:
    return _name(finding) if finding else ""
