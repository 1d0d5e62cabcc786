"""Results that a run of this machine has restored: taken over of just the same dump alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.promotion import kept_verdicts
from pytest_housekeeping.promotion.staging import known_result as module
from pytest_housekeeping.promotion.staging.known_result import (
    KnownResult,
    without_history,
    without_positions,
)
from pytest_housekeeping.snapshot.copies.proof import BackupProof
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject
from pytest_housekeeping.sql.project_files import ProjectFiles

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
THEN = "2027-01-01 02:03 UTC"
DUMP = b"""\\restrict abc
COPY desk.ticket (id) FROM stdin;
1
\\.
SELECT pg_catalog.setval('desk.ticket_id_seq', 1, false);
COPY housekeeping.history (id, run) FROM stdin;
1\tfirst
\\.
COPY housekeeping.promotion (id, run) FROM stdin;
\\.
\\unrestrict abc
"""


@dataclass
class Ground:
    """All that the restoring of a result stands on."""

    dump: bytes = DUMP
    config: dict[str, Any] | None = None
    bootstrap: bytes = b"CREATE ROLE app;"
    schema: str = "desk"
    at: datetime = NOW
    kind: str = "embedded"

    limits: ClassVar[tuple[str, ...]] = ("a limit",)

    def proved(self, met: HousekeepingError | None = None) -> bool:
        """One run: whether it had to restore."""
        tried: list[bool] = []
        proof = self.proof(tried, met)
        assert (proof.objects, proof.limits) == (3, self.limits)
        assert proof.shown_at == ("" if tried else "2027-01-02 03:04 UTC")
        return bool(tried)

    def proof(
        self, tried: list[bool] | None = None, met: HousekeepingError | None = None
    ) -> BackupProof:
        def prove() -> BackupProof:
            (tried if tried is not None else []).append(True)
            if met is not None:
                raise met
            return BackupProof(objects=3, server_major=16, limits=self.limits)

        sources = ProjectFiles(Path(), read=lambda _: self.bootstrap)
        context: Any = SimpleNamespace(
            plan=SimpleNamespace(sources=sources, bootstrap=("sql/bootstrap/roles.sql",)),
            config=Config(root=Path("/project"), **(self.config or {})),
            today=self.at.date(),
            run=SimpleNamespace(started_at=self.at),
        )
        throwaway: Any = SimpleNamespace(kind=self.kind, server=None)
        entry = SchemaObject(name=self.schema, parent="", text="")
        expected = Fingerprint(entries=(entry,), server_major=16)
        known = KnownResult(context=context, throwaway=throwaway)
        return known.restores(self.dump, expected, prove)


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    for place in (module, kept_verdicts):
        monkeypatch.setattr(place, "default_folder", lambda _: tmp_path / "cache")
    return Ground()


def test_the_same_dump_is_restored_once_whatever_the_history_says_of_the_run(
    ground: Ground,
) -> None:
    assert ground.proved()
    assert not ground.proved()
    other = DUMP.replace(b"abc", b"xyz").replace(b"first", b"second")
    assert not replace(ground, dump=other).proved()
    moved = DUMP.replace(b"_seq', 1, false", b"_seq', 42, true")
    assert not replace(ground, dump=moved).proved()


def test_a_row_that_looks_like_a_position_is_a_row() -> None:
    position = b"SELECT pg_catalog.setval('desk.s', 1, false);\n"
    rows = b"COPY desk.note (text) FROM stdin;\nSELECT 1;\n%b\\.\n" % position
    assert without_positions(position + rows + position) == rows


@pytest.mark.parametrize(
    "changed",
    [
        {"dump": DUMP.replace(b"\n1\n", b"\n2\n")},
        {"dump": DUMP + b"CREATE SCHEMA more;\n"},
        {"schema": "another"},
        {"config": {"session": {"DateStyle": "ISO, DMY"}}},
        {"bootstrap": b"CREATE ROLE app NOLOGIN;"},
        {"at": NOW + timedelta(days=7)},
        {"at": NOW - timedelta(minutes=1)},
        {"config": {"known_days": 0}},
        {"kind": "given"},
    ],
)
def test_any_other_is_restored(ground: Ground, changed: dict[str, Any]) -> None:
    assert ground.proved()
    assert replace(ground, **changed).proved()


@pytest.mark.parametrize(
    ("part", "other"), [("installed_tools", lambda: ()), ("build_facts", lambda *_: ("another",))]
)
def test_another_tool_or_build_restores_it(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, part: str, other: Any
) -> None:
    assert ground.proved()
    monkeypatch.setattr(kept_verdicts, part, other)
    assert ground.proved()


def test_what_did_not_restore_is_kept_nowhere(ground: Ground) -> None:
    with pytest.raises(HousekeepingError, match="no"):
        ground.proved(HousekeepingError("no"))
    assert ground.proved()


@pytest.mark.parametrize("text", [DUMP + DUMP, DUMP.replace(b"housekeeping.history", b"desk.h")])
def test_nothing_else_is_taken_for_the_history(text: bytes) -> None:
    assert without_history(text, "housekeeping") is None


def test_a_part_says_since_when_the_others_are_known_and_a_limit_keeps_nothing(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run keeps for the next one is as old as the last result that was restored whole."""
    kept: list[str | datetime] = []

    class Before:
        def __init__(self, **_: object) -> None: ...

        def read(self) -> object:
            part = BackupProof(objects=3, server_major=16, restored=1)
            proves = lambda *_: part if kept else None  # noqa: E731
            return SimpleNamespace(proves=proves, since=THEN)

        def keep(self, _: bytes, __: Fingerprint, since: str | datetime) -> None:
            kept.append(since)

    monkeypatch.setattr(module, "RestoredBefore", Before)
    assert ground.proved()  # with a limit
    assert kept == []
    monkeypatch.setattr(Ground, "limits", ())
    assert replace(ground, schema="another").proved()
    assert kept == [NOW]
    found = replace(ground, schema="a third", dump=DUMP + b"more").proof()
    assert (found.restored, found.since, kept) == (1, THEN, [NOW, THEN])
    # And so is that this one restores.
    assert replace(ground, schema="a third", dump=DUMP + b"more").proof().shown_at == THEN
    later = replace(ground, schema="a third", dump=DUMP + b"more", at=NOW + timedelta(days=6))
    assert later.proof().shown_at == ""
