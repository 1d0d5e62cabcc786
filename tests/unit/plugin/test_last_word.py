"""``--hk-json`` where pytest does not come to a run: the object is there, and nothing behind it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema

from pytest_housekeeping.evidence.finished import finished_schema
from support.staging_project import Project

# One interpreter for all: what takes long is to start it.
_EACH = """
import json, os, sys
import pytest

for folder, arguments in json.loads(sys.argv[1]):
    os.chdir(folder)
    print("\\0", flush=True)
    code = pytest.main(["-p", "no:randomly", "-p", "no:cacheprovider", "--hk-json", *arguments])
    print(f"\\1{int(code)}", end="", flush=True)
"""
CASES: tuple[tuple[list[str], str, str | None, str], ...] = (
    ([], "", None, "--hk-json without --hk-mode"),
    (["--hk-mode=no"], "", None, "invalid choice: 'no'"),
    (["--hk-mode=staging"], "print('noise')\n1 / 0\n", "staging", "division by zero"),
    (["--hk-mode=staging", "--hk-reports=pyproject.toml/x"], "", "staging", "--hk-reports="),
    (["--hk-mode=prod", "--hk-keep"], "", "prod", "--hk-keep with --hk-mode=prod"),
)


def test_what_pytest_refuses_is_told_in_the_last_line(tmp_path: Path) -> None:
    asked = []
    for number, (arguments, conftest, _, _) in enumerate(CASES):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", encoding="utf-8")
        (folder / "conftest.py").write_text(conftest, encoding="utf-8")
        asked.append((str(folder), arguments))
    done = subprocess.run(
        [sys.executable, "-c", _EACH, json.dumps(asked)],
        stdout=subprocess.PIPE,
        text=True,
        env=Project(root=tmp_path, scratch=tmp_path).environment(),
    )
    parts = done.stdout.split("\0\n")[1:]
    assert len(parts) == len(CASES)
    for part, (_, _, mode, said) in zip(parts, CASES, strict=True):
        output, code = part.split("\1")
        line = output.splitlines()[-1]
        told = json.loads(line)
        jsonschema.Draft202012Validator(finished_schema()).validate(told)
        assert (code, told["exit_code"], told["outcome"]) == ("4", 4, "refused")
        assert told["mode"] == mode
        assert said in told["message"]
        assert output.count('{"schema_version"') == 1
