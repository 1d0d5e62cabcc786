"""What the documents say is so: their tables agree with the code, their links lead somewhere."""

from __future__ import annotations

import configparser
import importlib
import re
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import NO_KEYS, load_config
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.plan.plan import build
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.sql.layouts.known import LAYOUTS, OWN
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.documents import BLOCKS, DOCUMENTS, TOOL_PAGES
from support.fresh_copy import ROOT
from support.reference_pages import rows, section

STAGING = (
    "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/pytest --hk-mode=staging"
)

SUITE = "python3 -m venv .venv && .venv/bin/pip install -q tox && .venv/bin/tox"


def test_the_two_commands_of_the_readme_are_those_of_everything_else() -> None:
    """What the README promises is what the contributor reads, CI runs and this suite has run."""
    scripts = {Path(block.place.split(":")[0]).name: set[str]() for block in BLOCKS}
    for block in BLOCKS:
        scripts[Path(block.place.split(":")[0]).name].add(block.script)
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")

    for document in ("README.md", "CONTRIBUTING.md"):
        assert {STAGING, SUITE} <= scripts.get(document, set()), document
    for part in SUITE.split(" && "):
        assert part.removeprefix("python3 ") in ci
    listed = configparser.ConfigParser(interpolation=None)
    listed.read(ROOT / "tox.ini", encoding="utf-8")
    begun = ",".join(re.findall(r"tox -qq run -e (\S+)", ci))
    assert begun.split(",") == listed["tox"]["env_list"].split(", ")


def test_the_counts_of_the_pages_are_those_of_the_sample() -> None:
    """In the console blocks that are run, any digits will do: a count that is shown is compared."""
    proved, promoted = (
        Counter(
            str(step.phase)
            for step in build(
                load_config(ROOT), mode, tests=TestNames(), sources=ProjectFiles(ROOT)
            ).steps
        )
        for mode in (Mode.STAGING, Mode.PROD)
    )
    one_file = promoted | {"rehearse": promoted["rehearse"] - promoted["apply"] + 1, "apply": 1}
    for page, plans in (("README.md", [proved]), ("docs/production.md", [promoted, one_file])):
        counts = re.findall(
            r"^  (\w+) +(\d+) passed", (ROOT / page).read_text("utf-8"), re.MULTILINE
        )
        assert counts
        for phase, count in counts:
            # A test that fails keeps what is behind it from passing.
            assert int(count) in {0, *(plan[phase] for plan in plans)}, (page, phase, count)


def test_the_cases_that_others_are_measured_by_are_all_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was planted since is measured before the table says how many there are."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    stories = importlib.import_module("beside_stories")
    both = (stories.PLANTED, stories.LOOK_ALIKES)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for n, kind in (*enumerate(stories.KINDS), (None, "all")):
        planted, sound = ([each for each in cases if n in (None, each.kind)] for cases in both)
        caught = len(planted) - sum(each.known for each in planted)
        alarms = sum(each.known for each in sound)
        shown = rf"{kind} \| {len(planted)} \| {caught} \| \d+ \| \d+ \| {len(sound)} \| {alarms}"
        assert re.search(rf"^\| {shown} \|", text, re.MULTILINE), shown


def test_every_setting_is_documented_with_its_default() -> None:
    documented = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", _configuration(), re.MULTILINE))
    config = Config(root=ROOT)
    keys = (f.name for f in fields(Config) if f.name not in NO_KEYS)
    settings = {key: _toml(getattr(config, key)) for key in keys}
    settings["stubs"] = "{}"  # a table of tables, where Python has a tuple

    assert documented == settings


def test_every_option_is_documented() -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    offered = set(re.findall(r"^\s+(--hk-[a-z-]+)", helped, re.MULTILINE))
    documented = set(re.findall(r"^\| `(--hk-[a-z-]+)", _configuration(), re.MULTILINE))

    assert documented == offered != set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_leads_to_a_file(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", text):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_leads_to_a_heading(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target, fragment in re.findall(r"\]\((?!https?://)([^)#]*)#([^)]+)\)", text):
        page = document.parent / target if target else document
        assert fragment in _anchors(page), f"{target}#{fragment}"


def test_every_outcome_of_a_run_is_documented() -> None:
    table = rows(section(ROOT / "docs/production.md", "## The outcomes"))

    assert {row[0].strip("`") for row in table} == {str(outcome) for outcome in RunOutcome}


def test_the_index_names_every_page_once() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8").partition("The pages come")[0]

    for page in sorted({*(ROOT / "docs").glob("*.*")} - {ROOT / "docs/README.md"}):
        assert index.count(f"]({page.name})") == 1, page.name
    for page in TOOL_PAGES:
        assert index.count(f"](from/{page.name})") == 1, page.name


def test_each_layout_has_the_page_of_its_tool() -> None:
    pages = {page.stem.replace("_", "-") for page in TOOL_PAGES}

    assert pages == set(LAYOUTS) - {OWN}


def test_a_place_where_the_next_thing_goes_is_there() -> None:
    for _, where in rows(section(ROOT / "CONTRIBUTING.md", "## Where the next thing goes")):
        for path in re.findall(r"`((?:pytest_housekeeping|docs|tests|\.github)/[^`<*]*)`", where):
            assert (ROOT / path).exists(), path


def _anchors(page: Path) -> set[str]:
    """The names by which a hosting service links to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def _configuration() -> str:
    return (ROOT / "docs/configuration.md").read_text(encoding="utf-8")


def _toml(value: object) -> str:
    value = list(value) if isinstance(value, tuple) else value
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
