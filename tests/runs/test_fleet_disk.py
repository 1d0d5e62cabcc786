"""A fleet whose disk is really full, at any moment: nothing twice, nothing untrue, nothing half.

With room again the same command goes on to the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from pytest_housekeeping.promotion.commands.audit import audit as prove
from support.fleet_campaign import SETTINGS, FleetCampaign, FleetFigures
from support.fleet_project import fleet_of
from support.forked_runs import Ended, ForkedRuns
from support.more_databases import variables
from support.ordinary_user import has_room_for_namespaces
from support.production_project import Production, Rehearsal

_NAMES = ("t1", "t2")
# A small disk in a place, what lay there, and of its room so many kB; then the command, and once
# more with room. What lies there in the end is kept.
_TWICE = """
mount -t tmpfs -o size=64m,mode=700 none "$1" && cp -a "$2/." "$1" || exit 99
place=$1 kept=$2
room=$(df -k --output=avail "$place" | tail -n1)
head -c "$(( (room - $3) * 1024 ))" /dev/zero >"$place/.ballast"
shift 3
"$@"; echo "ended with $?"
rm "$place/.ballast"
"$@"; echo "ended with $?"
cp -a "$place/." "$kept"
"""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """Which folder lies on it, and the kB that are free when the run begins."""

    place: str
    free: int
    words: tuple[str, ...] = ()
    code: int = 1
    said: str = "fix: make room"


_DISKS = {
    "evidence, at the start": Disk(place="ops", free=0),
    "evidence, in the rehearsal": Disk(place="ops", free=60),
    "evidence, in the first database": Disk(place="ops", free=150),
    "evidence, in the second database": Disk(place="ops", free=330),
    "evidence, at the end": Disk(place="ops", free=440),
    "evidence, two at a time": Disk(place="ops", free=330, words=("-n", "2")),
    "repository": Disk(place=".git", free=0, said="fix: mend what git says, such as a disk"),
    "work": Disk(place="../small", free=8, code=4),
}


@pytest.mark.skipif(
    os.geteuid() != 0 or not has_room_for_namespaces(), reason="needs to mount small disks"
)
@pytest.mark.parametrize("disk", _DISKS.values(), ids=_DISKS)
def test_a_full_disk(rehearsed: Rehearsal, runs: ForkedRuns, tmp_path: Path, disk: Disk) -> None:
    figures = FleetFigures()
    with fleet_of(rehearsed, tmp_path, _NAMES) as fleet:
        fleet.change({"pyproject.toml": SETTINGS})
        campaign = FleetCampaign(
            fleet=fleet, names=_NAMES, runs=runs, random=Random(0), figures=figures
        )
        campaign.add_file()
        first, second, kept = _run(fleet, disk)
        assert first.code == disk.code, first.output
        assert disk.said in first.output
        assert "No space left on device" in first.output
        for each in (first, second):
            assert "Traceback" not in each.output, each.output
            assert "INTERNALERROR" not in each.output, each.output
        assert second.code == 0, second.output
        campaign.look("with room again")
        campaign.judge_records(second)
        assert figures.troubles == [], f"{first.output}\n{second.output}"
        half = [path for path in (fleet.root / "ops").rglob("*") if _is_half(path)]
        assert half == []
        assert [path.name for path in kept.glob("hk-*")] == []
        proof = prove(fleet.root)
        assert proof.proved, proof.lines


def _run(fleet: Production, disk: Disk) -> tuple[Ended, Ended, Path]:
    place, kept = fleet.root / disk.place, fleet.root.parent / "kept"
    place.mkdir(exist_ok=True)
    shutil.copytree(place, kept, symlinks=True)
    ways = variables(fleet, "TENANTS")
    if disk.place.startswith(".."):
        ways["TMPDIR"] = str(place)
    command = [sys.executable, "-m", "pytest", *fleet.arguments(), "--hk-fleet=tenants", "-v"]
    done = subprocess.run(
        [
            *("unshare", "--mount", "sh", "-c", _TWICE, "sh", str(place), str(kept)),
            *(str(disk.free), *command, *disk.words),
        ],
        cwd=fleet.root,
        env=fleet.environment(**ways),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    shutil.rmtree(place)
    shutil.copytree(kept, place, symlinks=True)
    parts = done.stdout.split("ended with ")
    assert len(parts) == 3, done.stdout
    codes = [int(part.partition("\n")[0]) for part in parts[1:]]
    outputs = [parts[0], parts[1].partition("\n")[2]]
    first, second = (Ended(code=c, output=o) for c, o in zip(codes, outputs, strict=True))
    return first, second, kept


def _is_half(path: Path) -> bool:
    return path.is_file() and (path.name.endswith(".part") or path.stat().st_size == 0)
