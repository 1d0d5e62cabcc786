"""An audit as plain JSON: for what looks at a field or two of many audits, without pydantic."""

from __future__ import annotations

import json
from typing import Any

SCHEMA_VERSION = 1
_PARTS = ("run", "plan", "chain", "source")


def plain_audit(data: bytes) -> dict[str, Any] | None:
    """The audit; None for what is no JSON of that shape, which the proof of the evidence names."""
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
