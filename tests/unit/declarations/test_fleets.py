"""The table of fleets: what is wrong is named, and each database of one is a target."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.declarations.fleets import _OWN
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import MisuseError
from support.fresh_copy import ROOT

ONE = """[tool.housekeeping]
lock_timeout = "1s"
[tool.housekeeping.fleet.tenants]
databases = "tenants.txt"
lock_timeout = "9s"
confirm = "ALL"
"""


def write(root: Path, text: str) -> None:
    (root / "pyproject.toml").write_text(text, encoding="utf-8")


def test_each_database_is_a_target(root: Path) -> None:
    write(root, ONE)
    config = load_config(root, target="tenants/acme")
    assert (config.lock_timeout, config.audit) == ("9s", "ops/tenants/acme/audit")
    assert config.target.variable("PGHOST") == "PGHOST_TENANTS"
    assert (config.target.confirm, config.target.fleet) == ("ALL", "tenants")
    assert "ops/tenants/audit" in config.audit_folders
    write(root, ONE + 'after = "prod"\nsoak = "2h"\n')
    target = load_config(root, target="tenants/acme").target
    assert (target.after, target.soak) == ("prod", "2h")
    assert load_config(root).lock_timeout == "1s"
    with pytest.raises(MisuseError, match="there is no such fleet"):
        load_config(root, target="tenant/acme")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("[F.t]", "its databases come from a file (databases), a query or a command; given: none"),
        ("[F.t]\ndatabases = 'a'\ncommand = ['b']", "given: databases and command"),
        ("[F.t]\nquery = 'SELECT 1'", "query and registry belong together"),
        ("[F.t]\ncommand = 'list'", "command = 'list' is no array of strings"),
        ("[F.t]\ndatabases = 'a'\ncanary = 0", "canary = 0 is no whole number from 1 on"),
        ("[F.t]\ndatabases = 'a'\nfailures = -1", "failures = -1 is no whole number"),
        ("[F.t]\ndatabases = 'a'\nwaves = [50, 10, 100]", "whole numbers of per cent that grow"),
        ("[F.t]\ndatabases = 'a'\nwaves = [10, 50]", "the last of them 100"),
        ("[F.t]\ndatabases = 'a'\nwave = [100]", "unknown key 'wave' (did you mean 'waves'"),
        ("[F.t]\ndatabases = 'a'\nafter = 'pred'", "after = 'pred': there is no such target or f"),
        ("[F.t]\ndatabases = 'a'\nafter = 't'", "fleet.t: after leads back to itself: t after t"),
        ("[F.t]\ndatabases = 'a'\nsoak = '2h'", "fleet.t: soak says how long ago"),
        ("[F.t]\ndatabases = 'a'\nseeds = true", "fleet.t: unknown key 'seeds'"),
        ("[F.prod]\ndatabases = 'a'", "fleet.prod: that is no name for a fleet"),
        ("[F.t]\ndatabases = 'a'\n[T.t]\nenv = 'X'", "a target has this name as well"),
        ("[F.t]\ndatabases = 'a'\nlock_timeout = 'x'", "fleet.t: lock_timeout = 'x' is no dur"),
    ],
)
def test_what_is_wrong_is_named(root: Path, table: str, words: str) -> None:
    text = table.replace("[F.", "[tool.housekeeping.fleet.")
    write(root, text.replace("[T.", "[tool.housekeeping.targets."))
    with pytest.raises(MisuseError) as caught:
        load_config(root)
    assert words in str(caught.value)


def test_the_page_lists_every_key() -> None:
    page = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")
    assert [key for key in _OWN if f"`{key}`" not in page] == []
