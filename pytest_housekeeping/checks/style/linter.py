"""The style of SQL files by sqlfluff: looked up by content, linted in the background when unknown.

The dialect is postgres and the templater raw, whatever a settings file says: PostgreSQL runs the
files as they are written. All other settings are sqlfluff's own, ``.sqlfluff`` first of all.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from pytest_housekeeping.checks.json_cache import default_folder, read_entries, write_entries
from pytest_housekeeping.checks.style.cache import LintedFile, find_linted
from pytest_housekeeping.checks.style.result import (
    Style,
    Violation,
    decode,
    encode,
    from_answer,
)
from pytest_housekeeping.child_environment import usual_environment
from pytest_housekeeping.errors import RuleBroken

OVERRIDES = {"dialect": "postgres", "templater": "raw"}
# Seconds without any answer after which sqlfluff counts as stuck.
PATIENCE_S = 180.0
WORKER = Path(__file__).with_name("worker.py")
_WHY = "a file whose style could not be examined has not passed"


class Linting:
    """The lint of a set of files: under way from ``start`` until ``stop``.

    A thread reads what the background process answers; whoever asks for a style waits for it.
    ``_ending`` is why no further answer comes, empty while one may.
    """

    def __init__(self, entries: Sequence[LintedFile], root: Path, patience_s: float) -> None:
        self._entries = {entry.path: entry for entry in entries}
        self._root = root
        self._patience_s = patience_s
        self._styles: dict[Path, Style] = {}
        self._errors: dict[Path, str] = {}
        self._arrived = threading.Condition()
        self._answers = 0
        self._ending = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @classmethod
    def start(
        cls,
        files: Sequence[Path],
        *,
        root: Path,
        cache_folder: Path | None = None,
        contents: Mapping[Path, bytes] | None = None,
        processes: int | None = None,
        patience_s: float = PATIENCE_S,
    ) -> Linting:
        """Look every file up and start one background process for those not known.

        Guarantees: sqlfluff is neither imported nor run when every file is known. ``contents``
        spares reading files that the caller has read. ``processes``: all cores unless given.
        ``patience_s``: seconds without any answer after which sqlfluff counts as stuck.
        Raises MisuseError for a file that cannot be read.
        """
        folder = cache_folder or default_folder("lint")
        root = root.absolute()
        entries = find_linted(
            files, root=root, folder=folder, overrides=OVERRIDES, contents=contents or {}
        )
        linting = cls(entries, root, patience_s)
        missing = linting._look_up()
        if missing:
            linting._launch(missing, processes or _cores())
        return linting

    @property
    def pending(self) -> int:
        """How many files have no answer yet."""
        with self._arrived:
            return len(self._entries) - len(self._styles) - len(self._errors)

    def result(self, path: Path) -> tuple[Violation, ...]:
        """The violations of one file, none when its style is right. Raises as ``style`` does."""
        return self.style(path).violations

    def style(self, path: Path) -> Style:
        """All that sqlfluff said of one file; waits for it only where the file was not known.

        Raises RuleBroken when sqlfluff gave no answer: a setting that it refuses, a crash, no
        answer in time, a file that was changed meanwhile.
        """
        if path not in self._entries:
            raise RuleBroken(f"{path} was not given to the lint", why=_WHY)
        with self._arrived:
            while path not in self._styles and path not in self._errors and not self._ending:
                before = self._answers
                answered = self._arrived.wait(self._patience_s)
                if not answered and before == self._answers and not self._ending:
                    self._ending = f"sqlfluff gave no answer for {self._patience_s:g} s"
        if path in self._styles:
            return self._styles[path]
        self._kill()
        relative = self._entries[path].relative
        reason = self._errors.get(path) or self._ending
        raise RuleBroken(
            f"{relative}: sqlfluff could not examine it: {reason}",
            why=_WHY,
            fix=f"run: sqlfluff lint --dialect postgres --templater raw {relative}",
        )

    def stop(self) -> None:
        """End the background process and its workers, and keep what they found. Idempotent."""
        atexit.unregister(self.stop)
        with self._arrived:
            self._ending = self._ending or "the lint was stopped"
        self._kill()
        if self._reader is not None:
            self._reader.join(timeout=10)

    def _look_up(self) -> list[LintedFile]:
        files = {entry.cache_file for entry in self._entries.values()}
        known = {file: read_entries(file) for file in files}
        for entry in self._entries.values():
            style = decode(known[entry.cache_file].get(entry.key))
            if style is not None:
                self._styles[entry.path] = style
        return [entry for entry in self._entries.values() if entry.path not in self._styles]

    def _launch(self, missing: Sequence[LintedFile], processes: int) -> None:
        request = {
            "root": str(self._root),
            "processes": processes,
            "overrides": OVERRIDES,
            "files": [entry.relative for entry in missing],
        }
        complaints = tempfile.TemporaryFile()  # noqa: SIM115 - the reader closes it
        # -P: the folder of the script holds modules whose names sqlfluff's could meet.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            cwd=self._root,
            env=usual_environment() | _home(self._root),
            start_new_session=True,
        )
        atexit.register(self.stop)
        self._reader = threading.Thread(
            target=self._read,
            args=(self._process, json.dumps(request).encode(), complaints, tuple(missing)),
            name="housekeeping-lint",
            daemon=True,
        )
        self._reader.start()

    def _read(
        self,
        process: subprocess.Popen[bytes],
        request: bytes,
        complaints: IO[bytes],
        missing: Sequence[LintedFile],
    ) -> None:
        by_relative = {entry.relative: entry for entry in missing}
        done = False
        with process, complaints:
            if process.stdin is not None and process.stdout is not None:
                with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                    stdin.write(request)
                for line in process.stdout:
                    done = self._add_answer(line, by_relative) or done
            process.wait()
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip()
        self._save()
        with self._arrived:
            ending = f"it ended with code {process.returncode}: {said[-2000:] or 'no message'}"
            self._ending = self._ending or ("it gave no answer for this file" if done else ending)
            self._arrived.notify_all()

    def _add_answer(self, line: bytes, by_relative: Mapping[str, LintedFile]) -> bool:
        """Note one answer; True for the last line of a process that came to its end."""
        try:
            answer = json.loads(line)
        except ValueError:
            return False
        if answer.get("done"):
            return True
        entry = by_relative[answer["path"]]
        with self._arrived:
            if "error" in answer:
                self._errors[entry.path] = answer["error"]
            elif answer["sha256"] != entry.sha256:
                self._errors[entry.path] = "the file was changed while it was examined"
            else:
                self._styles[entry.path] = from_answer(answer)
            self._answers += 1
            self._arrived.notify_all()
        return False

    def _save(self) -> None:
        used: dict[Path, dict[str, list[object]]] = {}
        for entry in self._entries.values():
            if entry.path in self._styles:
                stored = encode(self._styles[entry.path])
                used.setdefault(entry.cache_file, {})[entry.key] = stored
        for file, styles in used.items():
            # Read anew: another run may have added to it meanwhile.
            write_entries(file, read_entries(file), styles)

    def _kill(self) -> None:
        if self._process is not None and self._process.poll() is None and self._ending:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _home(root: Path) -> dict[str, str]:
    """sqlfluff needs a home that exists."""
    return {} if Path("~").expanduser().is_dir() else {"HOME": str(root)}
