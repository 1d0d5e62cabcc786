"""What the blind cases are told on: a studio of two tenants, laid out as Supabase projects are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pytest_housekeeping.declarations.boundaries import App, Boundaries, Contract
from pytest_housekeeping.declarations.identity import Claim
from pytest_housekeeping.declarations.rls import RlsContract

T1 = "11111111-1111-4111-8111-111111111111"
T2 = "22222222-2222-4222-8222-222222222222"
U1 = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
U2 = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
CLAIMS = "request.jwt.claims"
AS_ONE = {"app.tenant": T1, "app.slug": "acme", "app.number": "7", CLAIMS: f'{{"sub": "{U1}"}}'}

CONTRACT = RlsContract(
    schemas=("studio",),
    roles=("studio_web",),
    context=("app.tenant", "app.slug", "app.number", CLAIMS),
    claims=(Claim(setting=CLAIMS, path=("sub",)),),
)
OUT = Contract(name="studio stays out", type="forbidden", source="studio", target="ledger")
BOUNDARIES = Boundaries(
    apps=(
        App(name="studio", roles=("studio_web",), schemas=("studio",)),
        App(name="ledger", roles=("ledger_app",), schemas=("ledger",)),
    ),
    contracts=(OUT,),
)

GROUND = f"""
CREATE ROLE studio_web;
CREATE ROLE studio_login LOGIN IN ROLE studio_web;
CREATE ROLE studio_fill;
CREATE ROLE ledger_app;
GRANT studio_web, studio_fill, ledger_app TO hk_migrator WITH ADMIN OPTION;
SET LOCAL ROLE hk_migrator;
CREATE SCHEMA auth;
CREATE SCHEMA studio;
CREATE SCHEMA private;
CREATE SCHEMA ledger;
GRANT USAGE ON SCHEMA auth, studio TO studio_web;
GRANT USAGE, CREATE ON SCHEMA studio, private TO studio_fill;
GRANT USAGE ON SCHEMA auth TO studio_fill;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE SET search_path = ''
AS $$ SELECT (nullif(current_setting('{CLAIMS}', true), '')::jsonb ->> 'sub')::uuid $$;
CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE SET search_path = ''
AS $$ SELECT nullif(current_setting('{CLAIMS}', true), '')::jsonb $$;
CREATE FUNCTION studio.tenant() RETURNS uuid LANGUAGE sql STABLE SET search_path = ''
AS $$ SELECT nullif(current_setting('app.tenant', true), '')::uuid $$;
CREATE TABLE studio.project (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    status text NOT NULL DEFAULT 'open',
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id)
);
CREATE TABLE studio.task (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL,
    project_id uuid,
    body text NOT NULL,
    FOREIGN KEY (tenant_id, project_id) REFERENCES studio.project (tenant_id, id)
);
CREATE TABLE studio.member (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
CREATE TABLE studio.profile (
    user_id uuid PRIMARY KEY,
    email text NOT NULL
);
INSERT INTO studio.project (id, tenant_id, name) VALUES
    ('{T1}', '{T1}', 'mine'), ('{T2}', '{T2}', 'theirs');
INSERT INTO studio.task (tenant_id, body) VALUES ('{T1}', 'mine'), ('{T2}', 'theirs');
INSERT INTO studio.member VALUES ('{T1}', '{U1}'), ('{T2}', '{U2}');
INSERT INTO studio.profile VALUES ('{U1}', 'mine'), ('{U2}', 'theirs');
ALTER TABLE studio.project ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE studio.task ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE studio.member ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE studio.profile ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON studio.project TO studio_web USING (tenant_id = (SELECT studio.tenant()));
CREATE POLICY own ON studio.task TO studio_web USING (tenant_id = (SELECT studio.tenant()));
CREATE POLICY own ON studio.member FOR SELECT TO studio_web USING (user_id = (SELECT auth.uid()));
CREATE POLICY own ON studio.profile TO studio_web USING (user_id = (SELECT auth.uid()));
GRANT SELECT, INSERT, UPDATE, DELETE ON studio.project, studio.task, studio.profile TO studio_web;
GRANT SELECT ON studio.member TO studio_web;
GRANT SELECT, INSERT, UPDATE, DELETE
ON studio.project, studio.task, studio.member, studio.profile TO studio_fill;
CREATE TABLE ledger.entry (id integer PRIMARY KEY, tenant_id uuid NOT NULL, amount text);
INSERT INTO ledger.entry VALUES (1, '{T2}', 'theirs');
GRANT USAGE ON SCHEMA ledger TO ledger_app;
GRANT SELECT ON ledger.entry TO ledger_app;
"""

# What a role left behind that once filled the tables.
FILL = "CREATE POLICY fill ON studio.project TO studio_fill USING (true) WITH CHECK (true);"
SEES = "SELECT EXISTS (SELECT FROM studio.project WHERE name = 'theirs')"
TAKEN = f"SELECT NOT EXISTS (SELECT FROM studio.project WHERE id = '{T2}' AND name = 'theirs')"
MIGHTY = "RESET ROLE; {0}; SET LOCAL ROLE hk_migrator;"


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A defect. ``attack`` runs as ``who`` with the ``acting`` settings, as does no superuser;
    its last statement, or ``seen`` asked by a superuser afterwards, answers true when it did harm.
    ``about`` stands in the object or in the detail of what ``rule`` has to find."""

    kind: int
    title: str
    rule: str
    sql: str
    about: str
    attack: str
    seen: str = ""
    who: str = "studio_web"
    acting: Mapping[str, str] = field(default_factory=lambda: AS_ONE)

    def __str__(self) -> str:
        return f"{self.kind}: {self.title}"


@dataclass(frozen=True, kw_only=True)
class Sound:
    """What looks like a defect of the kind, and nobody can do anything with it. ``also`` are
    values of the claims that ``rls.toml`` names besides."""

    kind: int
    title: str
    sql: str
    also: tuple[str, ...] = ()

    @property
    def contract(self) -> RlsContract:
        more = tuple(Claim(setting=CLAIMS, path=(name,)) for name in self.also)
        return replace(CONTRACT, claims=(*CONTRACT.claims, *more))

    def __str__(self) -> str:
        return f"{self.kind}: {self.title}"


def mighty(text: str) -> str:
    """Done by a superuser."""
    return MIGHTY.format(text)


def function(
    signature: str,
    returns: str,
    body: str,
    *,
    language: str = "sql",
    how: str = "STABLE SECURITY DEFINER SET search_path = ''",
    owner: str = "",
    to: str = "studio_web",
) -> str:
    """A function that only ``to`` may call, or nobody."""
    made = (
        f"CREATE FUNCTION {signature} RETURNS {returns} LANGUAGE {language} {how}"
        f" AS $body$ {body} $body$; REVOKE ALL ON FUNCTION {signature} FROM PUBLIC;"
    )
    made += f"GRANT EXECUTE ON FUNCTION {signature} TO {to};" if to else ""
    return made + (f"ALTER FUNCTION {signature} OWNER TO {owner};" if owner else "")


def trigger(
    name: str, on: str, body: str, *, when: str = "BEFORE INSERT", owner: str = "", how: str = ""
) -> str:
    """A trigger for each row, with its function."""
    made = function(f"{name}()", "trigger", body, language="plpgsql", how=how, to="", owner=owner)
    return made + (
        f"CREATE TRIGGER t {when} ON {on} FOR EACH ROW EXECUTE FUNCTION {name}();"
        if not owner
        else mighty(f"CREATE TRIGGER t {when} ON {on} FOR EACH ROW EXECUTE FUNCTION {name}()")
    )


DEFINER = "SECURITY DEFINER SET search_path = ''"


def policies(table: str, *texts: str) -> str:
    """The table's own policy replaced by these, each from FOR or USING on."""
    made = f"DROP POLICY own ON studio.{table};"
    for number, text in enumerate(texts):
        at = min(text.find(word) % 10_000 for word in ("USING (", "WITH CHECK ("))
        made += f"CREATE POLICY p{number} ON studio.{table} {text[:at]}TO studio_web {text[at:]};"
    return made


def shop(columns: str, using: str, rows: str) -> str:
    """A protected table of its own kind of identity."""
    return (
        f"CREATE TABLE studio.shop ({columns}, title text); INSERT INTO studio.shop VALUES {rows};"
        "ALTER TABLE studio.shop ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        f"CREATE POLICY own ON studio.shop TO studio_web USING ({using});"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON studio.shop TO studio_web;"
    )


SEES_SHOP = "SELECT EXISTS (SELECT FROM studio.shop WHERE title = 'theirs')"
