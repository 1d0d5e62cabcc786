"""A Chromium to look at pages with: the system's own, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_NONE = "no Chromium is here: apt-get install chromium (.ci/run does so where it may)"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Where there is none the test is skipped, and says so; on GitHub, whose machines have one, it
    fails."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None and os.environ.get("GITHUB_ACTIONS"):
        pytest.fail(_NONE)
    if program is None:
        pytest.skip(_NONE)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def unfold(page: Page) -> None:
    """Open whatever is folded."""
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
