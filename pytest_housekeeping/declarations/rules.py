"""Rules: one SQL file each, its teaching text in the header, its tripwire beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Level

# What the rules select from stands beside their families, in files by subject.
SCOPE = "scope"
# The family of the rules about boundaries; a rule's family is the folder that its file stands in.
BOUNDARY = "boundary"

_HEADER_LINE = re.compile(r"--\s(?P<key>[a-z][a-z-]*):\s?(?P<value>.*)")
_CONTINUATION = re.compile(r"--\s{2,}(?P<value>.*)|--(?P<blank>)")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_RULE_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_REQUIRED = ("title", "level", "why", "fix", "tripwire", "tripwire-object", "good")
_WRITING_PROOFS = ("isolation", "reach")
_OPTIONAL = ("leak", "examines", "proof", "contract", "tripwire-superuser")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tripwire:
    """SQL that plants a rule's defect, and the object on which the rule must then fire.

    ``superuser`` is what only a superuser may plant, and runs before ``sql``, which runs as a
    migrating role. Both are rolled back.
    """

    sql: str
    object: str
    superuser: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule. Its query returns findings: ``object``, ``detail`` and what ``fix`` needs.

    ``proof`` names a proof by doing; the query then returns the objects to try. ``examines``
    is the part of the scope that the rule looks over, ``contract`` the kind of contract that
    a boundary rule judges. ``leak`` is SQL that shows a finding to whoever doubts it. The tripwire
    is the bad example.
    """

    id: str
    family: str
    title: str
    level: Level
    why: str
    fix: str
    query: str
    tripwire: Tripwire
    good: str
    examines: str = "hk_table"
    proof: str = ""
    contract: str = "forbidden"
    leak: str = ""

    @property
    def writes(self) -> bool:
        """Whether it is proved by writing rows and rolling them back."""
        return self.proof in _WRITING_PROOFS


def shipped_rules() -> tuple[Rule, ...]:
    """Every rule of the package, by family and id. A file below ``rules/`` is enough."""
    return _shipped()


def parse_rule(text: str, id: str, family: str) -> Rule:
    """Read one rule file. Raises RuleBroken naming everything that is missing or unknown."""
    header, query = _split(text)
    problems = _problems(id, header, query)
    if problems:
        raise RuleBroken(
            f"rule {id!r} cannot be used: {'; '.join(problems)}",
            why="a rule that is half written would pass for one that found nothing",
            fix=f"complete the header of {family}/{id}.sql; its keys:"
            " python -m pytest_housekeeping docs python",
        )
    return Rule(
        id=id,
        family=family,
        title=header["title"],
        level=Level(header["level"]),
        why=header["why"],
        fix=header["fix"],
        query=query,
        tripwire=Tripwire(
            sql=header["tripwire"],
            object=header["tripwire-object"],
            superuser=header.get("tripwire-superuser", ""),
        ),
        good=header["good"],
        examines=header.get("examines", "hk_table"),
        proof=header.get("proof", ""),
        contract=header.get("contract", "forbidden"),
        leak=header.get("leak", ""),
    )


def unique_rules(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules by family and id. Raises RuleBroken when two of them share an id."""
    found: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in found:
            raise RuleBroken(
                f"two rules have the id {rule.id!r}",
                why="an exemption and a finding name a rule by its id",
                fix="rename one of them",
            )
        found[rule.id] = rule
    return tuple(sorted(found.values(), key=lambda rule: (rule.family, rule.id)))


def scope_sql() -> str:
    """The common table expressions that every rule's query may select from, file after file."""
    folder = files("pytest_housekeeping").joinpath("rules", SCOPE)
    parts = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=_name)
    return "\n".join(file.read_text(encoding="utf-8") for file in parts)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values that are already valid SQL in the place of ``{name}``.

    A name without a value stays as it is, so that what is missing can be seen.
    """
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def placeholders(text: str) -> frozenset[str]:
    """The names that ``fill`` would look for."""
    return frozenset(_PLACEHOLDER.findall(text))


@cache
def _shipped() -> tuple[Rule, ...]:
    root = files("pytest_housekeeping").joinpath("rules")
    return unique_rules(
        parse_rule(file.read_text(encoding="utf-8"), file.name.removesuffix(".sql"), folder.name)
        for folder in root.iterdir()
        if folder.is_dir() and folder.name != SCOPE and not folder.name.startswith(("_", "."))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    )


def _name(file: Traversable) -> str:
    return file.name


def _split(text: str) -> tuple[dict[str, str], str]:
    header: dict[str, list[str]] = {}
    lines = text.splitlines()
    current: list[str] | None = None
    count = 0
    for line in lines:
        if match := _HEADER_LINE.fullmatch(line):
            current = header.setdefault(match["key"], [])
            current.append(match["value"].strip())
        elif current is not None and (match := _CONTINUATION.fullmatch(line)):
            current.append((match["value"] or "").rstrip())
        else:
            break
        count += 1
    values = {key: "\n".join(value).strip() for key, value in header.items()}
    return values, "\n".join(lines[count:]).strip().removesuffix(";").rstrip()


def _problems(id: str, header: Mapping[str, str], query: str) -> list[str]:
    problems = [f"the header has no {key!r}" for key in _REQUIRED if not header.get(key)]
    problems += [
        f"the header has an unknown {key!r}"
        for key in header
        if key not in _REQUIRED and key not in _OPTIONAL
    ]
    if not _RULE_ID.fullmatch(id):
        problems.append("its id is not lower-case words joined by hyphens")
    if header.get("level") and header["level"] not in {level.value for level in Level}:
        problems.append(f"level {header['level']!r} is none of error, warning, notice")
    if header.get("contract", "forbidden") not in ("forbidden", "allowed"):
        problems.append(f"contract {header['contract']!r} is neither forbidden nor allowed")
    if not query:
        problems.append("there is no query")
    return problems
