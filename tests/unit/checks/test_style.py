"""The style check: what it finds, what it keeps, and that it never passes what it has not seen."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_housekeeping.checks.json_cache import read_entries, write_entries
from pytest_housekeeping.checks.style import cache as lint_cache
from pytest_housekeeping.checks.style import linter as lint
from pytest_housekeeping.checks.style.cache import has_settings
from pytest_housekeeping.checks.style.linter import Linting
from pytest_housekeeping.checks.style.result import Style, Violation, decode, encode
from pytest_housekeeping.checks.style.verdict import style_verdict
from pytest_housekeeping.errors import MisuseError, RuleBroken
from pytest_housekeeping.model import Level

GOOD = "SELECT a FROM b;\n"
BAD = "select a from b;\n"
BROKEN = "CREATE TABLE (((;\n"
BROKEN_CACHES = ("", "{", "[]", '{"format":0,"entries":{}}', '{"format":1}')

Start = Callable[..., Linting]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "sql").mkdir(parents=True)
    (folder / ".sqlfluff").write_text(
        "[sqlfluff]\nexclude_rules = RF\n\n"
        "[sqlfluff:rules:capitalisation.keywords]\ncapitalisation_policy = upper\n"
    )
    return folder


@pytest.fixture
def start(root: Path, tmp_path: Path) -> Iterator[Start]:
    """Start a lint of files given by their names; all are stopped at the end."""
    started: list[Linting] = []

    def begin(*names: str, **options: object) -> Linting:
        options.setdefault("cache_folder", tmp_path / "cache")
        files = [Path("sql") / name for name in names]
        linting = Linting.start(files, root=root, **options)  # type: ignore[arg-type]
        started.append(linting)
        return linting

    yield begin
    for linting in started:
        linting.stop()


@pytest.fixture
def other_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Let the process that is to run sqlfluff do something else."""

    def plant(text: str) -> None:
        worker = tmp_path / "worker.py"
        worker.write_text(text)
        monkeypatch.setattr(lint, "WORKER", worker)

    return plant


@pytest.fixture
def no_sqlfluff(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, starting the background process fails."""
    monkeypatch.setattr(lint, "WORKER", Path("/nowhere/lint_worker.py"))


def write(root: Path, name: str, text: str) -> Path:
    path = root / "sql" / name
    path.write_text(text)
    return Path("sql") / name


def codes(found: tuple[Violation, ...]) -> set[str]:
    return {violation.code for violation in found}


def alive(group: int) -> list[int]:
    """The processes of a group that still run; one that waits to be reaped does not."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, pgrp = entry.read_text().rpartition(")")[2].split()[:3]
            if int(pgrp) == group and state != "Z":
                found.append(int(entry.parent.name))
    return found


def test_violations_are_told_with_their_place(root: Path, start: Start) -> None:
    good, bad = write(root, "good.sql", GOOD), write(root, "bad.sql", BAD)
    linting = start("good.sql", "bad.sql")
    assert linting.result(good) == ()
    first, second = linting.result(bad)
    assert (first.line, first.column, first.code) == (1, 1, "CP01")
    assert first.name == "capitalisation.keywords"
    assert "upper case" in first.description
    assert (second.line, second.column) == (1, 10)


def test_the_second_run_starts_nothing(
    root: Path, start: Start, request: pytest.FixtureRequest
) -> None:
    good, bad = write(root, "good.sql", GOOD), write(root, "bad.sql", BAD)
    first = start("good.sql", "bad.sql")
    expected = first.result(bad)
    first.stop()
    request.getfixturevalue("no_sqlfluff")
    second = start("good.sql", "bad.sql")
    assert second.pending == 0
    assert second.result(good) == ()
    assert second.result(bad) == expected


