"""What is left of staging's audits of commits that were superseded: a line each, so that the chain
goes on.

A line says which run it was, how it ended, of which commit, by which digest the next audit knows
it, and the sha256 of each file that it had. So nothing can be put into its place, and a copy that
somebody has kept can be told to be the one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

_SHA256 = 64
# Beside the audits, on staging's log alone.
THINNED = "staging_thinned.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Thinned:
    """An audit of staging that is no longer here."""

    run: str
    path: str
    digest: str
    previous: str | None
    commit: str
    outcome: str
    finished_at: str
    files: Mapping[str, str] = field(default_factory=dict)


def lines(kept: Iterable[Thinned]) -> bytes:
    """The file, by path; the same for the same lines."""
    ordered = sorted({each.path: each for each in kept}.items())
    return "".join(f"{json.dumps(asdict(each), sort_keys=True)}\n" for _, each in ordered).encode()


def read_lines(data: bytes) -> tuple[Thinned, ...]:
    """What such a file says; a line that nobody can read says nothing, and what is behind it in the
    chain is missed."""
    found = []
    for line in data.decode(errors="replace").splitlines():
        try:
            each = Thinned(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue
        found += [each] if len(str(each.digest)) == _SHA256 else []
    return tuple(found)
