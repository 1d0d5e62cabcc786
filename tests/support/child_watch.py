"""A pytest plugin for a watched run: note the environment of each program that its process starts.

Loaded with ``-p support.child_watch``; what is noted goes to the file that HK_TEST_CHILDREN names,
a line for each program: its name, and the names of the variables whose value holds the password.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    # https://docs.python.org/3/library/audit_events.html
    if event == "subprocess.Popen":
        command, environment = arguments[1], arguments[3]
        _write(command[0], os.environ if environment is None else environment)
    elif event in ("os.exec", "os.posix_spawn"):  # subprocess ends in the second, since 3.13
        program, _, environment = arguments
        _write(program, os.environ if environment is None else environment)
    elif event in ("os.system", "os.spawn", "pty.spawn"):
        _write(event, os.environ)


def _write(program: str | bytes | os.PathLike[str], environment: Mapping[Any, Any]) -> None:
    shown = {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}
    holding = sorted(name for name, value in shown.items() if _PASSWORD in value)
    line = json.dumps([Path(os.fsdecode(program)).name, holding])
    os.write(_LIST, line.encode() + b"\n")


_PASSWORD = os.environ["PGPASSWORD_PROD"]
_LIST = os.open(os.environ["HK_TEST_CHILDREN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
sys.addaudithook(_note)
