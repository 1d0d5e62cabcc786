"""The tables of docs/checks.md and docs/python.md have the keys that are read, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations import Rule, parse_rule, rules
from pytest_housekeeping.declarations.contracts import load_contracts
from pytest_housekeeping.errors import MisuseError, RuleBroken
from pytest_housekeeping.model import Level
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.fresh_copy import ROOT
from support.reference_pages import files_of, rows, section

PAGE = ROOT / "docs/checks.md"
PYTHON = ROOT / "docs/python.md"
RULE = "acme-rules/acme_rules/rules/acme-no-primary-key.sql"
# Each level of each file: the file, the headings of its section, and what opens it in TOML.
LEVELS = [
    ("objects.toml", ("## `objects.toml`",), ""),
    ("rls.toml", ("## `rls.toml`",), ""),
    ("rls.toml", ("## `rls.toml`", "### `[[policy]]`"), "[[policy]]"),
    ("rls.toml", ("## `rls.toml`", "### `[[public]]`"), "[[public]]"),
    ("rls.toml", ("## `rls.toml`", "### `[[exempt]]`"), "[[exempt]]"),
    ("boundaries.toml", ("## `boundaries.toml`",), ""),
    ("boundaries.toml", ("## `boundaries.toml`", "### `[apps.NAME]`"), "[apps.x]"),
    ("boundaries.toml", ("## `boundaries.toml`", "### `[zones.NAME]`"), "[zones.x]"),
    ("boundaries.toml", ("## `boundaries.toml`", "### `[[contract]]`"), "[[contract]]"),
    (
        "boundaries.toml",
        ("## `boundaries.toml`", "### `[[exempt]]`", "#### A finding in the database"),
        '[[exempt]]\nrule = "boundary-view"',
    ),
    (
        "boundaries.toml",
        ("## `boundaries.toml`", "### `[[exempt]]`", "#### A finding in code"),
        "[[exempt]]",
    ),
    ("baseline.toml", ("## `baseline.toml`",), ""),
    ("baseline.toml", ("## `baseline.toml`", "### `[[instance]]`"), "[[instance]]"),
]


def refusal(folder: Path, name: str, text: str) -> str:
    """What is said of a declaration that cannot be used."""
    (folder / "checks").mkdir()
    (folder / "checks" / name).write_text(text, encoding="utf-8")
    with pytest.raises(MisuseError) as caught:
        load_contracts(Config(root=folder), ProjectFiles(folder))
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "headings", "opening"), LEVELS, ids=[f"{n}-{o or 'top'}" for n, _, o in LEVELS]
)
def test_the_keys_of_a_table_are_those_that_are_read(
    name: str, headings: tuple[str, ...], opening: str, tmp_path: Path
) -> None:
    """The reader itself says which keys there are, and which one misses."""
    documented = {key.strip("`"): needed for key, needed, _ in rows(section(PAGE, *headings))}

    said = refusal(tmp_path, name, f"{opening}\nqqqqqqqq = 1\n")

    where = r"\[.*\]{1,2}(?: \d+)?" if opening else "the file"
    known = re.search(rf"- {where} has an unknown key 'qqqqqqqq' \(known: (.*)\)", said)
    assert known is not None, said
    assert set(documented) == set(known[1].split(", "))
    missing = {
        *re.findall(rf"- {where} has no '(\w+)'", said),
        *re.findall(r"^(\w+) =", opening, re.MULTILINE),
    }
    assert {key for key, needed in documented.items() if needed == "yes"} == missing
    assert set(documented.values()) <= {"yes", "no"}


@pytest.mark.parametrize(
    ("name", "text", "headings", "key"),
    [
        (
            "rls.toml",
            "[[policy]]\ncommand = 'q'\n",
            ("## `rls.toml`", "### `[[policy]]`"),
            "command",
        ),
        (
            "boundaries.toml",
            "[[contract]]\ntype = 'q'\n",
            ("## `boundaries.toml`", "### `[[contract]]`"),
            "type",
        ),
    ],
)
def test_the_values_of_a_key_are_those_that_are_read(
    name: str, text: str, headings: tuple[str, ...], key: str, tmp_path: Path
) -> None:
    (meaning,) = (m for k, _, m in rows(section(PAGE, *headings)) if k == f"`{key}`")
    known = re.search(r"'q' \(known: (.*)\)", refusal(tmp_path, name, text))

    assert known is not None
    assert set(re.findall(r'`"(\w+)"`', meaning)) == set(known[1].split(", "))


def test_the_header_has_the_documented_keys() -> None:
    documented = {
        key.strip("`"): needed
        for key, needed, _ in rows(section(PYTHON, "## Rules of your own", "### The header"))
    }

    assert {key for key, needed in documented.items() if needed == "yes"} == set(rules._REQUIRED)
    assert {key for key, needed in documented.items() if needed == "no"} == set(rules._OPTIONAL)
    with pytest.raises(RuleBroken) as caught:
        parse_rule("SELECT 1", "acme-x", "acme")
    for key in rules._REQUIRED:
        assert f"the header has no '{key}'" in str(caught.value)


def test_the_rule_of_the_page_is_read_as_the_page_says() -> None:
    rule = parse_rule(files_of(PYTHON)[RULE], "acme-no-primary-key", "acme")

    assert isinstance(rule, Rule)
    assert (rule.id, rule.family, rule.level) == ("acme-no-primary-key", "acme", Level.ERROR)
    assert rule.tripwire.object == "{schema}.hk_tripwire"
    assert rule.examines == "hk_table"
