"""Bad input of the code readers: a right verdict or undecided, never a crash, nothing silent."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_housekeeping.checks.code.facts import CodeReference, Undecided
from pytest_housekeeping.checks.code.readers import files
from pytest_housekeeping.checks.code.readers.extract import Extraction, extract, references
from pytest_housekeeping.checks.code.readers.processes import MANY
from pytest_housekeeping.checks.json_cache import read_entries, write_entries

# Its import is what loads PostgreSQL's parser.
PARSER = "pytest_housekeeping.sql.parser.library"
LEDGER = 'cur.execute("SELECT 1 FROM governance.ledger")\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    return tmp_path


def read(root: Path, name: str, data: bytes | str) -> Extraction:
    (root / "app" / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return extract(root, ["app/**"], cache_folder=root / "cache")


def undecided(extraction: Extraction) -> list[tuple[int, str]]:
    return [(e.line, e.reason) for e in extraction.found if isinstance(e, Undecided)]


def named(extraction: Extraction) -> set[str]:
    return {
        ".".join(name.parts)
        for each in extraction.found
        if isinstance(each, CodeReference)
        for name in each.names
    }


@pytest.mark.parametrize(
    ("name", "data", "line", "reason"),
    [
        ("a.py", "x = 1\ndef (:\n", 2, "it does not parse"),
        ("a.py", "x = (" * 5000, 1, "it does not parse"),
        ("a.py", b"x = '\xff'\n", 1, "it is not UTF-8"),
        ("a.py", b"# coding: nonsense\nx = 1\n", 1, "its encoding is unknown"),
        ("a.py", b"x = 1\0", 1, "it holds a NUL byte"),
        ("a.ts", "const a = 1;\nconst = = ;\n", 2, "the file does not parse from here"),
        ("a.ts", b"const a = '\xff';", 1, "it is not UTF-8"),
        ("a.sql", "SELECT 1;\nSELEC 2;", 2, "PostgreSQL's parser does not understand"),
        ("a.sql", b"SELECT '\xff'", 1, "it is not UTF-8"),
        ("a.prisma", "nonsense", 1, "it declares no model"),
    ],
)
def test_what_cannot_be_read_is_undecided(
    root: Path, name: str, data: bytes | str, line: int, reason: str
) -> None:
    (found,) = undecided(read(root, name, data))
    assert found[0] == line
    assert reason in found[1]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.py", b"# -*- coding: latin-1 -*-\n# \xe9\n" + LEDGER.encode()),
        ("a.py", b"\xef\xbb\xbf" + LEDGER.encode()),
        ("a.py", ("# \u00e9\u4e2d\n" + LEDGER).replace("\n", "\r\n").encode()),
        ("a.sql", "SELECT 1 FROM governance.ledger".encode("utf-16")),
        ("a.TS", b"client.query('SELECT 1 FROM governance.ledger')"),
    ],
)
def test_another_encoding_is_read(root: Path, name: str, data: bytes) -> None:
    extraction = read(root, name, data)
    assert named(extraction) == {"governance.ledger"}
    assert undecided(extraction) == []


def test_a_file_of_comments_says_nothing(root: Path) -> None:
    extraction = read(root, "a.sql", "-- SELECT 1 FROM governance.ledger\n")
    assert (extraction.found, undecided(extraction)) == ((), [])


def test_columns_count_characters(root: Path) -> None:
    extraction = read(
        root, "a.py", 'x = "\u00e9\u00e9"; cur.execute("SELECT 1 FROM governance.ledger")'
    )
    (found,) = [each for each in extraction.found if isinstance(each, CodeReference)]
    assert (found.line, found.column) == (1, 23)
    assert (found.names[0].line, found.names[0].column) == (1, 38)


def test_a_large_bundle_is_passed_over_and_said(root: Path) -> None:
    extraction = read(root, "bundle.js", b"var x=1;" * 2_500_000)
    (passed,) = extraction.skipped
    assert passed.file == "app/bundle.js"
    assert passed.reason == "generated, 20.0 MB"
    assert extraction.files == {}


def test_minified_and_installed_code_is_passed_over_and_said(root: Path) -> None:
    (root / "app/node_modules/x").mkdir(parents=True)
    (root / "app/node_modules/x/index.js").write_text("client.query('SELECT 1 FROM a.b')")
    extraction = read(root, "vendor.min.js", "client.query('SELECT 1 FROM a.b')")
    assert [each.file for each in extraction.skipped] == ["app/node_modules", "app/vendor.min.js"]
    assert named(extraction) == set()


def test_links_out_of_the_tree_are_undecided(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "x.py").write_text(LEDGER)
    (root / "app/x.py").symlink_to(outside / "x.py")
    (root / "app/folder").symlink_to(outside)
    (root / "app/nowhere.py").symlink_to(outside / "nowhere.py")
    extraction = extract(root, ["app/**"], cache_folder=root / "cache")
    assert {each.file for each in extraction.undecided} == {
        "app/x.py",
        "app/folder",
        "app/nowhere.py",
    }
    assert named(extraction) == set()


def test_a_link_inside_the_tree_is_read(root: Path) -> None:
    (root / "app/y.py").symlink_to(root / "app/x.py")
    extraction = read(root, "x.py", LEDGER)
    assert set(extraction.files) == {"app/x.py", "app/y.py"}


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        (
            "Repo.java",
            'c.prepareStatement("SELECT x FROM governance.ledger");',
            "governance.ledger",
        ),
        (
            "Repo.java",
            'String q = "SELECT x FROM \\"governance\\".\\"ledger\\"";',
            "governance.ledger",
        ),
        ("Ledger.java", '@Table(name = "ledger", schema = "governance")', "governance"),
        ("ledger.kt", 'object Ledger : Table("governance.ledger")', "governance.ledger"),
        ("repo.go", "db.Query(`SELECT x\nFROM governance.ledger`)", "governance.ledger"),
        ("repo.go", 'db.Exec("SELECT governance.close_books($1)", y)', "governance.close_books"),
        ("ledger.rb", 'self.table_name = "governance.ledger"', "governance.ledger"),
        ("ledger.ex", '@schema_prefix "governance"', "governance"),
        ("load.sh", "psql -c '\\copy governance.ledger to x'", "governance.ledger"),
        ("dump.sh", "pg_dump --table=governance.ledger", "governance.ledger"),
        ("a.sql.j2", "FROM governance.ledger {% if x %}", "governance.ledger"),
        ("t.yaml", "table:\n  schema: governance\n", "governance"),
        ("t.json", '{"schema": "governance"}', "governance"),
        ("a.vue", 'db.query("INSERT INTO governance.ledger")', "governance.ledger"),
        ("Ledger.php", "#[ORM\\Table(name: 'ledger', schema: 'governance')]", "governance"),
        ("a.sql.j2", "SELECT\n  * FROM governance.ledger", "governance.ledger"),
        ("Makefile", 'dump:\n\tpsql -c "SELECT x FROM governance.ledger"', "governance.ledger"),
        ("load", "#!/bin/sh\npsql -c 'TABLE governance.ledger'", "governance.ledger"),
        (".env", "URL=postgres://x/y?options=-csearch_path%3Dgovernance", "governance"),
        ("q.unheard", "SELECT x FROM governance.ledger", "governance.ledger"),
        # Sound ones: packages, members, files, comments.
        ("Repo.java", "import governance.ledger.Entry;\nimport com.governance.ledger;", ""),
        ("repo.go", "governance.Ledger(1)\nx := governance.ledger", ""),
        ("ledger.rb", "  # see governance.ledger, FROM governance.ledger", ""),
        ("load.sh", "cat governance.ledger.txt > governance.ledger", ""),
        ("a.vue", "// FROM governance.ledger", ""),
        ("Repo.java", " * reads from governance.ledger", ""),
    ],
)
def test_other_languages_are_searched_for_names(
    root: Path, name: str, text: str, names: str
) -> None:
    found = read(root, name, text)
    assert named(found) == ({names} if names else set())
    assert not any(e.certain for e in found.found if isinstance(e, CodeReference))


@pytest.mark.parametrize("text", ["schema", "from", "select", '"', "a."])
def test_a_search_takes_time_in_proportion(root: Path, text: str) -> None:
    began = time.process_time()
    for many in (text * 100_000, text + " " * 200_000):
        assert named(read(root, "a.yaml", many[:900_000])) == set()
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.lkml", "view: x {\n  sql_table_name: governance.ledger ;;\n}\n", 2),
        ("a.lookml", 'sql_table_name: "governance"."ledger" ;;\n', 1),
        ("cube.yml", "cubes:\n  - sql_table: governance.ledger\n", 2),
        ("a.yml", "tables:\n  - governance.ledger\n", 2),
        ("a.properties", "include=venture.orders,governance.ledger\n", 1),
        ("a.sh", 'pg_dump -h "$host" -t governance.ledger app\n', 1),
    ],
)
def test_a_search_finds_names_in_settings_and_lists(
    root: Path, name: str, text: str, line: int
) -> None:
    found = [e for e in read(root, name, text).found if isinstance(e, CodeReference)]
    (ledger,) = [e for e in found if e.names[0].parts == ("governance", "ledger")]
    assert ledger.line == line


def test_a_library_that_is_not_read_is_said_at_its_import(root: Path) -> None:
    found = read(root, "a.py", "import os, aiosql\nfrom .piccolo import x\n")
    found = read(root, "a.ts", 'import massive from "massive";\n')
    said = [(e.file, e.line, e.reason) for facts in found.files.values() for e in facts.unread]
    assert said == [("app/a.py", 1, "aiosql"), ("app/a.ts", 1, "massive")]
    again = extract(root, ["app/**"], cache_folder=root / "cache")
    assert again == found
    scoped = read(root, "a.ts", 'import { gql } from "@apollo/client/core";\n')
    assert [e.reason for e in scoped.files["app/a.ts"].unread] == ["@apollo/client"]
    hint = "import aiosql  # hk: reaches venture.orders -- its queries\n"
    (facts,) = (f for p, f in read(root, "a.py", hint).files.items() if p.endswith(".py"))
    assert facts.unread == ()


def test_globs(root: Path) -> None:
    for name in ("a.py", "b.txt", "deep/c.py", "deep/d.sql", ".hidden/e.py"):
        path = root / "app" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert files.match(root, ["app/**"]).files == (
        "app/.hidden/e.py",
        "app/a.py",
        "app/deep/c.py",
        "app/deep/d.sql",
    )
    assert files.match(root, ["app/**"]).others == ("app/b.txt",)
    assert files.match(root, ["app/*.py"]).files == ("app/a.py",)
    assert files.match(root, ["app/**/*.sql"]).files == ("app/deep/d.sql",)
    assert files.match(root, ["**/c.py", "app/a.py"]).files == ("app/a.py", "app/deep/c.py")
    assert files.match(root, ["app/[ab].py", "nowhere/**"]).unmatched == ("nowhere/**",)


def test_the_cache_says_the_same_and_follows_the_text(root: Path) -> None:
    first = read(root, "a.py", LEDGER)
    assert read(root, "a.py", LEDGER).found == first.found
    (moved,) = read(root, "b.py", LEDGER).files["app/b.py"].found
    assert moved.file == "app/b.py"
    assert named(read(root, "a.py", "x = 1")) == {"governance.ledger"}
    (root / "app/b.py").unlink()
    assert named(read(root, "a.py", "x = 1")) == set()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": 1}', "null", '{"format": 1, "entries": 7}'])
def test_a_broken_cache_costs_time_and_no_truth(root: Path, text: str) -> None:
    first = read(root, "a.py", LEDGER)
    for file in (root / "cache").iterdir():
        file.write_text(text)
    assert read(root, "a.py", LEDGER).found == first.found


def test_entries_of_another_form_are_read_again(root: Path) -> None:
    first = read(root, "a.py", LEDGER)
    for file in (root / "cache").iterdir():
        write_entries(file, {}, {key: [[[1]], 7] for key in read_entries(file)})
    assert read(root, "a.py", LEDGER).found == first.found


def test_many_files_are_read_by_processes_and_say_the_same(root: Path) -> None:
    names = [f"app/m{number:03}.py" for number in range(MANY + 10)]
    for number, name in enumerate(names):
        (root / name).write_text(f'cur.execute("SELECT {number} FROM governance.t{number}")\n')
    together = references(names, root=root, cache_folder=root / "one")
    alone = [
        each for name in names for each in references([name], root=root, cache_folder=root / "two")
    ]
    assert list(together) == alone
    assert len(together) == len(names)


@pytest.mark.parametrize(
    ("name", "text", "absent"),
    [
        ("a.py", "x = 1\n", ("tree_sitter", "grimp", PARSER)),
        ("a.py", LEDGER, ("tree_sitter", "grimp")),
        ("a.ts", "const x = 1;", ("grimp", PARSER, "ast")),
        ("a.sql", "SELECT 1", ("tree_sitter", "grimp")),
    ],
)
def test_heavy_parsers_are_loaded_for_their_files_only(
    root: Path, name: str, text: str, absent: tuple[str, ...]
) -> None:
    (root / "app" / name).write_text(text)
    script = (
        "import sys; from pathlib import Path\n"
        "from pytest_housekeeping.checks.code.readers.extract import extract\n"
        "sys.modules.pop('ast', None)\n"
        f"extract(Path({str(root)!r}), ['app/**'], cache_folder=Path({str(root)!r}) / 'c')\n"
        f"print([m for m in {absent!r} if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