def test_sqlfluff_is_not_imported_when_every_file_is_known(
    root: Path, start: Start, tmp_path: Path
) -> None:
    path = write(root, "good.sql", GOOD)
    first = start("good.sql")
    first.result(path)
    first.stop()
    program = (
        "import sys; from pathlib import Path\n"
        "from pytest_housekeeping.checks.style.linter import Linting\n"
        f"linting = Linting.start([Path('sql/good.sql')], root=Path({str(root)!r}),"
        f" cache_folder=Path({str(tmp_path / 'cache')!r}))\n"
        "assert linting.pending == 0 and linting.result(Path('sql/good.sql')) == ()\n"
        "assert not {'sqlfluff', 'sqlfluffrs', 'pytest', 'psycopg'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_changed_file_alone_is_linted_again(root: Path, start: Start) -> None:
    paths = [write(root, f"{name}.sql", GOOD) for name in "abc"]
    first = start("a.sql", "b.sql", "c.sql")
    for path in paths:
        first.result(path)
    first.stop()
    write(root, "b.sql", BAD)
    second = start("a.sql", "b.sql", "c.sql")
    assert second.pending <= 1
    assert codes(second.result(paths[1])) == {"CP01"}
    assert second.result(paths[0]) == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".sqlfluff", "[sqlfluff]\nexclude_rules = CP01\n"),
        ("sql/.sqlfluff", "[sqlfluff]\nexclude_rules = CP01\n"),
        ("pyproject.toml", "[tool.sqlfluff.core]\nexclude_rules = 'CP01'\n"),
        ("setup.cfg", "[sqlfluff]\nwarnings = LT01\n"),
        ("tox.ini", "[sqlfluff]\nwarnings = LT01\n"),
        (".sqlfluffignore", "other.sql\n"),
    ],
)
def test_changed_settings_are_another_configuration(root: Path, name: str, text: str) -> None:
    before = lint_cache.configuration(root / "sql", root, {})
    (root / name).write_text(text)
    assert lint_cache.configuration(root / "sql", root, {}) != before


def test_what_does_not_concern_sqlfluff_is_the_same_configuration(root: Path) -> None:
    (root / "pyproject.toml").write_text("[project]\nversion = '1'\n")
    before = lint_cache.configuration(root / "sql", root, {})
    (root / "pyproject.toml").write_text("[project]\nversion = '2'\n")
    assert lint_cache.configuration(root / "sql", root, {}) == before
    assert lint_cache.configuration(root / "sql", root, {"dialect": "ansi"}) != before


def test_a_plugin_of_sqlfluff_counts_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its version, and by its files: one that is developed keeps its version."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hk_house_style").mkdir()
    code = tmp_path / "hk_house_style/rules.py"
    code.write_text("a = 1", encoding="utf-8")
    told = tmp_path / "our_style-1.0.dist-info"
    told.mkdir()
    known = []
    for text in ("[pytest11]\na = hk_house_style\n", "[sqlfluff]\na = hk_house_style.rules:it\n"):
        (told / "entry_points.txt").write_text(text, encoding="utf-8")
        lint_cache._versions.cache_clear()
        known.append(lint_cache._versions(tuple(sys.path)))
    code.write_text("a = 12", encoding="utf-8")
    lint_cache._versions.cache_clear()
    known.append(lint_cache._versions(tuple(sys.path)))
    told.rename(tmp_path / "our_style-1.1.dist-info")
    lint_cache._versions.cache_clear()
    known.append(lint_cache._versions(tuple(sys.path)))
    lint_cache._versions.cache_clear()
    assert len({*map(tuple, known)}) == 4


