"""The remarks of a run as SARIF 2.1.0, for code scanning.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_housekeeping.evidence.remarks import FAILED, REFUSED, Remark, Remarks
from pytest_housekeeping.evidence.report.display import plural, shortened, visible
from pytest_housekeeping.evidence.run_facts import stem
from pytest_housekeeping.model import Level, Place

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTICE: "note"}
_LONGEST = 8_000
# What a viewer would take for a link, or for the place of an argument (3.11.5 and 3.11.6).
_LINK = re.compile(r"\[(?=[^\]\n]*\]\()")
_ARGUMENT = re.compile(r"\{(\d+)\}")
_OWN = {
    FAILED: "A required step did not pass",
    REFUSED: "No plan could be made",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """The run that a file tells of. ``category`` is what is replaced by the next one of its kind,
    ``audit`` the name of its record, ``compared``: with an earlier run."""

    id: str
    category: str
    outcome: str
    audit: str
    tool_version: str
    started_at: datetime
    finished_at: datetime
    compared: bool = False


def sarif(audit: Audit, remarks: Remarks, *, exit_code: int, below: str = "") -> str:
    """The file of a run on one database."""
    run = audit.run
    ran = Ran(
        id=run.id,
        category=run.mode.value,
        outcome=run.outcome.value,
        audit=f"{stem(run)}.json",
        tool_version=run.tool_version,
        started_at=run.started_at,
        finished_at=run.finished_at,
        compared=bool(audit.compared.run),
    )
    return sarif_of(ran, remarks, exit_code=exit_code, below=below)


def sarif_of(ran: Ran, remarks: Remarks, *, exit_code: int, below: str = "") -> str:
    """The file. ``below`` is where the project stands in its repository, by the folder's path.

    A result has a place; what has none, and how many were left out, is told as a notification.
    """
    placed = remarks.placed
    rules = list(dict.fromkeys(each.rule for each, _ in placed))
    number = {rule: at for at, rule in enumerate(rules)}

    def state(remark: Remark) -> dict[str, str]:
        known = "unchanged" if remark.since else "new"
        return {"baselineState": known} if ran.compared else {}

    run = {
        "tool": {"driver": _driver(ran, rules)},
        "automationDetails": {"id": f"housekeeping/{ran.category}/"},
        "invocations": [_invocation(ran, remarks, exit_code)],
        "results": [
            _result(each, number[each.rule], _location(each, place, below)) | state(each)
            for each, place in placed
        ],
        "properties": {
            "run": ran.id,
            "outcome": ran.outcome,
            "audit": ran.audit,
            "leftOut": remarks.left_out,
        },
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _driver(ran: Ran, rules: list[str]) -> dict[str, Any]:
    return {
        "name": "pytest-housekeeping",
        "version": ran.tool_version,
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(rule: str) -> dict[str, Any]:
    shown = visible(rule)
    return {"id": shown, "shortDescription": {"text": _message(_OWN.get(rule, shown))}}


def _invocation(ran: Ran, remarks: Remarks, exit_code: int) -> dict[str, Any]:
    told = [
        {
            "level": _LEVELS[each.level],
            "message": {"text": _message(f"{each.rule}: {each.text}")},
        }
        for each in remarks.told
        if each.place is None
    ]
    if remarks.left_out:
        count = plural(remarks.left_out, "result")
        said = f"{count} left out, none graver than those told: all are in the audit"
        told.append({"level": "warning", "message": {"text": said}})
    return {
        "executionSuccessful": exit_code == 0,
        "exitCode": exit_code,
        "startTimeUtc": f"{ran.started_at:%Y-%m-%dT%H:%M:%SZ}",
        "endTimeUtc": f"{ran.finished_at:%Y-%m-%dT%H:%M:%SZ}",
        "toolExecutionNotifications": told,
    }


def _result(remark: Remark, rule: int, location: dict[str, Any]) -> dict[str, Any]:
    return {
        "ruleId": visible(remark.rule),
        "ruleIndex": rule,
        "level": _LEVELS[remark.level],
        "message": {"text": _message(remark.text)},
        "locations": [location],
        # GitHub tells results apart by this one, and works it out of the line where it is missing.
        "partialFingerprints": {
            "primaryLocationLineHash": f"{remark.fingerprint}:1",
            "housekeeping/v1": remark.fingerprint,
        },
        "properties": {"step": visible(remark.step)},
    }


def _location(remark: Remark, place: Place, below: str) -> dict[str, Any]:
    file = {"uri": quote(f"{below}{place.path}"), "uriBaseId": "%SRCROOT%"}
    region = {"startLine": place.line, "startColumn": place.column}
    named = [{"fullyQualifiedName": visible(remark.object)}] if remark.object else []
    return {"physicalLocation": {"artifactLocation": file, "region": region}} | (
        {"logicalLocations": named} if named else {}
    )


def _message(text: str) -> str:
    """Plain text, as SARIF has it: neither a link nor a place for an argument."""
    shown = shortened(visible(text), _LONGEST)
    return _ARGUMENT.sub(r"{{\1}}", _LINK.sub(r"\\[", shown)) or "-"
