"""What ``checks/`` declares, read together: nothing of it may be read by nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import load_contracts
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.sql.project_files import ProjectFiles

APP = '[apps.shop]\nroles = ["shop_app"]\nschemas = ["shop"]\n'
ZONE = '[zones.vault]\nschemas = ["vault"]\n'
CONTRACT = '[[contract]]\nname = "one"\nsource = "shop"\ntarget = "vault"\ntype = "{}"\n'


def loaded(root: Path, text: str) -> str:
    (root / "checks").mkdir()
    (root / "checks" / "boundaries.toml").write_text(text, encoding="utf-8")
    try:
        load_contracts(Config(root=root), ProjectFiles(root))
    except MisuseError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("rule", ["", 'rule = "code-broken"\n', 'rule = "running-row"\n'])
def test_an_exemption_of_code_where_there_is_none_is_misuse(tmp_path: Path, rule: str) -> None:
    exempt = '[[exempt]]\nfile = "src/a.py"\nsymbol = "f"\nobject = "vault.t"\nreason = "x"\n'
    text = ZONE + CONTRACT.format("forbidden") + exempt + rule
    assert "the exemption of f in src/a.py is read by nobody" in loaded(tmp_path, APP + text)
    (tmp_path / "checks" / "boundaries.toml").unlink()
    (tmp_path / "checks").rmdir()
    assert loaded(tmp_path, APP + 'code = ["src/**"]\n' + text) == ""


@pytest.mark.parametrize(
    ("keys", "contract", "unread"),
    [
        ('code = ["src/**"]\n', "", "code of [apps.shop] is read by no contract"),
        ('tests = ["tests"]\n', "", "tests of [apps.shop] is read by no contract"),
        ('tests = ["tests"]\n', "allowed", "tests of [apps.shop] is read by no contract"),
        ('code = ["src/**"]\n', "allowed", ""),
        ('code = ["src/**"]\ntests = ["tests"]\n', "forbidden", ""),
        ("", "", ""),
    ],
)
def test_code_and_tests_that_no_contract_reads_are_misuse(
    tmp_path: Path, keys: str, contract: str, unread: str
) -> None:
    text = APP + keys + (ZONE + CONTRACT.format(contract) if contract else "")
    said = loaded(tmp_path, text)
    assert unread in said
    assert bool(unread) == bool(said), said
