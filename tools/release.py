"""Whether a tag may be released, and what it brings: ``python tools/release.py v0.1.0``.

Needs nothing but Python: it runs before anything is installed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_SECTION = re.compile(
    r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d{2}-\d{2}))?\n"
    r"(?P<notes>.*?)(?=^## |^\[|\Z)",
    re.MULTILINE | re.DOTALL,
)


def notes(tag: str, *, version: str, changelog: str) -> str:
    """The section of the changelog for a tag.

    Raises ValueError, which says why the tag may not be released, when it is not the version of
    the project, or when the changelog has no dated section for it.
    """
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag}, and pyproject.toml says {version}: tag v{version}")
    for section in _SECTION.finditer(changelog):
        if section["version"] == version:
            if not section["date"]:
                raise ValueError(f"[{version}] in CHANGELOG.md has no date: ## [{version}] - DATE")
            return section["notes"].strip()
    raise ValueError(f"CHANGELOG.md has no section [{version}]: move what is unreleased there")


def main() -> int:
    try:
        (tag,) = sys.argv[1:]
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        sys.stdout.write(notes(tag, version=project["version"], changelog=changelog) + "\n")
    except ValueError as error:
        sys.stderr.write(f"not released: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
