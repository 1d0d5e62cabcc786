"""``checks/baseline_drift.toml``: in what production may differ from its files at a baseline."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.toml import (
    Problems,
    closest,
    expect_keys,
    read_toml,
    tables_of,
    text_of,
    texts_of,
    toml_string,
)
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import decode

NAME = "baseline_drift.toml"
_KEYS = {"object": True, "reason": True, "targets": False}
_WHY = "what is accepted there is recorded as if the files had made it"


def accepted_drift(config: Config, files: ProjectFiles) -> Mapping[str, str]:
    """The objects of the target, by the names that the baseline gives them, with the reasons.

    Raises MisuseError for a file that cannot be read.
    """
    path = f"{config.checks}/{NAME}"
    if not files.has(path):
        return {}
    problems = Problems(path)
    document = read_toml(decode(files.read(path), path), problems)
    expect_keys(document, {"accepted": True}, "the file", problems)
    found: dict[str, str] = {}
    known = {*config.targets, *config.fleets}
    for number, table in enumerate(tables_of(document, "accepted", problems), start=1):
        where = f"[[accepted]] {number}"
        expect_keys(table, _KEYS, where, problems)
        name = text_of(table, "object", where, problems)
        reason = text_of(table, "reason", where, problems)
        targets = texts_of(table, "targets", where, problems)
        for each in targets:
            if each.partition("/")[0] not in known:
                problems.add(f"{where}: there is no target {each!r}{closest(each, known)}")
        if targets and config.target.name not in targets:
            continue
        if name in found:
            problems.add(f"{where} names {name} once more")
        found[name] = reason
    problems.raise_any(why=_WHY)
    return found


def only_of(config: Config) -> str:
    """What makes an entry one of this target alone; "" where there is no other one."""
    alone = len(config.targets) == 1 and not config.fleets
    return "" if alone else f"targets = [{toml_string(config.target.name)}]"
