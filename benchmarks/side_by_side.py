"""What the benchmarks share: whole processes run turn by turn, medians, ratios, a verdict."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

# Either of them would change what a start costs, or what a run does.
_NOT_PASSED_ON = ("PYTHONDONTWRITEBYTECODE", "PYTEST_", "HK_", "PG", "GIT_", "GITHUB_")
_PYTEST = """\
import os, pathlib, sys
import pytest
code = int(pytest.main())
status = pathlib.Path("/proc/self/status")
if os.environ.get("PEAK") and status.exists():
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    pathlib.Path(os.environ["PEAK"]).write_text(peak.split()[1])
elif os.environ.get("PEAK"):
    import resource
    pathlib.Path(os.environ["PEAK"]).write_text(str(resource.getrusage(0).ru_maxrss // 1024))
sys.stdout.flush()
os._exit(code)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A process to be measured, the exit code that it must end with, and its environment."""

    arguments: Sequence[str]
    folder: Path
    code: int = 0
    environment: Mapping[str, str] | None = None


def pytest_command(folder: Path, *options: str, code: int = 0) -> Command:
    """``python -m pytest`` with this interpreter, in ``folder``."""
    arguments = [sys.executable, "-m", "pytest", "-q", *options]
    return Command(arguments=arguments, folder=folder, code=code)


class Taken(float):
    """Seconds from start to end, by the clock; ``processor`` are those of all processors."""

    processor = 0.0


def taken(seconds: float, processor: float) -> Taken:
    both = Taken(seconds)
    both.processor = processor
    return both


def measured(command: Command) -> Taken:
    """What a process takes from its start to its end. Exits when it ends otherwise.

    Processors count what it and its children have used, a server that it ends as well.
    """
    environment = plain_environment() | dict(command.environment or {})
    started, used = time.perf_counter(), _used_by_children()
    done = subprocess.run(
        command.arguments,
        cwd=command.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    both = taken(time.perf_counter() - started, _used_by_children() - used)
    if done.returncode != command.code:
        sys.exit(f"{command.arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return both


def _used_by_children() -> float:
    return sum(os.times()[2:4])


def used_below(process: int) -> float:
    """Seconds of processors that this process and all below it have used, alive or ended.

    Where the system does not tell (it does on Linux), the time of day.
    """
    used: dict[int, float] = {}
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            number = int(stat.parent.name)
            parents[number] = int(fields[1])
            used[number] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def is_below(number: int) -> bool:
        return number == process or (number in parents and is_below(parents[number]))

    return sum(used[number] for number in used if is_below(number)) or time.time()


def turn_by_turn(commands: Mapping[str, Command], rounds: int) -> dict[str, list[Taken]]:
    """Each command once in every round, so that all of them meet the same machine.

    One more round goes before, which fills the caches and does not count.
    """
    seconds: dict[str, list[Taken]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            both = measured(command)
            if number:
                seconds[name].append(both)
    return seconds


def peak_memory_kb(command: Command) -> int:
    """The most memory that a pytest process itself has held at a time, in kB."""
    with tempfile.TemporaryDirectory() as folder:
        peak = Path(folder) / "peak"
        arguments = [sys.executable, "-c", _PYTEST, *command.arguments[3:]]
        measured(
            Command(
                arguments=arguments,
                folder=command.folder,
                code=command.code,
                environment={"PEAK": str(peak)},
            )
        )
        return int(peak.read_text())


def plain_environment() -> dict[str, str]:
    """The environment without what would change a run; bytecode is kept, as it is by default."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON)
    }


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """An empty folder, in memory where there is some, so that no disk is measured."""
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def empty_suite(folder: Path) -> Path:
    """A folder in which pytest finds nothing to do, and no settings."""
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return folder


def idle_command(folder: Path, items: int) -> Command:
    """pytest with so many items that do nothing, and pytest-html's report of them: the least that
    a run of so many items takes."""
    empty_suite(folder)
    (folder / "test_idle.py").write_text(
        f"import pytest\n\n@pytest.mark.parametrize('n', range({items}))\n"
        "def test_idle(n: int) -> None:\n    pass\n",
        encoding="utf-8",
    )
    return pytest_command(folder, "--html=report.html", "--self-contained-html")


def show(name: str, seconds: Sequence[float]) -> float:
    """Print the median and the spread; return the median."""
    median = statistics.median(seconds)
    spread = f"{min(seconds):.3f} to {max(seconds):.3f}"
    print(f"{name:44} {median:8.3f} s   ({spread}, {len(seconds)} runs)")
    return median


def show_processor(name: str, runs: Sequence[Taken]) -> float:
    """The same of what processors have used, which a busy machine changes less."""
    return show(f"{name}, processors", [each.processor for each in runs])


def verdict(name: str, value: float, limit: float, unit: str = "x") -> int:
    """Print a figure beside its limit; 1 when it is above, else 0."""
    print(f"{name:44} {value:8.2f} {unit}   (at most {limit:g})")
    return int(value > limit)
