"""A team's own files, taken in as they are: what is written, what is kept, and that it is green."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from support.init_command import command
from support.staging_project import Project

FIRST = """\
create schema desk;
create table desk.ticket (id int primary key, tenant_id uuid not null, subject varchar(80));
create table desk.note (id int primary key, body text);
alter table desk.ticket enable row level security, force row level security;
create policy own on desk.ticket to desk_app
using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create index ticket_tenant on desk.ticket (tenant_id);
create schema pay;
create table pay.salary (person text primary key, "Amount" numeric(12, 2));
alter table pay.salary add constraint positive check ("Amount" > 0) not valid;
grant usage on schema desk to desk_app;
grant usage on schema pay to "Pay Office";
grant select, insert on desk.ticket, desk.note to desk_app;
grant select on pay.salary to "Pay Office";
"""
SECOND = "create view desk.open with (security_invoker) as select id from desk.ticket;\n"
FILES = {
    "sql/migrations/0001_first.sql": FIRST,
    "sql/migrations/0002_second.sql": SECOND,
    "pyproject.toml": '[project]\nname = "desk"\nversion = "1"\n',
    ".gitignore": "*.pyc\n",
}


@pytest.fixture(scope="module")
def taken_in(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    place = tmp_path_factory.mktemp("init")
    project = Project(root=place / "project", scratch=place / "tmp")
    project.scratch.mkdir()
    project.write(FILES)
    code, said = command(project.root, "init")
    assert code == 0, said
    return project, said


def test_what_is_written_is_green_and_says_what_it_is(taken_in: tuple[Project, str]) -> None:
    project, said = taken_in
    run = project.run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert {name: (project.root / name).read_text() for name in list(FILES)[:2]} == {
        name: FILES[name] for name in list(FILES)[:2]
    }
    written = [line for line in said.splitlines() if line.startswith("written: ")]
    for name in (
        "checks/objects.toml",
        "checks/rls.toml",
        "checks/boundaries.toml",
        "sql/bootstrap/roles_and_extensions.sql",
        ".sqlfluff",
    ):
        assert any(name in line for line in written), said
        assert (project.root / name).read_text()[0] in "#-"
    settings = (project.root / "pyproject.toml").read_text()
    assert settings.startswith(FILES["pyproject.toml"])
    assert "housekeeping" in tomllib.loads(settings)["tool"]
    assert (project.root / ".gitignore").read_text().startswith("*.pyc\n\n# Evidence")
    assert not (project.root / "ops").exists() or run.audit_path is not None


def test_what_is_declared_is_what_is_there(taken_in: tuple[Project, str]) -> None:
    root = taken_in[0].root
    objects = tomllib.loads((root / "checks/objects.toml").read_text())
    assert objects["schemas"] == ["desk", "pay"]
    assert objects["roles"] == ['"Pay Office"', "desk_app"]
    assert objects["views"] == ["desk.open"]
    assert objects["not_valid"] == ["pay.salary.positive"]
    assert objects["tables"]["pay.salary"] == {"person": "text", "Amount": "numeric(12,2)"}
    assert objects["tables"]["desk.ticket"]["subject"] == "character varying(80)"
    rls = tomllib.loads((root / "checks/rls.toml").read_text())
    assert (rls["schemas"], rls["roles"], rls["context"]) == (
        ["desk"],
        ["desk_app"],
        ["app.tenant"],
    )
    open_today = {(each["rule"], each["object"]) for each in rls["exempt"]}
    assert ("rls-not-enabled", "desk.note") in open_today
    assert {each["reason"] for each in rls["exempt"]} == {"found at adoption, not yet judged"}
    assert all(each["until"] for each in rls["exempt"])
    borders = tomllib.loads((root / "checks/boundaries.toml").read_text())
    forbidden = {
        (c["source"], c["target"]) for c in borders["contract"] if c["type"] == "forbidden"
    }
    assert forbidden == {("desk_app", "Pay Office"), ("Pay Office", "desk_app")}


def test_what_is_exempt_is_a_list_to_work_on(taken_in: tuple[Project, str]) -> None:
    """Taken out of the list, it is red; the list holds nothing that is not."""
    project, _ = taken_in
    place = project.root / "checks/rls.toml"
    before = place.read_text()
    place.write_text(before.partition("[[exempt]]")[0])
    run = project.run()
    place.write_text(before)
    assert run.code == 1
    assert "desk.note" in run.findings("rls-not-enabled")


def test_a_second_time_everything_is_kept(taken_in: tuple[Project, str]) -> None:
    project, _ = taken_in
    before = {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()}
    code, said = command(project.root, "init")
    assert code == 0, said
    assert [line for line in said.splitlines() if line.startswith("written:")] == []
    assert said.count("kept as it is:") == 3
    after = {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()}
    assert after == before


def test_the_next_migration_and_what_it_makes(
    taken_in: tuple[Project, str], tmp_path: Path
) -> None:
    project = Project(root=tmp_path / "project", scratch=tmp_path / "tmp")
    project.scratch.mkdir()
    for path in taken_in[0].root.rglob("*"):
        if path.is_file() and "ops" not in path.parts:
            project.write({str(path.relative_to(taken_in[0].root)): path.read_bytes()})
    code, said = command(project.root, "new", "Add a colour")
    up, down = "sql/migrations/0003_add_a_colour.sql", "sql/rollback/0003_add_a_colour.sql"
    assert (code, up in said, down in said) == (0, True, True)
    refused = project.run()
    assert (refused.code, "the file holds no statement" in refused.output) == (1, True)
    for name, statement in (
        (up, "ALTER TABLE desk.note ADD COLUMN colour text;\n"),
        (down, "ALTER TABLE desk.note DROP COLUMN colour;\n"),
    ):
        place = project.root / name
        place.write_text(place.read_text() + statement)
    code, said = command(project.root, "objects")
    assert code == 0
    assert '+colour = "text"' in said.splitlines()
    assert project.run().code == 0
    assert command(project.root, "objects")[1].startswith("nothing to change")
    assert command(project.root, "new", "../x")[0] == 4


SUPABASE = """\
create table public.profiles (id uuid primary key references auth.users, username text);
alter table public.profiles enable row level security;
create policy "everybody" on profiles for select using (true);
create policy "own" on profiles for insert with check ((select auth.uid()) = id);
create table notes (id bigint generated by default as identity primary key, of uuid, body text);
alter table notes enable row level security;
create policy "mine" on notes using (auth.uid() = of);
create function public.welcome() returns trigger set search_path = '' language plpgsql
security definer as $$ begin insert into public.profiles (id) values (new.id); return new; end $$;
create trigger welcome after insert on auth.users for each row execute function public.welcome();
create policy "pictures" on storage.objects for select using (bucket_id = 'pictures');
create table invitations (id uuid primary key default uuid_generate_v4(), token text default
encode(gen_random_bytes(9), 'base64'), sent_by uuid references auth.users);
alter table invitations enable row level security;
create policy "sent" on invitations to authenticated using ((select auth.uid()) = sent_by);
alter default privileges for role "postgres" in schema "public" grant all on tables to "postgres";
revoke temporary on database "postgres" from "anon";
alter publication supabase_realtime add table public.notes;
"""


def test_of_supabase_everything_is_there_that_its_migrations_count_on(tmp_path: Path) -> None:
    project = Project(root=tmp_path / "project", scratch=tmp_path / "tmp")
    project.scratch.mkdir()
    large = "SELECT 1;\n" + "-- rows\n" * 3000
    project.write(
        {
            "supabase/migrations/20260101000000_first.sql": SUPABASE,
            "supabase/seed.sql": large,
        }
    )
    code, said = command(project.root, "init")
    assert code == 0, said
    chosen = 'platform = "supabase"'
    assert f"written: pyproject.toml: {chosen}: what that server has from the beginning" in said
    settings = tomllib.loads((project.root / "pyproject.toml").read_text())["tool"]["housekeeping"]
    # pgcrypto and uuid-ossp are there from the beginning: the one is in contrib, the other a stub.
    assert settings["platform"] == "supabase"
    assert settings["stubs"] == {"uuid-ossp": "shipped"}
    assert "migrator" not in settings
    assert not (project.root / "sql/bootstrap").exists()
    rls = tomllib.loads((project.root / "checks/rls.toml").read_text())
    assert (rls["schemas"], rls["roles"]) == (["public"], ["anon", "authenticated"])
    claims = {"setting": "request.jwt.claims", "path": ["sub"]}
    assert rls["context"] == ["request.jwt.claim.sub", claims]
    open_today = {(each["rule"], each["object"]) for each in rls["exempt"]}
    assert ("policy-always-true", "everybody ON public.profiles") in open_today
    # What everybody's own rows are is proved, and not let stand.
    assert ("identity-isolated", "public.notes") not in open_today
    objects = tomllib.loads((project.root / "checks/objects.toml").read_text())
    assert objects["schemas"] == ["public"]
    # What its tool keeps elsewhere is looked at as well.
    assert (project.root / ".sqlfluffignore").read_text().endswith("\nsupabase/seed.sql\n")


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        ({"a.txt": "x"}, 4, "there is no such folder"),
        ({"sql/migrations/0001_a.sql": "CREATE TABLE a (b nothing);"}, 1, 'type "nothing"'),
        ({"sql/migrations/0001_a.sql": "BEGIN; SELECT 1;"}, 4, "BEGIN in the file"),
        ({"sql/migrations/0001_a.sql": "SELECT 1;", "pyproject.toml": "x ="}, 4, "is not TOML"),
        (
            {"sql/migrations/0001_a.sql": "CREATE EXTENSION nowhere;"},
            1,
            'extension "nowhere" is not available',
        ),
        (
            {
                "sql/migrations/0001_a.sql": "create table a (id int primary key);\n",
                "sql/bootstrap/a.sql": "ALTER ROLE hk_migrator SUPERUSER;\n",
            },
            1,
            "migrator-shape: hk_migrator: is superuser",
        ),
    ],
)
def test_what_cannot_be_taken_in_is_named(
    tmp_path: Path, files: dict[str, str], code: int, said: str
) -> None:
    project = Project(root=tmp_path / "project", scratch=tmp_path / "tmp")
    project.write(files)
    ended, output = command(project.root, "init")
    assert (ended, said in output) == (code, True), output
    assert {name: (project.root / name).read_text() for name in files if "sql" in name} == {
        name: text for name, text in files.items() if "sql" in name
    }
