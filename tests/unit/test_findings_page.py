"""Every id that a finding can have has a place in the documents: a page of a rule, or a row."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Iterator

import pytest

from pytest_housekeeping.__main__ import main
from pytest_housekeeping.checks.changes.catalogue import CHANGE_RULES
from pytest_housekeeping.checks.out_of_force import Lapse
from pytest_housekeeping.declarations.exemptions import RUNNING_RULES
from pytest_housekeeping.declarations.pages import rule_pages, told_of_findings
from pytest_housekeeping.declarations.rules import shipped_rules
from support.fresh_copy import ROOT

PACKAGE = ROOT / "pytest_housekeeping"
RULES = {rule.id for rule in shipped_rules()}
CHANGES = {rule.id for rule in CHANGE_RULES}
# Who is given an id by position, and where; of others of the same name the argument is no text.
_BY_POSITION = {"error": 0, "_error": 0, "finding": 0, "_finding": 0, "roles_out_of_reach": 1}
# Of an id that is made where it is used, which it can be.
_MADE = {
    "each.lapse": tuple(map(str, Lapse)),
    "BROKEN": RUNNING_RULES,
    "REQUIRED": RUNNING_RULES,
    "ROW": RUNNING_RULES,
    "f'{kind}-missing'": ("audit-missing", "fleet-missing"),
    "f'{kind}-resealed'": ("audit-resealed", "fleet-resealed"),
    "f'refused-by-{name}'": ("refused-by-PRECHECK",),
    "f'sqlfluff {code}'": ("sqlfluff CODE",),
    "f'sqlfluff {violation.code}'": ("sqlfluff CODE",),
}
# What hands an id on: where it comes from, it is found.
_HANDED_ON = re.compile(r"(\w+\.)*rule(\.id)?|known\[1\]|each\['rule'\]")
_GIVES = re.compile(r"rule=|rule, |error\(|finding\(|roles_out_of_reach\(|yield [\"A-Z]")


def test_every_finding_is_told_and_nothing_else_is() -> None:
    ids, unknown = _ids()

    assert not unknown
    assert set(told_of_findings()) == (ids | CHANGES) - RULES


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("activity-no-standby", "activity-no-standby [error, warning]: Too few standbys"),
        ("refused-by-evidence", "refused-by-PRECHECK [warning]: In a plan"),
        ("table-rewritten", "**A table is rewritten**"),
    ],
)
def test_a_finding_is_printed(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs", name]) == 0
    assert capsys.readouterr().out.startswith(said)


def test_a_page_does_not_tell_its_reader_how_it_is_rendered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("rls-not-enabled", "changes", "rules"):
        assert main(["docs", name]) == 0
    assert "<!--" not in capsys.readouterr().out
    assert "<!--" not in rule_pages(["rls-not-enabled"])["rls-not-enabled"]


def test_the_page_that_tells_more_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    main(["docs", "history-open"])

    more = 'more: python -m pytest_housekeeping docs evidence, under "The tool\'s own tables"\n'
    assert capsys.readouterr().out.endswith(more)


def _ids() -> tuple[set[str], set[str]]:
    """The ids that the package gives, and what is given as one and is none that is known here."""
    ids, unknown = set[str](), set[str]()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if not _GIVES.search(text):
            continue
        tree = ast.parse(text)
        nodes, known = list(ast.walk(tree)), dict(_named(tree.body))
        ids |= {said for name, said in _named(nodes) if name == "rule"}
        for value, is_sure in (each for node in nodes for each in _given(node)):
            said = ast.unparse(value)
            if isinstance(value, ast.Constant):
                ids.add(str(value.value))
            elif name := known.get(said) or _imported(nodes, said):
                ids |= {name} if is_sure or " " not in name else set()
            elif said in _MADE:
                ids |= set(_MADE[said])
            elif is_sure and not _HANDED_ON.fullmatch(said):
                unknown.add(f"{path.relative_to(PACKAGE)}: {said}")
    return ids, unknown


def _given(node: ast.AST) -> Iterator[tuple[ast.expr, bool]]:
    """What a call gives as an id, or what is yielded first, and whether it can be nothing else."""
    if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
        first = node.value.elts[0]
        if isinstance(first, ast.Constant) and re.fullmatch(r"[a-z]+(-[a-z]+)+", str(first.value)):
            yield first, True
        elif isinstance(first, ast.Name) and first.id.isupper():
            yield first, False
    if not isinstance(node, ast.Call):
        return
    given = [(each.value, True) for each in node.keywords if each.arg == "rule"]
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    at = _BY_POSITION.get(name, len(node.args))
    given += [(value, name in ("error", "_error")) for value in node.args[at : at + 1]]
    for value, is_sure in given:
        ways = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
        yield from ((way, is_sure) for way in ways)


def _named(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """The names that are given a text, one by one or several at once."""
    for node in nodes:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            pairs: Iterable[tuple[ast.expr, ast.expr]] = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = zip(target.elts, value.elts, strict=True)
            for name, said in pairs:
                if isinstance(name, ast.Name) and isinstance(said, ast.Constant):
                    yield name.id, str(said.value)


def _imported(nodes: Iterable[ast.AST], name: str) -> str:
    """The text that stands under this name in the module that it is imported from."""
    for node in nodes:
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        for each in node.names:
            if name == (each.asname or each.name):
                text = getattr(importlib.import_module(node.module), each.name)
                return text if isinstance(text, str) else ""
    return ""
