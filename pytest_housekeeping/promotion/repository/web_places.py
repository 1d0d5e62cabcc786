"""Where a run's repository and its pull request are looked at on the web, as far as that is known.

https://docs.github.com/en/actions/reference/workflows-and-actions/variables,
https://docs.gitlab.com/ci/variables/predefined_variables/
"""

from __future__ import annotations

import os
import re
from dataclasses import replace

from pytest_housekeeping.evidence import Repository, SourceFacts

# https://git-scm.com/docs/git-clone#_git_urls: with a scheme, and as scp writes it.
_REMOTE = re.compile(
    r"(?:(?:https?|ssh|git)://)?(?:[^@/\s]+@)?(?P<host>[\w.-]+\.[A-Za-z]+)(?::\d+/|[:/])"
    r"/?(?P<path>[\w.~-]+(?:/[\w.~-]+)+)/?"
)
_PULL = re.compile(r"refs/pull/(\d+)/")


def located(source: SourceFacts, repository: Repository | None) -> SourceFacts:
    """The source with its places on the web; they hold no user and no password."""
    server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    if server and name:
        url = f"{server}/{name}"
        pull = _PULL.match(os.environ.get("GITHUB_REF", ""))
        return replace(source, url=url, change_url=f"{url}/pull/{pull[1]}" if pull else "")
    if url := os.environ.get("CI_PROJECT_URL", ""):
        request = os.environ.get("CI_MERGE_REQUEST_IID", "")
        change = f"{url}/-/merge_requests/{request}" if request else ""
        return replace(source, url=url, change_url=change)
    return replace(source, url=_of_remote(repository))


def _of_remote(repository: Repository | None) -> str:
    if repository is None:
        return ""
    status, out, _ = repository.attempt("remote", "get-url", "origin")
    found = _REMOTE.fullmatch(out.decode(errors="replace").strip()) if status == 0 else None
    return f"https://{found['host']}/{found['path'].removesuffix('.git')}" if found else ""
