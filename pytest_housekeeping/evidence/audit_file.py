"""The file of an audit: written whole or not at all, and read with a check of its digest."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pytest_housekeeping.errors import EvidenceError, HousekeepingError
from pytest_housekeeping.evidence.chain import digest
from pytest_housekeeping.evidence.model.audit import Audit, first_fault
from pytest_housekeeping.evidence.plain_audit import SCHEMA_VERSION
from pytest_housekeeping.evidence.secrets import Secrets
from pytest_housekeeping.whole_file import write_whole

# One for all values: json.dumps() would make one for each.
_AS_JSON = json.JSONEncoder(ensure_ascii=False).encode


def to_json(audit: Audit, *, as_read: bool = False) -> str:
    """The file's text: every field, one step or finding a line, so that a diff can be read.

    ``as_read``: only the fields that the file had, which an earlier version may have written.
    """
    document = audit.model_dump(mode="json", exclude_unset=as_read)
    parts = [f" {json.dumps(key)}: {_lines(value)}" for key, value in document.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def from_json(text: str | bytes, *, name: str = "the audit", intact: bool = False) -> Audit:
    """Read an audit. Raises EvidenceError that names the file and the first thing wrong.

    ``intact``: also when it does not have its digest, which means that it was edited.
    """
    try:
        audit = _read(text)
    except ValidationError as error:
        raise EvidenceError(
            f"{name} is no audit of schema version {SCHEMA_VERSION}: {first_fault(error)}",
            why="evidence that cannot be read proves nothing",
            fix="restore the file from git; one of a newer version needs a newer tool",
        ) from None
    if intact and digest_of(text) != audit.chain.digest:
        raise EvidenceError(
            f"{name} was edited: it does not have its digest",
            why="what it says of a promotion may not be what happened",
            fix="restore the file from git; `git log -p` shows who changed it",
        )
    return audit


# Several parts of a run look at the same audits, each at all of them in turn.
_AT_HAND = 64


@lru_cache(maxsize=_AT_HAND)
def _read(text: str | bytes) -> Audit:
    return Audit.model_validate_json(text)


@lru_cache(maxsize=_AT_HAND)
def digest_of(text: str | bytes) -> str:
    """The digest that the audit of this text has to have, whatever it says of it."""
    return digest(_read(text))


def write_audit(audit: Audit, folder: Path, name: str, secrets: Secrets | None = None) -> Path:
    """Write ``<name>.json`` whole or not at all. Raises EvidenceError, also for a secret in it."""
    text = to_json(audit)
    if secrets and secrets.find(text):
        raise EvidenceError(
            f"{name}.json would hold a password and was not written",
            why="evidence is committed, and read by many",
            fix="make the audit with the secrets of the run, which redacts it",
        )
    path = folder / f"{name}.json"
    try:
        write_whole(path, text)
    except HousekeepingError as error:
        raise EvidenceError(
            error.found,
            why="a run without a record has proved nothing to anybody",
            fix="make the folder writable; the journal beside it keeps what happened",
        ) from None
    return path


def _lines(value: Any, indent: str = " ") -> str:
    deeper = indent + " "
    if isinstance(value, list) and value and isinstance(value[0], dict):
        items = [deeper + _AS_JSON(item) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    if isinstance(value, dict) and value:
        items = [f"{deeper}{json.dumps(k)}: {_lines(v, deeper)}" for k, v in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    return _AS_JSON(value)
