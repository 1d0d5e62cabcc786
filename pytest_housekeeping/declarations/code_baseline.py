"""The findings in code that stood already on the day a team began to watch its boundaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pytest_housekeeping.declarations.exemptions import WHY
from pytest_housekeeping.declarations.toml import (
    Problems,
    closest,
    expect_keys,
    read_toml,
    tables_of,
    text_of,
    toml_string,
)

_INSTANCE = {"contract": True, "rule": True, "file": True, "symbol": True, "object": True}
_HEAD = """\
# What stood when the boundaries of code began to be watched, instance by instance.
# It can only shrink: a new one fails, and one that is gone fails until it is taken out here.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One finding that stood already. The line is left out: it moves."""

    contract: str
    rule: str
    file: str
    symbol: str
    object: str


Baseline = Counter[Instance]


def parse_baseline(
    text: str, *, contracts: Collection[str], path: str = "checks/baseline.toml"
) -> Baseline:
    """``checks/baseline.toml``. Raises MisuseError; a contract that is gone is a mistake too."""
    problems = Problems(path)
    document = read_toml(text, problems)
    expect_keys(document, {"instance": False}, "the file", problems)
    baseline: Baseline = Counter()
    for number, table in enumerate(tables_of(document, "instance", problems), start=1):
        where = f"[[instance]] {number}"
        expect_keys(table, _INSTANCE, where, problems)
        given = {key: text_of(table, key, where, problems) for key in _INSTANCE}
        if given["contract"] and given["contract"] not in contracts:
            problems.add(
                f"{where} belongs to the contract {given['contract']!r}, which is not declared"
                f"{closest(given['contract'], contracts)}"
            )
        baseline[Instance(**given)] += 1
    problems.raise_any(why=WHY)
    return baseline


def write_baseline(instances: Iterable[Instance]) -> str:
    """The text of ``checks/baseline.toml`` that holds these instances."""
    entries = sorted(instances, key=lambda i: (i.contract, i.file, i.object, i.symbol, i.rule))
    tables = [
        "[[instance]]\n"
        + "".join(f"{key} = {toml_string(getattr(instance, key))}\n" for key in _INSTANCE)
        for instance in entries
    ]
    return "\n".join([_HEAD, *tables])
