"""What a release asks for: a changelog in its form, and a tag that agrees with it."""

from __future__ import annotations

import itertools
import re
import tomllib

import pytest

from release import notes
from support.fresh_copy import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
SMALL = """\
# Changelog

## [Unreleased]

### Added

- Next.

## [1.1.0] - 2027-02-03

### Fixed

- This.

## [1.0.0]

- That.

[Unreleased]: ../../compare/v1.1.0...main
"""


def test_the_changelog_has_its_form() -> None:
    """Unreleased first; each version dated, newest first, and linked at the end."""
    first, *released = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    found = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})", each) for each in released]

    assert first == "[Unreleased]"
    assert None not in found
    versions = [match[1] for match in found if match]
    dates = [match[2] for match in found if match]
    assert versions[0] == VERSION
    for newer, older in itertools.pairwise(versions):
        assert [int(n) for n in newer.split(".")] > [int(n) for n in older.split(".")]
    assert dates == sorted(dates, reverse=True)
    links = re.findall(r"^\[([^\]]+)\]: \S+$", CHANGELOG, re.MULTILINE)
    assert links == ["Unreleased", *versions]
    for version in CHANGELOG.split("\n## ")[1:]:
        kinds = re.findall(r"^### (.*)$", version, re.MULTILINE)
        assert set(kinds) <= set(KINDS)
        assert len(kinds) == len(set(kinds)), "a merge has kept a list twice"


def test_a_link_of_the_changelog_leads_into_this_repository() -> None:
    for target in re.findall(r"^\[[^\]]+\]: (\S+)$", CHANGELOG, re.MULTILINE):
        assert re.fullmatch(r"\.\./\.\./(compare|tree)/[\w.]+", target)


def test_the_notes_are_the_section_of_the_version() -> None:
    assert notes("v1.1.0", version="1.1.0", changelog=SMALL) == "### Fixed\n\n- This."


@pytest.mark.parametrize(
    ("tag", "version", "why"),
    [
        ("v1.2.0", "1.1.0", "the tag is v1.2.0, and pyproject.toml says 1.1.0"),
        ("1.1.0", "1.1.0", "tag v1.1.0"),
        ("v1.0.0", "1.0.0", "has no date"),
        ("v2.0.0", "2.0.0", r"no section \[2\.0\.0\]"),
        ("vUnreleased", "Unreleased", "has no date"),
    ],
)
def test_a_tag_that_does_not_agree_is_not_released(tag: str, version: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        notes(tag, version=version, changelog=SMALL)


def test_the_version_of_this_tree_could_be_tagged() -> None:
    assert "### Added" in notes(f"v{VERSION}", version=VERSION, changelog=CHANGELOG)
