"""The intact audits of production: a branch may hold an edited content beside the one that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pytest_housekeeping.declarations.toml import toml_string
from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import Repository

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit


def intact_audits(
    repository: Repository, found: Iterable[tuple[str, bytes]], accepted: Iterable[str]
) -> Iterator[Audit]:
    """Read what was found by path, as ``Repository.evidence`` yields it.

    A branch may hold an edited content of a file that is intact on another. A path without any that
    is intact is left out where ``accepted`` has its ``audit-edited``. Raises EvidenceError for any
    other, which names the branch.
    """
    from pytest_housekeeping.evidence.audit_file import from_json

    contents: dict[str, list[bytes]] = defaultdict(list)
    for path, data in found:
        contents[path].append(data)
    left_out = frozenset(accepted)
    for path, versions in contents.items():
        audits, refused = [], None
        for data in versions:
            try:
                audits.append(from_json(data, name=path, intact=True))
            except EvidenceError:
                refused = data
        yield from audits
        if refused is not None and not audits and f"audit-edited {path}" not in left_out:
            name = f"{path} (on {', '.join(_branches(repository, path, refused))})"
            try:
                from_json(refused, name=name, intact=True)
            except EvidenceError as error:
                way = acceptance("audit-edited", path)
                raise EvidenceError(error.found, why=error.why, fix=f"{error.fix}; {way}") from None


def acceptance(rule: str, object_: str) -> str:
    """The last way on, behind what would repair a fault of the evidence."""
    entry = toml_string(f"{rule} {object_}")
    return (
        "what nobody can repair any more is accepted in a reviewed commit:"
        f" accepted_evidence_faults = [{entry}] in [tool.housekeeping]"
    )


def _branches(repository: Repository, path: str, data: bytes) -> Iterator[str]:
    """Where a content stands under a path."""
    from pytest_housekeeping.evidence.git.committed import contents, read_committed

    committed = read_committed(repository, path.rpartition("/")[0])
    oids = {oid for oid, content in contents(repository, committed) if content == data}
    for version in committed.versions:
        if version.path == path and version.oid in oids:
            yield from version.branches
