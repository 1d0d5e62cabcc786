"""The pages of the documentation that are rendered from the rules' own headers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_housekeeping.declarations.rules import Rule

INDEX = "README.md"

_FAMILIES = {
    "tables": "Tables",
    "policies": "Policies",
    "roles": "Roles and settings",
    "doors": "Doors: views, functions, triggers and the like",
    "privileges": "Privileges that row-level security does not cover",
    "covert": "Covert channels",
    "rls": "Proofs by doing",
    "boundary": "Boundaries",
}
_NOTE = (
    "<!-- Rendered from the header of the rule; "
    "HK_WRITE_DOCS=1 pytest tests/unit/test_rule_pages.py -->"
)


def render_pages(rules: Iterable[Rule]) -> Mapping[str, str]:
    """Every page below ``docs/rules/`` by its file name, the index among them."""
    known = tuple(rules)
    return {INDEX: _index(known), **{f"{rule.id}.md": _page(rule) for rule in known}}


def _page(rule: Rule) -> str:
    tripwire = "\n".join(part for part in (rule.tripwire.superuser, rule.tripwire.sql) if part)
    planted = " (the first part by a superuser)" if rule.tripwire.superuser else ""
    return "\n".join(
        (
            f"# {rule.id}",
            "",
            _NOTE,
            "",
            f"**{rule.title}** · {rule.level.value} · {_FAMILIES[rule.family]}",
            "",
            "## Why",
            "",
            _linked(rule.why),
            "",
            "## Repair",
            "",
            _sql(rule.fix),
            "",
            "## See it",
            "",
            _sql(rule.leak),
            "",
            "## Bad example",
            "",
            f"The tripwire plants it{planted}; the rule must fire on `{rule.tripwire.object}`.",
            "",
            _sql(tripwire),
            "",
            "## Good example",
            "",
            _sql(rule.good),
            "",
        )
    )


def _index(rules: tuple[Rule, ...]) -> str:
    lines = ["# Rules", "", _NOTE, ""]
    lines += [
        "An `error` fails its item; a `warning` and a `notice` are shown and kept in the audit.",
        "An exemption in `checks/rls.toml` names a rule by its id.",
        "",
    ]
    for family, title in _FAMILIES.items():
        mine = [rule for rule in rules if rule.family == family]
        lines += [f"## {title}", "", "| rule | level | finding |", "| --- | --- | --- |"]
        lines += [
            f"| [{rule.id}]({rule.id}.md) | {rule.level.value} | {rule.title} |" for rule in mine
        ]
        lines.append("")
    return "\n".join(lines)


def _linked(text: str) -> str:
    return "\n".join(
        f"<{line}>" if line.startswith("https://") else line for line in text.splitlines()
    )


def _sql(text: str) -> str:
    return f"```sql\n{text}\n```"
