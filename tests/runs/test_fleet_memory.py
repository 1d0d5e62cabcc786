"""A fleet's processes take as much memory for many databases as for few."""

from __future__ import annotations

from pathlib import Path

from support.fleet_project import fleet_of, run
from support.production_project import Production, Rehearsal

FEW, MANY = 3, 12
# A process counts its pages some dozen at a time.
MOST_KB = 2_048


def peaks(fleet: Production, place: Path) -> dict[str, int]:
    """The highest of each kind of process in a promotion of what is pending."""
    done = run(fleet, "-p", "support.peaks", HK_PEAKS=str(place))
    assert done.code == 0, done.output
    found = [line.split() for line in place.read_text(encoding="utf-8").splitlines()]
    return {kind: max(int(kb) for of, kb, _ in found if of == kind) for kind in ("leads", "run")}


def test_memory_is_flat(rehearsed: Rehearsal, tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(FEW + MANY)]
    with fleet_of(rehearsed, tmp_path, names) as fleet:
        fleet.change({"tenants.txt": "".join(f"{name}\n" for name in names[:FEW])}, proved=True)
        few = peaks(fleet, tmp_path / "few")
        fleet.change({"tenants.txt": "".join(f"{name}\n" for name in names)}, proved=True)
        many = peaks(fleet, tmp_path / "many")
    assert all(many[kind] - few[kind] < MOST_KB for kind in few), (few, many)
