"""What tests share is asserted in their helpers too: pytest shows there what was compared."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("support")

from support.shared_rewriting import rewrite_part  # noqa: E402

# A shell that starts the suite with ``&`` has it ignore Ctrl-C, and with it whatever it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests of a minute: begun last, they would leave the other cores idle.
_DEAR = (
    "tests/runs/test_production_page.py",
    "tests/runs/test_prod_workflow.py",
    "tests/runs/test_workflows.py",
    "tests/runs/test_docs.py",
    "tests/database/checks/test_ddl_chains.py",
)
# Of these modules only the named tests run by default: the suite would take longer than a quarter
# of an hour on two cores. ``tox -e whole`` runs all of them, and so does CI for each push.
_LONG: dict[str, tuple[str, ...]] = {
    "tests/runs/test_docs.py": (),
    "tests/runs/test_production_page.py": (),
    "tests/runs/test_prod_workflow.py": ("test_another_word_stops_at_the_first_step",),
    "tests/runs/test_workflows.py": (),
    "tests/runs/test_plan_workflow.py": (),
    "tests/runs/test_faults.py": (),
    "tests/runs/test_recovery.py": ("test_a_run_that_was_killed",),
    "tests/runs/test_trouble.py": ("test_what_is_said_is_true[ENOSPC-committing",),
    "tests/runs/test_twin_server.py": (),
    "tests/runs/test_two_promotions.py": (),
    "tests/runs/test_two_projects.py": (),
    "tests/runs/test_targets.py": ("test_the_second_takes_what_the_first_has_had",),
    "tests/runs/test_fleet_verify.py": (),
    "tests/runs/test_fleet.py": ("test_a_fleet_is_promoted_in_waves_and_taken_up_again",),
    "tests/runs/test_fleet_disk.py": (),
    "tests/runs/test_fleet_faults.py": (),
    "tests/runs/test_fleet_memory.py": (),
    "tests/runs/test_tool_pages.py": (),
    "tests/runs/test_parts.py": ("test_staging_goes_there_and_back",),
    "tests/runs/test_rollback.py": (
        "test_a_promotion_is_undone_and_promoted_again",
        "test_row_level_security_has_to_hold_whatever_was_accepted",
    ),
    "tests/runs/test_binding.py": ("test_a_promotion_waits_for_somebody",),
    "tests/runs/test_adopt_drift.py": (),
    "tests/runs/test_attested.py": (
        "test_files_edited_while_production_is_promoted",
        "test_what_is_hidden_from_git_is_not_promoted",
        "test_the_audit_names_the_code_that_ran",
        "test_a_cached_form_of_another_text_is_refused",
        "test_only_evidence_that_a_signer_has_signed_is_taken",
        "test_a_part_of_the_run_cannot_be_switched_off",
        "test_a_run_that_a_conftest_takes_away",
    ),
    "tests/runs/test_clone.py": (),
    "tests/runs/test_emergency.py": (),
    "tests/runs/test_kept_past.py": (),
    "tests/runs/test_mutation.py": (
        "test_it_is_asked_for",
        "test_a_share_above_one",
        "test_no_slip_is_ever_planted",
    ),
    "tests/runs/test_baseline.py": (),
    "tests/runs/test_changes.py": (),
    "tests/runs/test_known_round_trips.py": (),
    "tests/runs/test_status.py": (),
    "tests/runs/test_running_code.py": (),
    "tests/runs/test_sandbox.py": (
        "test_it_asks_for_the_password",
        "test_the_promoter_is_shaped",
        "test_a_staging_run_leaves_it_alone",
        "test_the_password_is_for_the_user_alone",
        "test_wrong_usage_is_exit_code_2",
    ),
    "tests/runs/test_init_production.py": ("test_half_an_address",),
    "tests/runs/test_platform_production.py": (),
    "tests/runs/test_starters.py": (),
    "tests/runs/test_init.py": ("test_what_is_written_is_green_and_says_what_it_is",),
    "tests/runs/test_checks_page.py": ("test_the_baseline_of_the_page",),
    "tests/database/checks/test_ddl_chains.py": (),
    "tests/database/checks/test_running_property.py": (),
    "tests/database/checks/test_blind_cases.py": ("test_what_does_harm", "test_each_kind"),
    "tests/unit/evidence/test_report_in_browser.py": ("test_no_name_runs",),
}
# Of other modules these variants alone are left; those beside them show the same.
_LEFT = (
    "tests/runs/test_app_tests.py::test_whatever_the_protocol",
    "tests/runs/test_passwords.py::test_a_report_that_dumps_the_environment",
    "tests/runs/test_refusals.py::test_ctrl_c_between_the_commit",
    "tests/runs/test_staging.py::test_an_audit_that_could_not_be_published",
    "tests/runs/test_staging.py::test_an_ordinary_user_runs",
    "tests/runs/test_staging.py::test_two_runs_side_by_side",
    "tests/runs/test_rows.py::test_a_role_asks_past_policies",
    "tests/runs/test_twin.py::test_a_copy_that_is_killed_in_the_middle",
    "tests/runs/test_code_items.py::test_the_baseline_lets_stand_what_stood",
    "tests/runs/test_own_tables.py::test_a_history_that_is_gone",
    "tests/runs/test_own_tables.py::test_a_trigger_on_it_by_dynamic_sql",
    "tests/runs/test_prod_gates.py::test_a_lock_that_is_never_let_go",
    "tests/runs/test_prod_gates.py::test_a_standby_that_was_promoted",
    "tests/runs/test_prod_gates.py::test_in_place_the_look_is_a_precheck",
    "tests/runs/test_prod_gates.py::test_a_concurrent_build_that_failed",
    "tests/runs/test_prod_gates.py::test_who_stays_is_waited_for",
    "tests/runs/test_prod_gates.py::test_a_file_that_fails[sql/views/pressing.sql]",
    "tests/runs/test_prod_gates.py::test_a_deferred_constraint[in production-seen]",
    "tests/runs/test_prod_gates.py::test_a_deferred_constraint[on the copy-put off]",
    "tests/runs/test_refusals.py::test_ctrl_c_at_any_item[precheck::files]",
    "tests/runs/test_refusals.py::test_ctrl_c_at_any_item[backup::snapshot]",
    "tests/runs/test_refusals.py::test_ctrl_c_at_any_item[sql/policies/note.sql::apply]",
    "tests/runs/test_refusals.py::test_ctrl_c_at_any_item[checks/objects.toml",
    "tests/runs/test_refusals.py::test_production_is_as_it_was_and_the_run_says_why[python -O]",
    (
        "tests/runs/test_refusals.py::test_production_is_as_it_was_and_the_run_says_why"
        "[a conftest that skips a precheck]"
    ),
    "tests/runs/test_selection.py::test_a_commit_by_force_is_called_what_it_is[BEGIN]",
    "tests/runs/test_selection.py::test_a_commit_by_force_is_called_what_it_is[BEGIN; SELECT",
    "tests/runs/test_selection.py::test_promote_itself_is_not_waved_through[xfail]",
    "tests/database/server/test_given_empty.py::test_what_a_kill_leaves",
    "tests/unit/evidence/test_index_in_browser.py::test_axe_finds_nothing",
    "tests/unit/evidence/test_proof.py::test_a_fault_in_each_of_100_runs",
    "tests/unit/evidence/test_report.py::test_five_thousand_failures_stay_readable",
    "tests/unit/promotion/test_gitlab_template.py::test_a_plan_is_told_as_far",
)
_WHOLE = bool(os.environ.get("HK_WHOLE") or os.environ.get("HK_FAULTS"))
_LATER = pytest.mark.skip(reason="it takes long: tox -e whole runs it")
_ROOMS = ("tests/runs", "tests/database", "tests/unit")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a worker waits for what its tests have started, and for locks,
    an eighth of its time."""
    # macOS has no affinity.
    ours = getattr(os, "sched_getaffinity", None)
    return (len(ours(0)) if ours else os.cpu_count() or 1) + 1


