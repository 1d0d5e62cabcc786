"""Which options go with which mode: as the help says, and everywhere else refused by name."""

from __future__ import annotations

import argparse
import re
from itertools import product

import pytest

from pytest_housekeeping.model import Mode
from pytest_housekeeping.plugin.command_options import OPTIONS
from pytest_housekeeping.plugin.misplaced_options import refuse_misplaced
from support.fresh_copy import ROOT

IN_EVERY_MODE = {"--hk-mode", "--hk-target", "--hk-no-commit", "--hk-reports", "--hk-json"}
VALUES = {"--hk-to": "4711", "--hk-segments": "0", "--hk-baseline": "0", "--hk-reuse": "off"}
ATTRIBUTES = dict(OPTIONS)
ONLY_IN_SOME = sorted(set(ATTRIBUTES) - IN_EVERY_MODE)


def command_line(mode: Mode, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name, attributes in OPTIONS:
        parser.add_argument(name, default=None, **attributes)
    needed = ["--hk-to=4711"] if mode is Mode.ROLLBACK else []
    return parser.parse_args([f"--hk-mode={mode}", *needed, *arguments])


def modes_of(option: str) -> set[Mode]:
    """The modes that the help names: before a colon, at its beginning and behind semicolons."""
    parts = [part.partition(":")[0] for part in ATTRIBUTES[option]["help"].split("; ")]
    named = {word for part in parts for word in part.replace(",", " ").split()}
    return {mode for mode in Mode if mode.value in named}


@pytest.mark.parametrize("option", ONLY_IN_SOME)
def test_the_help_of_an_option_names_its_modes(option: str) -> None:
    assert modes_of(option)
    assert modes_of(option) < set(Mode)


@pytest.mark.parametrize("option", sorted(ATTRIBUTES))
def test_its_row_in_the_docs_begins_with_the_modes_of_its_help(option: str) -> None:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    (meaning, *_) = re.findall(rf"^\| `{option}[=`][^|]*\|[^|]*\| (.*) \|$", page, re.MULTILINE)
    row, helped = meaning.partition(":")[0], ATTRIBUTES[option]["help"].partition(":")[0]
    documented = set(re.findall(r"`(\w+)`", row)) if row.startswith("with ") else set()

    named = set(re.findall(r"\w+", helped)) & set(Mode)
    assert documented == (named if option in ONLY_IN_SOME else set())


@pytest.mark.parametrize(("option", "mode"), list(product(ONLY_IN_SOME, Mode)))
def test_an_option_is_taken_in_its_modes_and_refused_by_name_in_the_others(
    option: str, mode: Mode
) -> None:
    flag = ATTRIBUTES[option].get("action") == "store_true"
    given = option if flag else f"{option}={VALUES.get(option, 'x')}"
    if mode in modes_of(option):
        refuse_misplaced(command_line(mode, given))
        return
    with pytest.raises(pytest.UsageError, match=f"{option}.* with --hk-mode={mode}") as e:
        refuse_misplaced(command_line(mode, given))
    assert "why: " in str(e.value)
    assert "fix: " in str(e.value)


def test_where_no_more_is_to_be_said_the_fix_names_the_modes() -> None:
    said = "leave it out; it belongs to --hk-mode=prod and --hk-mode=rollback"
    with pytest.raises(pytest.UsageError, match=said):
        refuse_misplaced(command_line(Mode.PLAN, "--hk-segments=2"))


@pytest.mark.parametrize("mode", Mode)
def test_every_mode_takes_what_belongs_to_all(mode: Mode) -> None:
    refuse_misplaced(command_line(mode, "--hk-no-commit"))


def test_a_rollback_names_what_it_undoes() -> None:
    option = command_line(Mode.ROLLBACK)
    option.hk_to = None
    with pytest.raises(pytest.UsageError, match="no --hk-to with --hk-mode=rollback"):
        refuse_misplaced(option)


# They say themselves what is missing.
SAY_IT = {"--hk-confirm", "--hk-emergency", "--hk-plan", "--hk-to"}
TEXTS = [name for name, each in OPTIONS if "metavar" in each and each.get("type") is not int]


@pytest.mark.parametrize("option", sorted({*TEXTS} - SAY_IT))
@pytest.mark.parametrize("mode", Mode)
def test_an_option_that_holds_nothing_is_refused(mode: Mode, option: str) -> None:
    """A variable that is not set would promote elsewhere, or accept whatever is there."""
    with pytest.raises(pytest.UsageError, match=f"{option}= is empty"):
        refuse_misplaced(command_line(mode, f"{option}="))
