"""The copy's dump is production's where all of it was shown to be the same, and nowhere else."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from pytest_housekeeping.promotion.rehearsal.same_dump import dump_of_both
from pytest_housekeeping.snapshot.copies.proof import BackupProof
from pytest_housekeeping.snapshot.copies.server import RESTORER
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject
from pytest_housekeeping.snapshot.problems import BackupNotProved

Found = TypeVar("Found")


def schema(*names: str, text: str = "as it is") -> Fingerprint:
    entries = (SchemaObject(name=name, parent="", text=text) for name in names)
    return Fingerprint(entries=tuple(entries), server_major=16)


def done(what: Found) -> Future[Found]:
    future = Future[Found]()
    future.set_result(what)
    return future


PROOF = BackupProof(objects=2, server_major=16, restored=1)
PRODUCTION = schema("table a.b", "tablespace fast")


def rehearsal(**other: Any) -> Any:
    given: dict[str, Any] = {
        "proof": PROOF,
        "limits": (),
        "first": PROOF,
        "after": (f"role {RESTORER}", "table a.b"),
    }
    given |= other
    twin = SimpleNamespace(limits=given["limits"], proof=given["first"])
    return SimpleNamespace(
        changes={1: None, 2: SimpleNamespace(after=schema(*given["after"]))},
        dumping=done(b"of the copy"),
        restoring=done(given["proof"]),
        target=SimpleNamespace(twin=twin),
    )


def test_it_is_where_the_schemas_are_the_same() -> None:
    assert dump_of_both(rehearsal(), PRODUCTION) == b"of the copy"


@pytest.mark.parametrize(
    "other",
    [
        {"proof": replace(PROOF, restored=None)},
        {"limits": ("an extension is not on the copy",)},
        {"first": replace(PROOF, limits=("an invalid index",))},
        {"after": ("table a.b", "view a.c")},
    ],
    ids=["restored as a whole", "not on the copy", "not restored", "another object"],
)
def test_it_is_not_where_anything_was_not_shown(other: dict[str, Any]) -> None:
    assert dump_of_both(rehearsal(**other), PRODUCTION) is None


def test_it_is_not_where_one_is_spelt_otherwise_or_nothing_was_rehearsed() -> None:
    assert dump_of_both(rehearsal(), schema("table a.b", text="otherwise")) is None
    none = rehearsal()
    none.changes = {}
    assert dump_of_both(none, PRODUCTION) is None
    failed = rehearsal()
    failed.restoring = Future()
    failed.restoring.set_exception(BackupNotProved("it does not restore", why="", fix=""))
    assert dump_of_both(failed, PRODUCTION) is None
    of_a_group = rehearsal()
    of_a_group.dumping = of_a_group.restoring = None
    assert dump_of_both(of_a_group, PRODUCTION) is None
