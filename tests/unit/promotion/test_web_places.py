"""Where a repository and a pull request are looked at, and what never becomes an address."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_housekeeping.evidence import SourceFacts
from pytest_housekeeping.promotion.repository.web_places import located
from support.git_folders import git, init, opened

SOURCE = SourceFacts(commit="c" * 40, branch="main")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("GITHUB_", "CI_")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://git.example.org/team/shop.git", "https://git.example.org/team/shop"),
        ("https://ada:s3cret@git.example.org/team/shop", "https://git.example.org/team/shop"),
        ("https://s3cret@git.example.org:8443/a/b/shop/", "https://git.example.org/a/b/shop"),
        ("git@git.example.org:team/shop.git", "https://git.example.org/team/shop"),
        ("ssh://git@git.example.org:2222/team/shop.git", "https://git.example.org/team/shop"),
        ("/srv/git/shop.git", ""),
        ("../remote.git", ""),
        ("file:///srv/git/shop.git", ""),
        ("javascript:alert(1)//x.example.org/a/b", ""),
        ("https://git.example.org/team/<b>", ""),
    ],
)
def test_a_remote_leads_to_its_page_without_user_and_password(
    tmp_path: Path, remote: str, url: str
) -> None:
    folder = init(tmp_path / "project")
    git(folder, "remote", "add", "origin", remote)
    with opened(folder) as repository:
        assert (located(SOURCE, repository).url, located(SOURCE, repository).change_url) == (
            url,
            "",
        )


def test_without_a_remote_or_a_repository_there_is_no_page(tmp_path: Path) -> None:
    with opened(init(tmp_path / "project")) as repository:
        assert located(SOURCE, repository) == located(SOURCE, None) == SOURCE


def test_a_workflow_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.example.org")
    monkeypatch.setenv("GITHUB_REPOSITORY", "team/shop")
    monkeypatch.setenv("GITHUB_REF", "refs/pull/7/merge")
    there = located(SOURCE, None)
    assert there.url == "https://git.example.org/team/shop"
    assert there.change_url == "https://git.example.org/team/shop/pull/7"
    monkeypatch.setenv("GITHUB_REF", "refs/heads/pull/7/")
    assert located(SOURCE, None).change_url == ""


def test_so_does_a_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_PROJECT_URL", "https://git.example.org/team/shop")
    assert located(SOURCE, None).change_url == ""
    monkeypatch.setenv("CI_MERGE_REQUEST_IID", "7")
    assert located(SOURCE, None).change_url.endswith("/team/shop/-/merge_requests/7")
