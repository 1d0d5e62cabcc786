"""An audit as plain JSON: for what looks at a field or two of many audits, without pydantic."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

SCHEMA_VERSION = 1
_PARTS = ("run", "plan", "chain", "source")


@lru_cache(maxsize=8)
def plain_audit(data: bytes) -> dict[str, Any] | None:
    """The audit, to be read and not changed: several parts of a run look at the same few. None for
    what is no JSON of that shape, which the proof of the evidence names."""
    try:
        known = json.loads(data)
        shaped = all(isinstance(known[key], dict) for key in _PARTS)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return known if shaped else None


def target_of(known: dict[str, Any]) -> tuple[object, object]:
    """Which database an audit names: system identifier and name, None for what it does not say."""
    there = known.get("target")
    if not isinstance(there, dict):
        return None, None
    return there.get("system_identifier"), there.get("database")
