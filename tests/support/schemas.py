"""Schemas that hold objects of given names, and nothing of them."""

from __future__ import annotations

from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject


def schema(*names: str) -> Fingerprint:
    """As a server of version 16 would have it."""
    entries = tuple(SchemaObject(name=name, parent="", text="") for name in names)
    return Fingerprint(entries=entries, server_major=16)
