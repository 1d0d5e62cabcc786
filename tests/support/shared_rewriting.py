"""Asserts rewritten once for all workers of a first run, where each would rewrite all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from _pytest.assertion import rewrite


def rewrite_part(config: pytest.Config, part: int, parts: int) -> None:
    """Keep the bytecode of this part of the tests that are asked for, as pytest does.

    A part is a second or three; what the others have kept by then is read when it is collected.
    """
    if sys.dont_write_bytecode:
        return
    state = config.stash[rewrite.assertstate_key]
    for path in _files(config)[part::parts]:
        folder = rewrite.get_cache_dir(path)
        kept = folder / f"{path.stem}{rewrite.PYC_TAIL}"
        if not kept.exists() and rewrite.try_makedirs(folder):
            # pytest 8 gives the times of the source in the place of its hash.
            source, code = rewrite._rewrite_test(path, config)
            rewrite._write_pyc(state, code, source, kept)


def _files(config: pytest.Config) -> list[Path]:
    folders = [path for path in map(Path, config.args) if path.is_dir()]
    found = {path for folder in folders for path in folder.rglob("test_*.py")}
    if folders:
        found.update(Path(__file__).parent.glob("*.py"))
    return sorted(found)
