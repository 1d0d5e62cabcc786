"""The names in a part of a statement, such as ``JOIN governance.ledger USING (id)``."""

from __future__ import annotations

from pytest_housekeeping.checks.code.sqltext.bodies import statement_names
from pytest_housekeeping.checks.code.sqltext.placeholders import RUN_TIME_NAME, filled, normalize
from pytest_housekeeping.checks.code.sqltext.template import Template
from pytest_housekeeping.checks.code.sqltext.written import WrittenName
from pytest_housekeeping.sql.parse import SyntaxRefused, parse

# What makes a whole statement of a part that begins with this word.
_BEFORE = {
    "FROM": "SELECT 1 ",
    "UNION": "SELECT 1 ",
    "EXCEPT": "SELECT 1 ",
    "INTERSECT": "SELECT 1 ",
    "AND": "SELECT 1 WHERE true ",
    "OR": "SELECT 1 WHERE true ",
    "WHERE": "SELECT 1 ",
    "USING": f"DELETE FROM {RUN_TIME_NAME} ",
}
_BEFORE_A_JOIN = f"SELECT 1 FROM {RUN_TIME_NAME} "


def read_fragment(template: Template) -> tuple[WrittenName, ...]:
    """The names with a schema in it, or nothing when no statement can be made of it."""
    normalized = normalize(template)
    text = filled(normalized.text, [RUN_TIME_NAME] * len(normalized.holes))
    first_word = text.split(None, 1)[0].upper().rstrip(",") if text.split() else ","
    prefix = _BEFORE.get(first_word, _BEFORE_A_JOIN)
    for suffix in ("", " ON true"):
        whole = prefix + text + suffix
        try:
            statements = parse(whole)
        except (SyntaxRefused, ValueError):
            continue
        found = [name for each in statements for name in statement_names(each, prefix + text).names]
        return tuple(
            name for name in found if RUN_TIME_NAME not in name.parts and len(name.parts) > 1
        )
    return ()
