"""The settings: everything wrong is named at once, nothing wrong is let through."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import NO_KEYS, load_config
from pytest_housekeeping.errors import MisuseError
from support.fresh_copy import ROOT


def write(root: Path, table: str) -> None:
    (root / "pyproject.toml").write_text(f"[tool.housekeeping]\n{table}\n", encoding="utf-8")


def test_defaults_without_a_file(root: Path) -> None:
    assert load_config(root) == Config(root=root)


def test_values_are_read(root: Path) -> None:
    write(root, 'server = "system"\nmax_locks_held = 2\nlint = false\ngenerated_code = ["v.py"]')
    settings = load_config(root)
    assert settings.generated_code == ("v.py",)
    assert (settings.server, settings.max_locks_held, settings.lint) == ("system", 2, False)


def test_a_platform_says_who_migrates_and_where_names_are_looked_up(root: Path) -> None:
    write(root, 'platform = "supabase"')
    settings = load_config(root)
    assert settings.migrator == "postgres"
    assert settings.session == {"search_path": '"$user", public, extensions'}
    own = '[tool.housekeeping.session]\nsearch_path = "shop"\nTimeZone = "CET"'
    write(root, f'platform = "supabase"\nmigrator = "deployer"\n{own}')
    settings = load_config(root)
    assert settings.migrator == "deployer"
    assert settings.session == {"search_path": "shop", "TimeZone": "CET"}
    write(root, 'platform = "rds"')
    assert (load_config(root).migrator, load_config(root).session) == ("hk_migrator", {})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('serwer = "system"', ["unknown key 'serwer'", "did you mean 'server'"]),
        ("zzz = 1", ["unknown key 'zzz'", "known: sql, checks"]),
        ('lint = "false"', ["lint = 'false' is a string, not true or false"]),
        ("server_version = true", ["server_version = True is true or false, not a whole number"]),
        ("server_version = 15", ["the embedded server is 16, 17 or 18"]),
        ('server = "docker"', ['neither "embedded" nor "system"']),
        ('lock_timeout = "5 parsecs"', ["no duration"]),
        ('lock_timeout = "5"', ["no duration"]),
        ('question_role = "A b"', ["question_role", "no plain lower-case identifier"]),
        ('question_timeout = "0s"', ["question_timeout", "no duration"]),
        ("lock_attempts = 0", ["at least one attempt is made"]),
        ('long_transaction = "long"', ["long_transaction = 'long' is no duration"]),
        ('max_replica_lag = "0s"', ["max_replica_lag = '0s' is no duration"]),
        ('activity_wait = "none"', ["activity_wait = 'none' is no duration"]),
        ('window = "at night"', ["window = 'at night' is no window", "02:00-05:00 UTC"]),
        ('window = "02:00-05:00 Mars"', ["a time zone that is not known here: Mars"]),
        ('migrator = "x\'; DROP"', ["no plain lower-case identifier"]),
        ('sql = "../elsewhere"', ["does not lie under the rootdir"]),
        ('checks = "nowhere"', ["there is no such folder"]),
        ("max_locks_held = -1", ["below 0"]),
        ("hot_table_writes = -0.5", ["hot_table_writes = -0.5 is below 0"]),
        ("large_table_mb = nan", ["large_table_mb = nan is below 0, or no number"]),
        ("known_days = -1", ["known_days = -1 is below 0"]),
        ("lock_window_statements = -1", ["lock_window_statements = -1 is below 0"]),
        ("small_table_mb = 7\nlarge_table_mb = 3", ["small_table_mb = 7 is above large_table_mb"]),
        ("generated_code = [1]", ["generated_code = [1] is an array, not an array of strings"]),
        ('generated_code = ["src/*.py"]', ["'src/*.py' is no path from the rootdir"]),
        ('generated_code = ["../v.py"]', ["'../v.py' is no path from the rootdir"]),
        ('generated_code = ["/v.py"]', ["'/v.py' is no path from the rootdir"]),
        ('generated_code = ["checks/v.py"]', ["'checks/v.py' belongs to what proves the plan"]),
        ('running = "v1"', ["running = 'v1' is a string, not an array of strings"]),
        ('running = ["--all"]', ["'--all' is no name of a commit, a branch or a tag"]),
        ('running = ["v1 v2"]', ["'v1 v2' is no name of a commit"]),
        ('running = ["main:app"]', ["'main:app' is no name of a commit"]),
        ('twin = "postgresql://u:nobody-may@clone/d"', ["twin holds a password", "HK_TWIN"]),
        ('twin = "what?"', ["twin holds a password, or is no URL"]),
        ('generated_code = ["src/conftest.py"]', ["'src/conftest.py' belongs to what proves"]),
        (
            'may_move = {"policy p on a.b" = "why"}',
            ['may_move."policy p on a.b" is nothing that operating a server changes', "logins in"],
        ),
        ('may_move = {"extension vector" = " "}', ["is no reason: say who moves it"]),
        ('may_move = {"extension vector" = 1}', ["is no reason: say who moves it"]),
        ('may_move = ["extension vector"]', ["is an array, not a table of names and strings"]),
        ('serwer = 1\nlint = 1\nchecks = "nowhere"', ["serwer", "lint", "nowhere"]),
    ],
)
def test_what_is_wrong_is_named(root: Path, table: str, words: list[str]) -> None:
    write(root, table)
    with pytest.raises(MisuseError) as caught:
        load_config(root)
    for word in [*words, "why:", "fix:"]:
        assert word in str(caught.value)
    assert "nobody-may" not in str(caught.value)


def test_a_file_that_is_no_toml(root: Path) -> None:
    (root / "pyproject.toml").write_text("[tool", encoding="utf-8")
    with pytest.raises(MisuseError, match="cannot be read"):
        load_config(root)


def test_a_table_that_is_no_table(root: Path) -> None:
    (root / "pyproject.toml").write_text("[tool]\nhousekeeping = 1\n", encoding="utf-8")
    with pytest.raises(MisuseError, match="is no table"):
        load_config(root)


def test_the_page_lists_every_key() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    missing = [
        f.name for f in fields(Config) if f.name not in NO_KEYS and f"`{f.name}`" not in page
    ]
    assert missing == []


@pytest.mark.parametrize(
    "line", ["server = {}", "lint = {}", "targets.x.env = {}", "targets.x.soak = {}"]
)
def test_a_url_in_the_wrong_place_is_told_without_its_password(tmp_path: Path, line: str) -> None:
    url = "postgresql://ada:hunter-2-Zebra@db.example.org/shop"
    text = f"[tool.housekeeping]\n{line.format(repr(url))}\n"
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(MisuseError, match=r"postgresql://ada@db\.example\.org/shop") as caught:
        load_config(tmp_path, folders=())
    assert "Zebra" not in str(caught.value)
