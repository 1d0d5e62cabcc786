"""Staging, until nothing fails that can be let stand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pytest_housekeeping.checks.rls.scope import RLS_SCOPE
from pytest_housekeeping.child_environment import usual_environment
from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.evidence.report.display import plural
from pytest_housekeeping.promotion.init.contracts_text import Access, Standing, rls_toml
from pytest_housekeeping.promotion.init.history_style import broken_in_history
from pytest_housekeeping.promotion.init.project_text import ignored_by_style, sqlfluff_text
from pytest_housekeeping.promotion.init.written import Written, kept_or_written
from pytest_housekeeping.sql.folder import all_paths
from pytest_housekeeping.sql.path_names import on_disk
from pytest_housekeeping.sql.project_files import ProjectFiles

# Time to judge what was found, and not so much that it is forgotten.
_DAYS = 90
_ROUNDS = 5
# A file that sqlfluff did not look at; no rule of its own, so none that could be left out.
_SKIPPED = "HK-SKIPPED"


def until_green(config: Config, written: Written, access: Access) -> Iterator[str]:
    """Staging, until nothing fails that can be let stand; what is let stand is told."""
    rls, style = f"{config.checks}/rls.toml", ".sqlfluff"
    borders = f"{config.checks}/boundaries.toml"
    until = datetime.now(UTC).date() + timedelta(days=_DAYS)
    standing: list[Standing] = []
    failed: list[str] = []
    red: list[Mapping[str, Any]] = []
    first = rls_toml(access, standing, until)
    if first:
        yield from kept_or_written(written, rls, first)
    elif access.protected:
        yield f"not written: {rls}: no role is granted anything on what is protected"
    for number in range(_ROUNDS):
        audit = _staged(config)
        if number == 0 and config.lint and not _has_style(config):
            written.add(style, sqlfluff_text([*_broken_style(audit), *broken_in_history(config)]))
            yield f"written: {style}, with what the files of today keep"
            yield from _too_large(config, written)
        red = [each for each in audit["findings"] if each["level"] == "error"]
        said = {s["id"]: s["message"] for s in audit["steps"] if s["outcome"] == "failed"}
        failed = list(said)
        if not failed:
            yield f"staging is green: {len(audit['steps'])} steps passed"
            yield from _let_stand(standing, rls, until)
            return
        new = _exemptible(red, rls) if rls in written.files else []
        if set(new) - set(standing):
            standing = sorted({*standing, *new}, key=lambda each: (each.rule, each.object))
            written.add(rls, rls_toml(access, standing, until))
        elif borders in written.files and any(each.startswith(borders) for each in failed):
            written.remove(borders)
            yield f"taken back: {borders}: the grants of today do not keep what it would ask for:"
            yield from _told(each for each in red if each["step"].startswith(borders))
        elif rls in written.files and any(each.startswith(f"{rls}::") for each in failed):
            written.remove(rls)
            standing = []
            yield f"taken back: {rls}: nothing is left that it could prove; write it by hand:"
            yield from (
                f"  failed: {each}: {words.partition(chr(10))[0]}" for each, words in said.items()
            )
        else:
            break
    raise _red(failed, red)


def _too_large(config: Config, written: Written) -> Iterator[str]:
    paths = sorted({on_disk(path) for path in all_paths(config, ProjectFiles(config.root))})
    text = ignored_by_style((path, (config.root / path).stat().st_size) for path in paths)
    if text and written.add(".sqlfluffignore", text):
        yield "written: .sqlfluffignore, with the files that are too large for it"


def _let_stand(standing: Sequence[Standing], path: str, until: date) -> Iterator[str]:
    if standing:
        findings = plural(len(standing), "finding")
        yield f"exempt until {until}, for you to judge: {findings}, in {path}"
        by_rule: dict[str, int] = {}
        for each in standing:
            by_rule[each.rule] = by_rule.get(each.rule, 0) + 1
        yield from (f"  {rule}: {count}" for rule, count in by_rule.items())


def _exemptible(red: Sequence[Mapping[str, Any]], path: str) -> list[Standing]:
    """Findings of rules of row-level security: of those, objects can be exempt; not of rls-scope,
    which is about the names in the file itself."""
    return [
        Standing(rule=each["rule"], object=each["object"])
        for each in red
        if each["step"].startswith(f"{path}::") and each["rule"] != RLS_SCOPE
    ]


def _staged(config: Config) -> dict[str, Any]:
    """The audit of a staging run; what it has left is taken away again.

    Raises ProofFailed where there was no run.
    """
    place = config.root / config.audit
    before = set(place.glob("*")) if place.is_dir() else set()
    made_folder = not place.exists()
    command = [sys.executable, "-m", "pytest", "--hk-mode=staging", "--hk-no-commit", "-q"]
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=config.root,
        env=usual_environment() | _server_given(),
        capture_output=True,
        text=True,
        check=False,
    )
    left = sorted(set(place.glob("*")) - before)
    audits = [each for each in left if each.name.startswith("staging_") and each.suffix == ".json"]
    try:
        if not audits:
            raise ProofFailed(
                f"staging did not begin:\n{run.stderr.strip() or run.stdout.strip()}",
                why="without it nobody knows whether what was written is right",
                fix="correct what is named, and run init again: what is there is kept",
            )
        audit: dict[str, Any] = json.loads(audits[-1].read_bytes())
    finally:
        for each in left:
            each.unlink()
        if made_folder and place.is_dir() and not any(place.iterdir()):
            place.rmdir()
    if audit["run"]["outcome"] == "refused":
        raise refusal_of(audit)
    return audit


def refusal_of(audit: Mapping[str, Any]) -> ProofFailed:
    """What a run says that was refused: by itself, by its findings, or by the steps that failed."""
    errors = (each for each in audit["findings"] if each["level"] == "error")
    failed = (each["message"] for each in audit["steps"] if each["outcome"] == "failed")
    return ProofFailed(
        audit["run"]["message"]
        or "\n".join(["staging was refused:", *_told(errors), *filter(None, failed)]),
        why="staging refuses what was written, or what was there",
        fix="correct what is named, and run init again: what is there is kept",
    )


def _server_given() -> dict[str, str]:
    url = os.environ.get("HK_STAGING_URL")
    return {"HK_STAGING_URL": url} if url else {}


def _has_style(config: Config) -> bool:
    from pytest_housekeeping.checks.style.cache import has_settings

    return has_settings(config.root / config.sql, config.root)


def _broken_style(audit: Mapping[str, Any]) -> list[str]:
    rules = (each["rule"] for each in audit["findings"])
    broken = (rule.removeprefix("sqlfluff ") for rule in rules if rule.startswith("sqlfluff "))
    return [rule for rule in broken if rule != _SKIPPED]


def _told(findings: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    for each in findings:
        yield f"  {each['rule']}: {each['object']}: {each['detail']}"


def _red(failed: Sequence[str], red: Sequence[Mapping[str, Any]]) -> ProofFailed:
    lines = [f"  failed: {each}" for each in failed]
    return ProofFailed(
        "staging is not green, for what nobody but you can decide:\n"
        + "\n".join([*lines, *_told(iter(red))]),
        why="what is written down would be promoted as it is",
        fix="pytest --hk-mode=staging shows each with its fix; what init has written stays",
    )
