"""Entries as JSON, and as CSV that a spreadsheet shows and does not calculate."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields

from pytest_housekeeping.evidence.index.population import Change, Population
from pytest_housekeeping.evidence.index.rows import Row
from pytest_housekeeping.evidence.report.display import visible

# https://owasp.org/www-community/attacks/CSV_Injection
_CALCULATED = ("=", "+", "-", "@", "\t", "\r")
_FORMAT = 1


def population_json(found: Population) -> str:
    """``complete``, why not, and the entries; every field of each, those not known as such."""
    document = {
        "format": _FORMAT,
        "complete": found.complete,
        "faults": list(found.faults),
        "changes": [asdict(each) for each in found.changes],
    }
    return f"{json.dumps(document, indent=1, ensure_ascii=False)}\n"


def index_json(found: Sequence[Row], faults: Sequence[str]) -> str:
    """``proved``, why not, and every row of the index, the newest first."""
    document = {
        "format": _FORMAT,
        "proved": not faults,
        "faults": list(faults),
        "runs": [asdict(each) for each in found],
    }
    return f"{json.dumps(document, indent=1, ensure_ascii=False)}\n"


def population_csv(changes: Sequence[Change]) -> str:
    """A line for each entry, below their names; lists have a line of the cell for each."""
    text = io.StringIO()
    names = [each.name for each in fields(Change)]
    writer = csv.writer(text)
    writer.writerow(names)
    for change in changes:
        writer.writerow([_cell(getattr(change, name)) for name in names])
    return text.getvalue()


def _cell(value: str | tuple[str, ...]) -> str:
    text = visible(value if isinstance(value, str) else "\n".join(value))
    return f"'{text}" if text.startswith(_CALCULATED) else text
