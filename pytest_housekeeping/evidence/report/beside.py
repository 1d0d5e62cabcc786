"""What a report shows beside the audit: texts that the audit names by their digest, and logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """``texts`` of the files that were applied, by sha256; the ``difference`` of the schemas;
    ``logs`` of steps that are tests, by id; ``rules``: the page of each rule, by its id."""

    texts: Mapping[str, str] = field(default_factory=dict)
    difference: str = ""
    logs: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)


NOTHING_BESIDE = Beside()
