"""The remarks of a run as annotations: GitHub shows them at their lines in a pull request.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.evidence.remarks import Remarks
from pytest_housekeeping.evidence.report.display import one_line, plural, shortened, visible

_LONGEST, _LONGEST_TITLE = 4_000, 200


def annotation_lines(remarks: Remarks, *, below: str = "") -> Iterator[str]:
    """A workflow command for each remark that has a place, the gravest first.

    ``below`` is where the project stands in its repository, by the folder's path. GitHub shows ten
    of each level for a step; the others stay in the log.
    """
    for each, place in remarks.placed:
        where = {
            "file": f"{below}{place.path}",
            "line": str(place.line),
            "col": str(place.column),
            "title": shortened(one_line(each.rule), _LONGEST_TITLE),
        }
        properties = ",".join(f"{name}={_property(value)}" for name, value in where.items())
        said = shortened(visible(each.text), _LONGEST)
        yield f"::{each.level} {properties}::{_data(said)}"
    if remarks.left_out:
        count = plural(remarks.left_out, "finding")
        yield f"::notice title=pytest-housekeeping::{count} left out: all are in the audit"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