def test_the_versions_of_sqlfluff_count(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    from importlib.metadata import version

    found = " ".join(lint_cache._versions(tuple(sys.path)))
    assert f"sqlfluff-{version('sqlfluff')}" in found
    assert f"sqlfluffrs-{version('sqlfluffrs')}" in found
    before = lint_cache.configuration(root / "sql", root, {})
    monkeypatch.setattr(lint_cache, "_versions", lambda _: ["sqlfluff-99"])
    assert lint_cache.configuration(root / "sql", root, {}) != before


def test_settings_of_a_subfolder_hold_for_it(root: Path, start: Start) -> None:
    path = write(root, "bad.sql", BAD)
    (root / "sql" / ".sqlfluff").write_text("[sqlfluff]\nexclude_rules = CP01\n")
    assert start("bad.sql").result(path) == ()


def test_without_settings_the_dialect_is_postgres(root: Path, start: Start) -> None:
    (root / ".sqlfluff").unlink()
    text = "ALTER TABLE a.b FORCE ROW LEVEL SECURITY;\n"
    path = write(root, "a.sql", text)
    assert start("a.sql").result(path) == ()


def test_braces_are_sql_and_not_a_template(root: Path, start: Start) -> None:
    path = write(root, "a.sql", "SELECT '{{1,2},{3,4}}'::INT [] AS pairs;\n")
    assert not codes(start("a.sql").result(path)) & {"TMP", "PRS"}


def test_what_cannot_be_parsed_is_a_violation(root: Path, start: Start) -> None:
    path = write(root, "broken.sql", BROKEN)
    assert "PRS" in codes(start("broken.sql").result(path))


def test_a_file_that_sqlfluff_skips_does_not_pass(root: Path, start: Start) -> None:
    path = write(root, "long.sql", GOOD * 2000)
    (skipped,) = start("long.sql").result(path)
    assert skipped.code == "HK-SKIPPED"
    assert "large_file_skip_byte_limit" in skipped.description


def test_an_ignored_file_says_that_it_was_not_examined(
    root: Path, start: Start, request: pytest.FixtureRequest
) -> None:
    (root / ".sqlfluffignore").write_text("sql/bad.sql\n")
    path = write(root, "bad.sql", BAD)
    first = start("bad.sql")
    style = first.style(path)
    assert style.violations == ()
    assert ".sqlfluffignore" in style.unexamined
    first.stop()
    request.getfixturevalue("no_sqlfluff")
    assert start("bad.sql").style(path) == style


def test_warnings_are_no_violations(root: Path, start: Start) -> None:
    (root / ".sqlfluff").write_text("[sqlfluff]\nwarnings = LT12\nrules = LT12\n")
    path = write(root, "a.sql", "SELECT a FROM b;")
    style = start("a.sql").style(path)
    assert style.violations == ()
    assert codes(style.warnings) == {"LT12"}


def test_a_setting_that_sqlfluff_refuses_is_no_pass(root: Path, start: Start) -> None:
    (root / "sql" / ".sqlfluff").write_text("[sqlfluff]\nlarge_file_skip_byte_limit = many\n")
    path = write(root, "a.sql", GOOD)
    with pytest.raises(RuleBroken, match=r"sql/a\.sql: sqlfluff could not examine it: ValueError"):
        start("a.sql").result(path)


def test_a_crash_of_sqlfluff_is_no_pass_and_tells_its_last_words(
    root: Path, start: Start, other_worker: Callable[[str], None]
) -> None:
    other_worker("import sys; sys.exit('the core is gone')\n")
    path = write(root, "a.sql", GOOD)
    with pytest.raises(RuleBroken, match=r"ended with code 1: the core is gone"):
        start("a.sql").result(path)


def test_an_end_without_an_answer_for_a_file_is_no_pass(
    root: Path, start: Start, other_worker: Callable[[str], None]
) -> None:
    other_worker("print('{\"done\":true}')\n")
    path = write(root, "a.sql", GOOD)
    with pytest.raises(RuleBroken, match="it gave no answer for this file"):
        start("a.sql").result(path)


def test_silence_ends_after_the_patience(
    root: Path, start: Start, other_worker: Callable[[str], None]
) -> None:
    other_worker("import time; time.sleep(60)\n")
    path = write(root, "a.sql", GOOD)
    linting = start("a.sql", patience_s=0.3)
    with pytest.raises(RuleBroken, match=r"no answer for 0\.3 s"):
        linting.result(path)
    assert linting._process is not None
    assert linting._process.wait(timeout=5) != 0


def test_a_file_changed_meanwhile_is_no_pass_and_not_kept(root: Path, start: Start) -> None:
    path = write(root, "a.sql", GOOD)
    linting = start("a.sql", contents={path: BAD.encode()})
    with pytest.raises(RuleBroken, match="changed while it was examined"):
        linting.result(path)
    linting.stop()
    assert start("a.sql", contents={path: BAD.encode()}).pending == 1


def test_stop_ends_the_whole_group_and_may_be_called_again(root: Path, start: Start) -> None:
    names = [f"{number}.sql" for number in range(60)]
    for name in names:
        write(root, name, GOOD * 10)
    linting = start(*names, processes=2)
    linting.result(Path("sql/0.sql"))
    process = linting._process
    assert process is not None
    linting.stop()
    linting.stop()
    deadline = time.monotonic() + 10
    while alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive(process.pid) == []
    unknown = next(path for path in linting._entries if path not in linting._styles)
    with pytest.raises(RuleBroken, match="the lint was stopped"):
        linting.result(unknown)


def test_a_killed_run_leaves_no_process(root: Path, tmp_path: Path) -> None:
    """They end at their next answer, and not by having come to the end: that is a minute off."""
    names = [f"{number}.sql" for number in range(1000)]
    files = [write(root, name, GOOD * 5) for name in names]
    program = (
        "import os; from pathlib import Path\n"
        "from pytest_housekeeping.checks.style.linter import Linting\n"
        f"linting = Linting.start([Path(p) for p in {[str(file) for file in files]}],"
        f" root=Path({str(root)!r}), cache_folder=Path({str(tmp_path / 'cache')!r}), processes=2)\n"
        "print(linting._process.pid, flush=True)\n"
        "linting.result(Path('sql/0.sql'))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False)
    group, deadline = int(done.stdout), time.monotonic() + 30
    while alive(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = alive(group)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    assert (done.returncode, left) == (-9, [])


def test_what_was_found_before_a_stop_is_kept(root: Path, start: Start) -> None:
    names = [f"{number}.sql" for number in range(60)]
    for name in names:
        write(root, name, GOOD * 10)
    linting = start(*names, processes=2)
    linting.result(Path("sql/0.sql"))
    linting.stop()
    assert start(*names).pending < 60


def test_a_file_that_was_not_given_is_no_pass(root: Path, start: Start) -> None:
    write(root, "a.sql", GOOD)
    with pytest.raises(RuleBroken, match="was not given"):
        start("a.sql").result(Path("sql/other.sql"))


def test_a_file_that_cannot_be_read_is_told(start: Start) -> None:
    with pytest.raises(MisuseError, match=r"sql/none\.sql cannot be read"):
        start("none.sql")


def test_of_a_file_with_a_password_the_rule_is_named_and_no_more(root: Path, start: Start) -> None:
    write(root, "a.sql", "SELECT  'q7z' AS q7z FRM q7z;;\n")
    linting = start(str(root / "sql/a.sql"))
    loud, _ = style_verdict(linting, root, ["sql/a.sql"], quiet=lambda _: False)
    quiet, _ = style_verdict(linting, root, ["sql/a.sql"], quiet=lambda _: True)
    assert "q7z" in str(loud.findings)
    assert len(quiet.findings) == len(loud.findings)
    assert "q7z" not in str(quiet.findings)
    assert all(found.object.startswith("sql/a.sql:1:") for found in quiet.findings)


def test_of_a_changeset_its_own_lines_count(root: Path, start: Start) -> None:
    write(root, "a.sql", "SELECT  1;\nSELECT 2;\n")
    linting = start(str(root / "sql/a.sql"))
    for lines, passed in ((range(1, 2), False), (range(2, 3), True)):
        verdict, _ = style_verdict(
            linting,
            root,
            ["sql/a.sql#a:1"],
            quiet=lambda _: False,
            lines={"sql/a.sql#a:1": lines}.get,
        )
        assert verdict.passed is passed
        assert all(each.object.startswith("sql/a.sql:1:") for each in verdict.findings)


def test_each_file_of_a_folder_counts(root: Path, start: Start) -> None:
    paths = ["sql/a.sql", "sql/b.sql", "sql/c.sql"]
    for path, text in zip(paths, ["SELECT 1;\n", "SELECT  1;\n", "SELECT 2;\n"], strict=True):
        write(root, path.removeprefix("sql/"), text)
    linting = start(*(str(root / path) for path in paths))
    verdict, said = style_verdict(linting, root, paths, quiet=lambda _: False)
    assert (verdict.examined, verdict.passed, said) == (3, False, "")
    assert {finding.object.partition(":")[0] for finding in verdict.findings} == {"sql/b.sql"}
    nothing, _ = style_verdict(linting, root, [], quiet=lambda _: False)
    assert not nothing.passed


def test_the_fix_that_is_printed_repairs_the_file(root: Path, start: Start) -> None:
    path = root / "sql" / "a.sql"
    path.write_text("SELECT  1;\nselect 2;\n")
    (root / ".sqlfluff").write_text("[sqlfluff]\nmax_line_length = 80\n")  # names no dialect
    linting = start(str(path))
    verdict, _ = style_verdict(linting, root, ["sql/a.sql"], quiet=lambda _: False)
    assert {found.level for found in verdict.findings} == {Level.ERROR}
    (fix,) = {found.fix for found in verdict.findings}
    subprocess.run([sys.executable, "-m", *fix.split()], cwd=root, check=True, capture_output=True)
    again = start(str(path))
    assert style_verdict(again, root, ["sql/a.sql"], quiet=lambda _: False)[0].findings == ()


def test_no_fix_is_printed_where_sqlfluff_has_none(root: Path, start: Start) -> None:
    write(root, "long.sql", f"SELECT 1; -- {'x' * 200}\n")
    write(root, "broken.sql", "SELECT  1;\n" + BROKEN)
    for name in ("long.sql", "broken.sql"):
        linting = start(str(root / "sql" / name))
        verdict, _ = style_verdict(linting, root, [f"sql/{name}"], quiet=lambda _: False)
        assert verdict.findings
        assert {found.fix for found in verdict.findings} == {""}
        unparsed = [found for found in verdict.findings if found.rule == "sqlfluff PRS"]
        assert {found.level for found in unparsed} <= {Level.WARNING}
        assert bool(unparsed) is (name == "broken.sql")


@pytest.mark.parametrize("name", ["none", "home", "pyproject.toml", "tox.ini", ".sqlfluffignore"])
def test_where_nobody_has_asked_for_a_style_it_is_told_once_a_rule(
    root: Path, start: Start, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (root / ".sqlfluff").unlink()
    if name == "home":
        monkeypatch.setenv("HOME", str(root.parent))
        (root.parent / ".sqlfluff").write_text("[sqlfluff]\nmax_line_length = 80\n")
    elif name != "none":
        (root / name).write_text("[tool.other]\nsql = 1\n")
    write(root, "a.sql", "SELECT  1;\nselect  2;\n" + BROKEN)
    linting = start(str(root / "sql/a.sql"))
    verdict, _ = style_verdict(linting, root, ["sql/a.sql"], quiet=lambda _: False)
    assert verdict.passed
    rules = [found.rule for found in verdict.findings]
    assert len(rules) == len(set(rules)) > 1
    assert {found.level for found in verdict.findings} == {Level.NOTICE}
    assert "sqlfluff PRS" in rules
    spacing = next(found for found in verdict.findings if found.rule == "sqlfluff LT01")
    assert spacing.object == "sql/a.sql:1:7, and 1 more"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sql/.sqlfluff", "[sqlfluff]\n"),
        ("setup.cfg", "[sqlfluff:rules]\n"),
        ("pyproject.toml", "[tool.sqlfluff.core]\nmax_line_length = 80\n"),
    ],
)
def test_settings_of_the_project_ask_for_a_style(root: Path, name: str, text: str) -> None:
    (root / ".sqlfluff").unlink()
    assert not has_settings(root / "sql", root)
    (root / name).write_text(text)
    assert has_settings(root / "sql", root)


def test_the_child_has_a_home_that_exists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "none"))
    assert lint._home(tmp_path) == {"HOME": str(tmp_path)}


