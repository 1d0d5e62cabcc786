"""The evidence of a fleet comes into git as its runs have written it, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.evidence.git.compare import blob_id
from pytest_housekeeping.promotion.fleet.stored import store_evidence
from pytest_housekeeping.promotion.production.of_fleet.handed import HandedBack
from support.evidence_repository import new_repository
from support.fresh_copy import git


def handed_back(root: Path, name: str) -> HandedBack:
    """Of a run that has written two files."""
    files = {}
    for ending in ("json", "html"):
        path = root / f"ops/tenants/{name}/audit/prod.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{name}\n{ending}".encode())
        files[path.relative_to(root).as_posix()] = blob_id(path.read_bytes(), "0" * 40)
    return HandedBack(
        run=name, outcome="promoted", told="", plan="", digest="", audit="prod.json", files=files
    )


@pytest.mark.parametrize("spoiled", ["altered", "gone"])
def test_what_was_altered_meanwhile_is_not_committed_and_is_named(
    tmp_path: Path, spoiled: str
) -> None:
    with new_repository(tmp_path / "p") as repository:
        root = repository.root
        backs = {name: handed_back(root, name) for name in ("acme", "zeta")}
        page = root / "ops/tenants/zeta/audit/prod.html"
        page.unlink() if spoiled == "gone" else page.write_bytes(b"another")
        stored = store_evidence(repository, root, backs)
        assert stored.backs == {"acme": backs["acme"]}
        (said,) = stored.told
        assert said.startswith(
            "NOT COMMITTED: the evidence of zeta: ops/tenants/zeta/audit/prod.html"
        )
        for path, oid in backs["acme"].files.items():
            assert git(root, "cat-file", "blob", oid).encode() == (root / path).read_bytes().strip()
