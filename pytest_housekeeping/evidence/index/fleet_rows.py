"""The records of fleets as rows of the index: each run on a whole fleet once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_housekeeping.evidence.fleet_record import FleetRecord, read_fleet_record
from pytest_housekeeping.evidence.fleet_standing import counted, outcome_of_fleet, troubles
from pytest_housekeeping.evidence.git.objects import (
    GitCommands,
    evidence_refs,
    files_below,
    objects,
)
from pytest_housekeeping.evidence.index.rows import Row

# Beside the audits of production, ops/audit: ops/FLEET/audit.
_RECORD = re.compile(r"[^/]+/audit/fleet_\d{8}T\d{6}Z_[^/]+\.json")
_MOST = 20


def fleet_rows(git: GitCommands, folder: str) -> list[Row]:
    """Of every record that HEAD and the branches with evidence hold; ``folder`` is the one in which
    the evidence of production and its fleets lies, from the repository's root."""
    lines = git.run("for-each-ref", "--format=%(refname)", *evidence_refs()).decode().splitlines()
    refs = [*(["HEAD"] if git.commit("HEAD") else []), *lines]
    found: dict[str, tuple[str, str, list[str]]] = {}
    below = files_below(git, [f"{ref}:{folder}".rstrip("/.") for ref in refs])
    for ref, files in zip(refs, below, strict=True):
        for path, oid in files.items():
            if _RECORD.fullmatch(path):
                short = ref.removeprefix("refs/heads/").removeprefix("refs/remotes/")
                found.setdefault(f"{path} {oid}", (path, oid, []))[2].append(short)
    texts = dict(objects(git, {oid for _, oid, _ in found.values()}))
    return [_row(f"{folder}/{path}", texts[oid], refs) for path, oid, refs in found.values()]


def _row(path: str, text: bytes, branches: list[str]) -> Row:
    record = read_fleet_record(text)
    name = path.rpartition("/")[2]
    if record is None:
        return _told(name=name, path=path, branches=branches, outcome="cannot be read")
    return _told(
        name=name,
        path=path,
        branches=branches,
        outcome=outcome_of_fleet(record).value,
        record=record,
    )


def _told(
    *, name: str, path: str, branches: list[str], outcome: str, record: FleetRecord | None = None
) -> Row:
    previous = record.chain.previous if record else None
    pending = {file for group in record.groups for file in group.pending} if record else set()
    return Row(
        kind="fleet",
        run=record.id if record else name.removesuffix(".json").rpartition("_")[2],
        mode=f"fleet {record.mode}" if record else "fleet",
        outcome=outcome,
        target=record.fleet if record else path.split("/")[-3],
        began=f"{record.started_at:%Y-%m-%dT%H:%M:%SZ}" if record else "",
        ended=f"{record.finished_at:%Y-%m-%dT%H:%M:%SZ}" if record else "",
        runner=record.actor if record else "",
        author="",
        approver="",
        files=tuple(sorted(pending)),
        objects=(),
        facts={"result": "\n".join(_result(record))} if record else {},
        commit=(record.commit or "") if record else "",
        ci_url=record.ci_url if record else "",
        path=path,
        report="",
        schema="",
        branches=tuple(branches),
        chain=f"follows the record {previous[:12]}" if previous else "follows no other record",
        signature="",
        sound=record is not None,
    )


def _result(record: FleetRecord) -> Iterator[str]:
    yield ", ".join(f"{count:,} {how}" for how, count in counted(record))
    found = troubles(record)
    yield from (f"{each.name}: {each.how}" for each in found[:_MOST])
    if len(found) > _MOST:
        yield f"and {len(found) - _MOST} more"
