"""What a run tells machines when it has ended: report files, a hook, annotations for a workflow."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_housekeeping.errors import EvidenceError, HousekeepingError, MisuseError
from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.plugin.options import lists_only, settings_of, target_of
from pytest_housekeeping.plugin.redaction import GuardedFile, given_passwords, write_commands
from pytest_housekeeping.plugin.refusals import as_run_here
from pytest_housekeeping.plugin.stash import FINISHED, TOLD
from pytest_housekeeping.promotion.recording import refusal_record

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.finished import Finished
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.promotion.recording.recorder import Recorder
    from pytest_housekeeping.promotion.recording.reports import Told

INCOMPLETE = "THE REPORTS ARE NOT COMPLETE"
_FAILED = int(pytest.ExitCode.TESTS_FAILED)


def prepare(config: pytest.Config) -> None:
    """Make room for the reports, and let pytest write its own among them.

    Raises pytest.UsageError for a folder that cannot be written.
    """
    folder = reports_folder(config)
    if folder is None or lists_only(config):
        return
    from pytest_housekeeping.promotion.recording.reports import JUNIT, make_room

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
    """Write the reports of a run, and call the hook with what is true of it.

    Whether the reports are written; whatever is to be said of both is told with the run, which goes
    on to say what is true.
    """
    if not _is_asked_for(config):
        return True
    said: list[str] = []
    redact, outcome = recorder.secrets.redact, recorder.promotion.outcome()
    try:
        finished = _finished(config, recorder, exit_code, said)
    except Exception as error:
        said += _incomplete(error)
        message = redact("\n".join([*recorder.messages, *said]).strip())
        finished = _unrecorded(config, message, exit_code or _FAILED, outcome)
    recorder.messages += [*said, *_call(config, finished, redact)]
    return not any(line.startswith(INCOMPLETE) for line in said)


def record_refusal(config: pytest.Config, reason: str, exit_code: pytest.ExitCode) -> None:
    """Put a run without a plan on record, and tell what it says of files."""
    if lists_only(config):
        return
    settings = settings_of(config.rootpath, target_of(config.option))
    audit = refusal_record.record_refusal(settings, Mode(config.option.hk_mode), reason)
    if not _is_asked_for(config):
        return
    from pytest_housekeeping.promotion.recording.reports import finished_by, told_by_refusal

    said: list[str] = []
    try:
        told = config.stash[TOLD] = told_by_refusal(audit, config.rootpath)
        _written(config, audit, told, int(exit_code), said)
        finished = finished_by(
            audit, settings.root, settings.audit, told, exit_code=int(exit_code), said=said
        )
    except Exception as error:  # why there is no plan is what has to be seen
        said += _incomplete(error)
        finished = _unrecorded(config, reason, int(exit_code), audit.run.outcome)
    said += _call(config, finished, Secrets(given_passwords(config)).redact)
    for line in filter(None, said):
        GuardedFile(sys.stderr, Secrets(), colours=False).write(f"{line}\n")


def _finished(
    config: pytest.Config, recorder: Recorder, exit_code: int, said: list[str]
) -> Finished:
    """What is told of the run; what there is to say of its reports is added to ``said``."""
    audit, redact = recorder.audit, recorder.secrets.redact
    if audit is None:
        message = redact("\n".join(recorder.messages).strip())
        return _unrecorded(config, message, exit_code, recorder.promotion.outcome())
    from pytest_housekeeping.promotion.recording.reports import finished_by, told_by

    told = config.stash[TOLD] = told_by(audit, recorder.context)
    exit_code = _written(config, audit, told, exit_code, said)
    settings = recorder.context.config
    lines = [redact(line) for line in (*recorder.messages, *said)]
    return finished_by(audit, settings.root, settings.audit, told, exit_code=exit_code, said=lines)


def _call(config: pytest.Config, finished: Finished, redact: Callable[[str], str]) -> list[str]:
    """Call each implementation of the hook by itself; a line for each that failed."""
    finished = told_here(finished, config)
    hook = config.hook.pytest_housekeeping_finished
    every = hook.get_hookimpls()
    failed = []
    for each in every:
        others = [other.plugin for other in every if other.plugin is not each.plugin]
        one = config.pluginmanager.subset_hook_caller(hook.name, remove_plugins=others)
        try:
            one(finished=finished, config=config)
        except BaseException as error:  # sys.exit() and pytest.fail() raise no Exception
            what = f"{type(error).__name__}: {error}"
            failed.append(redact(f"{hook.name} of {each.plugin_name} failed: {what}"))
    said = (*finished.said, *failed)
    config.stash[FINISHED] = finished.model_copy(update={"said": said})
    return failed


def told_here(finished: Finished, config: pytest.Config) -> Finished:
    """The same, with the commands as they work in this environment."""
    told = as_run_here(finished.model_dump_json(), config)
    return type(finished).model_validate_json(told)


def _unrecorded(
    config: pytest.Config, message: str, exit_code: int, outcome: RunOutcome
) -> Finished:
    from pytest_housekeeping.evidence.finished import ended_without_record

    mode = Mode(config.option.hk_mode)
    return ended_without_record(message, mode=mode, exit_code=exit_code, outcome=outcome)


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
    del config.stash[TOLD]  # said once, wherever the run comes to an end
    from pytest_housekeeping.evidence.report.annotations import annotation_lines

    return annotation_lines(told.remarks, below=told.below)


def _written(
    config: pytest.Config, audit: Audit, told: Told, exit_code: int, said: list[str]
) -> int:
    """Write the reports, if there is a folder for them; the exit code that follows."""
    folder = reports_folder(config)
    if folder is None:
        return exit_code
    from pytest_housekeeping.promotion.recording.reports import write_reports

    try:
        said.append(write_reports(folder, audit, told, exit_code=exit_code))
    except EvidenceError as error:
        said += _incomplete(error)
        return exit_code or _FAILED
    return exit_code


def _incomplete(error: Exception) -> list[str]:
    kind = "" if isinstance(error, HousekeepingError | OSError) else f"{type(error).__name__}: "
    return ["", f"{INCOMPLETE}: {kind}{error}"]


def _is_asked_for(config: pytest.Config) -> bool:
    """Whether anybody wants to hear it: to find the places takes a moment."""
    hears = config.hook.pytest_housekeeping_finished.get_hookimpls()
    return bool(config.option.hk_reports or config.option.hk_json or hears or _in_workflow())


def _in_workflow() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"
