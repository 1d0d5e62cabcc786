"""A git that takes down who has called it, and is git."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

_PROGRAM = """#!/bin/sh
echo "$PPID $*" >> {log}
exec {git} "$@"
"""


class CountedGit:
    """Found before any other by who has this ``path``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._log = folder / "log"
        program = folder / "git"
        program.write_text(_PROGRAM.format(log=self._log, git=shutil.which("git")))
        program.chmod(0o755)
        self.path = f"{folder}{os.pathsep}{os.environ['PATH']}"

    @property
    def calls(self) -> Mapping[int, list[str]]:
        """What each process has called it with."""
        found = defaultdict(list)
        for line in self._log.read_text().splitlines():
            pid, _, command = line.partition(" ")
            found[int(pid)].append(command)
        return found
