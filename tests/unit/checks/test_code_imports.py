"""Imports of one application's modules by another, direct and by way of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.checks.code.readers.extract import extract, read_files
from pytest_housekeeping.checks.code.verdict.import_finder import package_names
from pytest_housekeeping.checks.code.verdict.imports import Crossing, crossings


def found(root: Path, source: str = "venture", target: str = "engineering") -> list[Crossing]:
    cache = root / "cache"
    return list(
        crossings(
            root,
            extract(root, [f"{source}/**"], cache_folder=cache).files,
            extract(root, [f"{target}/**"], cache_folder=cache).files,
            read=lambda paths: read_files(paths, root=root, cache_folder=cache),
            packages=package_names(root, [target]),
        )
    )


def lay(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    "line",
    [
        "import engineering.flags",
        "from engineering import flags",
        "from engineering.flags import on",
        "import engineering.flags as f",
        "import importlib; importlib.import_module('engineering.flags')",
        "def later():\n    from engineering import flags",
        "from ..engineering import flags",
    ],
)
def test_a_direct_import_of_python(tmp_path: Path, line: str) -> None:
    lay(
        tmp_path,
        engineering__flags_DOT_py="on = True",
        engineering____init___DOT_py="",
        venture__app_DOT_py=f"x = 1\n{line}\n",
    )
    (tmp_path / "engineering/__init__.py").write_text("")
    (crossing,) = found(tmp_path)
    assert (crossing.file, crossing.module) == ("venture/app.py", "engineering/flags.py")
    assert crossing.line == 2 + line.count("\n")


def test_an_indirect_import_says_its_way(tmp_path: Path) -> None:
    lay(
        tmp_path,
        engineering__flags_DOT_py="on = True",
        shared__helpers_DOT_py="from shared import deeper",
        shared__deeper_DOT_py="import engineering.flags",
        venture__app_DOT_py="import json\nfrom shared import helpers\n",
    )
    (crossing,) = found(tmp_path)
    assert (crossing.line, crossing.chain) == (
        2,
        ("shared/helpers.py", "shared/deeper.py", "engineering/flags.py"),
    )


def test_what_is_shared_and_leads_nowhere_is_no_crossing(tmp_path: Path) -> None:
    lay(
        tmp_path,
        engineering__flags_DOT_py="import venture.app",
        shared__helpers_DOT_py="import json, shared.helpers",
        venture__app_DOT_py="from shared import helpers\nimport engineer\nfrom . import other\n",
        venture__other_DOT_py="import venture.app",
    )
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    "line",
    [
        'import { on } from "../engineering/flags";',
        'import { on } from "../engineering/flags.js";',
        'export { on } from "../engineering/flags";',
        'const flags = require("../engineering/flags");',
        'const flags = await import("../engineering/flags");',
        'import { on } from "@acme/engineering/flags";',
    ],
)
def test_imports_of_typescript(tmp_path: Path, line: str) -> None:
    lay(
        tmp_path,
        engineering__flags_DOT_ts="export const on = true;",
        engineering__package_DOT_json='{"name": "@acme/engineering"}',
        venture__app_DOT_ts=f'import fs from "fs";\n{line}\n',
    )
    (crossing,) = found(tmp_path)
    assert (crossing.line, crossing.module) == (2, "engineering/flags.ts")


def test_an_indirect_import_of_typescript(tmp_path: Path) -> None:
    lay(
        tmp_path,
        engineering__flags_DOT_ts="export const on = true;",
        shared__index_DOT_ts='export * from "../engineering/flags";',
        venture__app_DOT_ts='import { on } from "../shared";',
    )
    (crossing,) = found(tmp_path)
    assert crossing.chain == ("shared/index.ts", "engineering/flags.ts")
