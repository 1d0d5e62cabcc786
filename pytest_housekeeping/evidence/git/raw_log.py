"""Which files the commits behind some tips have changed, as ``git log --raw`` tells it.

https://git-scm.com/docs/git-diff-tree#_raw_output_format
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from pytest_housekeeping.evidence.git.objects import GitCommands

_ALWAYS = ("--stdin", "--no-show-signature", "--no-renames", "--full-history")
_RAW = ("--raw", "--no-abbrev", "--no-color", "-z", "--format=%x01%H")


def logged_changes(
    git: GitCommands, tips: Iterable[str], paths: Sequence[str], *options: str
) -> Iterator[tuple[str, list[str], str]]:
    """The commit, the columns of modes, object ids and status, and the path of each change."""
    revisions = "".join(f"{tip}\n" for tip in tips).encode()
    told = git.run("log", *_ALWAYS, *_RAW, *options, "--", *paths, stdin=revisions)
    fields = iter(told.split(b"\0"))
    commit = ""
    for field in fields:
        text = field.lstrip(b"\n")
        if text.startswith(b"\x01"):
            commit = text[1:].decode(errors="replace")
        elif text.startswith(b":"):
            yield commit, text.decode().split(" "), os.fsdecode(next(fields))
