"""Where the pages of the documentation are, and that of a rule among them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest_housekeeping


def docs_folder() -> Path:
    """Beside the modules in a wheel, beside the package in a clone that is installed editable."""
    package = Path(pytest_housekeeping.__file__).parent
    carried = package / "docs"
    return carried if carried.is_dir() else package.parent / "docs"


def rule_pages(rules: Iterable[str]) -> dict[str, str]:
    """The page of each rule that has one, by its id: those of other packages have none here."""
    folder = docs_folder() / "rules"
    there = {path.stem: path for path in folder.glob("*.md")}
    return {
        rule: there[rule].read_text(encoding="utf-8")
        for rule in dict.fromkeys(rules)
        if rule in there
    }
