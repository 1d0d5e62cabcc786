"""The remarks of a run as a code quality report of GitLab.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import json

from pytest_housekeeping.evidence.remarks import Remarks
from pytest_housekeeping.evidence.report.display import shortened, visible
from pytest_housekeeping.model import Level

_SEVERITY = {Level.ERROR: "critical", Level.WARNING: "minor", Level.NOTICE: "info"}
_LONGEST = 4_000


def code_quality(remarks: Remarks, *, below: str = "") -> str:
    """The file. ``below`` is where the project stands in its repository, by the folder's path.

    The format has no room for what stands in no file.
    """
    told = [
        {
            "description": shortened(visible(each.text), _LONGEST),
            "check_name": visible(each.rule),
            "fingerprint": each.fingerprint,
            "severity": _SEVERITY[each.level],
            "location": {
                "path": f"{below}{place.path}",
                "lines": {"begin": place.line},
            },
        }
        for each, place in remarks.placed
    ]
    return json.dumps(told, indent=1) + "\n"
