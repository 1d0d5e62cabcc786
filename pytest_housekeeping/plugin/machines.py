"""What a run tells machines when it has ended: report files, and annotations for a workflow."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_housekeeping.errors import EvidenceError, MisuseError
from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plugin.options import lists_only, settings_of, target_of
from pytest_housekeeping.plugin.redaction import GuardedFile, write_commands
from pytest_housekeeping.plugin.stash import TOLD
from pytest_housekeeping.promotion import refusal_record

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Audit
    from pytest_housekeeping.promotion.recorder import Recorder
    from pytest_housekeeping.promotion.reports import Told


def prepare(config: pytest.Config) -> None:
    """Make room for the reports, and let pytest write its own among them.

    Raises pytest.UsageError for a folder that cannot be written.
    """
    folder = reports_folder(config)
    if folder is None or lists_only(config):
        return
    from pytest_housekeeping.promotion.reports import JUNIT, make_room

    try:
        make_room(folder)
    except MisuseError as error:
        raise pytest.UsageError(str(error)) from None
    config.option.xmlpath = config.option.xmlpath or str(folder / JUNIT)


def reports_folder(config: pytest.Config) -> Path | None:
    """The folder of ``--hk-reports``, as everything on a command line below where it was typed."""
    given = config.option.hk_reports
    return Path(config.invocation_params.dir, given) if given else None


def tell(config: pytest.Config, recorder: Recorder, exit_code: int) -> bool:
    """Write the reports of a run that has an audit.

    Whether that went well; whatever is to be said of it is told with the run.
    """
    audit = recorder.audit
    if audit is None or not _is_asked_for(config):
        return True
    from pytest_housekeeping.promotion.reports import told_by

    told = config.stash[TOLD] = told_by(audit, recorder.context)
    try:
        if line := _written(config, audit, told, exit_code):
            recorder.messages.append(line)
    except EvidenceError as error:
        recorder.messages += ["", f"THE REPORTS ARE NOT COMPLETE: {error}"]
        return False
    return True


def record_refusal(config: pytest.Config, reason: str) -> None:
    """Put a run without a plan on record, and tell what it says of files."""
    if lists_only(config):
        return
    settings = settings_of(config.rootpath, target_of(config.option))
    audit = refusal_record.record_refusal(settings, Mode(config.option.hk_mode), reason)
    if not _is_asked_for(config):
        return
    from pytest_housekeeping.promotion.reports import told_by_refusal

    told = config.stash[TOLD] = told_by_refusal(audit, config.rootpath)
    with suppress(EvidenceError):  # why there is no plan is what the user sees
        _written(config, audit, told, int(pytest.ExitCode.USAGE_ERROR))


def annotate(config: pytest.Config) -> None:
    """Annotations in the terminal's output, where a workflow runs."""
    write_commands(config, _annotations(config))


def annotate_refusal(config: pytest.Config) -> None:
    """The same for a run that has come to no terminal of its own."""
    for line in _annotations(config):
        GuardedFile(sys.stdout, Secrets(), colours=False).obeyed(f"{line}\n")


def _annotations(config: pytest.Config) -> Iterable[str]:
    told = config.stash.get(TOLD, None)
    if told is None or not _in_workflow():
        return ()
    from pytest_housekeeping.evidence.report.annotations import annotation_lines

    return annotation_lines(told.remarks, below=told.below)


def _written(config: pytest.Config, audit: Audit, told: Told, exit_code: int) -> str:
    folder = reports_folder(config)
    if folder is None:
        return ""
    from pytest_housekeeping.promotion.reports import write_reports

    return write_reports(folder, audit, told, exit_code=exit_code)


def _is_asked_for(config: pytest.Config) -> bool:
    return reports_folder(config) is not None or _in_workflow()


def _in_workflow() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"