def pytest_sessionstart(session: pytest.Session) -> None:
    worker = getattr(session.config, "workerinput", None)
    if worker:
        number = int(worker["workerid"].removeprefix("gw"))
        rewrite_part(session.config, number, worker["workercount"])


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter; pytest's own are closed to others."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whole runs first, the quick tests last; otherwise in the order of pytest-randomly.

    ``--dist=worksteal`` gives each worker a part of the list that hangs together, and an idle one
    takes from the end of another's. So the first worker begins with all that needs the production
    of `tests/runs/conftest.py`, and makes it alone; the second begins with what takes long.
    """
    for each in items:
        if not _WHOLE and not config.option.keyword and _is_left_for_later(each):
            each.add_marker(_LATER)
    dear = sorted((each for each in items if _module(each) in _DEAR), key=_dearness)
    rest = sorted((each for each in items if _module(each) not in _DEAR), key=_place)
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    second = len(items) // workers if workers > 1 else 0
    items[:] = [*rest[:second], *dear, *rest[second:]]


def _is_left_for_later(item: pytest.Item) -> bool:
    if item.nodeid.startswith(_LEFT):
        return True
    kept = _LONG.get(_module(item))
    name = item.nodeid.partition("::")[2]
    return kept is not None and not name.startswith(kept or "\0")


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _dearness(item: pytest.Item) -> int:
    return _DEAR.index(_module(item))


def _place(item: pytest.Item) -> int:
    if "rehearsed" in getattr(item, "fixturenames", ()):
        return -1
    rooms = (n for n, room in enumerate(_ROOMS) if item.nodeid.startswith(room))
    return next(rooms, len(_ROOMS))
