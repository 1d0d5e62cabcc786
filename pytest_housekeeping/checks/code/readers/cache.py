"""Under which names the facts of files are kept between runs: by project, reader and content."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

_PARSERS = ("postgast", "tree-sitter", "tree-sitter-javascript", "tree-sitter-typescript")


def cache_file(folder: Path, root: Path) -> Path:
    """Where the facts of one project are kept: each version of the readers has its own file."""
    project = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return folder / f"{project}-{readers_version()}.json"


def content_key(data: bytes, suffix: str) -> str:
    """The name of an entry: the language decides as well how a text is read."""
    return hashlib.sha256(data).hexdigest()[:40] + suffix


@cache
def readers_version() -> str:
    """The digest of the readers' own text, of their parsers' versions and of Python's, which reads
    Python."""
    digest = hashlib.sha256(sys.version.encode())
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.read_bytes())
    for name in _PARSERS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            digest.update(f"{name} {metadata.version(name)}".encode())
    return digest.hexdigest()[:16]