def test_a_broken_cache_is_ignored_and_made_anew(root: Path, start: Start) -> None:
    path = write(root, "a.sql", BAD)
    first = start("a.sql")
    expected = first.result(path)
    first.stop()
    file = first._entries[path].cache_file
    for text in BROKEN_CACHES:
        file.write_text(text)
        second = start("a.sql")
        assert second.pending == 1, text
        if text == BROKEN_CACHES[-1]:
            assert second.result(path) == expected
        second.stop()
    assert read_entries(file)


@pytest.mark.parametrize("stored", [None, 1, {}, [1], [[], []], [[[1, 2]], [], ""], [[], [], 3]])
def test_an_entry_that_is_no_style_counts_as_unknown(stored: object) -> None:
    assert decode(stored) is None


def test_a_style_is_kept_as_it_was() -> None:
    violation = Violation(
        line=1, column=2, code="LT01", name="layout", description="a b", fixable=True
    )
    for style in (
        Style(),
        Style(violations=(violation,)),
        Style(warnings=(violation,)),
        Style(unexamined="ignored"),
    ):
        assert decode(json.loads(json.dumps(encode(style)))) == style


def test_a_folder_that_cannot_be_written_is_no_failure(
    root: Path, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    path = write(root, "a.sql", GOOD)
    linting = start("a.sql", cache_folder=tmp_path / "file" / "cache")
    assert linting.result(path) == ()


@pytest.mark.skipif("COVERAGE_RUN" in os.environ, reason="a measured interpreter is a slow one")
def test_thousands_of_known_files_cost_little(root: Path, start: Start, tmp_path: Path) -> None:
    names = [f"{number:05d}.sql" for number in range(5000)]
    contents = {Path("sql") / name: f"-- {name}\n{GOOD}".encode() for name in names}
    entries = lint_cache.find_linted(
        list(contents),
        root=root,
        folder=tmp_path / "cache",
        overrides=lint.OVERRIDES,
        contents=contents,
    )
    clean = {entry.key: encode(Style()) for entry in entries}
    write_entries(entries[0].cache_file, {}, clean)
    started = time.process_time()
    linting = start(*names, contents=contents)
    assert linting.pending == 0
    assert time.process_time() - started < 1.0


def test_the_rust_core_is_what_parses(tmp_path: Path) -> None:
    program = (
        "from sqlfluff.core.parser.rust_parser import RustParser\n"
        "from sqlfluff.core import FluffConfig\n"
        "assert RustParser is not None\n"
        "used = FluffConfig(overrides={'dialect': 'postgres'}).get('use_rust_parser')\n"
        "assert used in ('auto', True), used\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
