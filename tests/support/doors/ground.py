"""What the cases of ways past the policies are told on, and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_housekeeping.declarations.boundaries import App, Boundaries, Contract
from pytest_housekeeping.declarations.rls import RlsContract
from support.catalogue_cases import GROUND as CATALOGUE_GROUND

CONTRACT = RlsContract(schemas=("desk",), roles=("desk_app",), context=("desk.me",))

OUT = Contract(name="desk stays out", type="forbidden", source="desk", target="office")

BOUNDARIES = Boundaries(
    apps=(
        App(name="desk", roles=("desk_app",), schemas=("desk",)),
        App(name="office", roles=("office_app",), schemas=("office",)),
    ),
    contracts=(OUT,),
)

# Beside the ground of the catalogue: rows of two people, a role that filled a table once, another
# application, and a login of the application. Laid by a superuser, who makes the roles.
BESIDE = """
CREATE ROLE desk_fill;
CREATE ROLE office_app;
CREATE ROLE desk_web LOGIN IN ROLE desk_app;
GRANT desk_app, desk_fill, office_app TO hk_migrator WITH ADMIN OPTION;
INSERT INTO desk.note (owner, title) VALUES (1, 'mine'), (2, 'theirs');
INSERT INTO desk.member VALUES (1, 1), (2, 2);
SET LOCAL ROLE hk_migrator;
GRANT USAGE, CREATE ON SCHEMA desk TO desk_fill;
GRANT SELECT, INSERT, UPDATE, DELETE ON desk.note, desk.member TO desk_fill;
CREATE SCHEMA hidden;
CREATE SCHEMA office;
CREATE TABLE office.paper (id integer PRIMARY KEY, title text);
INSERT INTO office.paper VALUES (1, 'theirs');
GRANT USAGE ON SCHEMA office TO office_app;
GRANT SELECT ON office.paper TO office_app;
"""

LAID = f"""
CREATE ROLE desk_app;
SET LOCAL ROLE hk_migrator;
{CATALOGUE_GROUND}
RESET ROLE;
{BESIDE}
"""

FILL = "CREATE POLICY fill ON desk.note TO desk_fill USING (true);"

PATH = "SET search_path = ''"


ALL_NOTES = (
    "CREATE FUNCTION desk.f() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = ''"
    " AS 'SELECT n.title FROM desk.note AS n';"
    "REVOKE ALL ON FUNCTION desk.f() FROM PUBLIC; GRANT EXECUTE ON FUNCTION desk.f() TO desk_app;"
)

STAMP = (
    "CREATE FUNCTION {0} RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS"
    " $$ BEGIN NEW.title := (SELECT string_agg(n.title, ',') FROM desk.note AS n); RETURN NEW; "
    "END $$;"
)

# What a superuser makes is owned by one.
MIGHTY = "RESET ROLE;{0}SET LOCAL ROLE hk_migrator;"

INBOX = (
    "CREATE TABLE public.inbox (id integer, title text);"
    "GRANT SELECT, INSERT ON public.inbox TO desk_app;"
)

GONE = "SELECT NOT EXISTS (SELECT FROM desk.note WHERE owner = 2)"

CHANGED = (
    "SELECT NOT EXISTS (SELECT FROM desk.note WHERE owner = 2 AND title = 'theirs' AND NOT gone)"
)


@dataclass(frozen=True, kw_only=True)
class Door:
    """A planted case. ``attack`` runs as the application acting for person 1 (``who`` is its role);
    the last statement answers true when it has leaked. ``seen`` is asked afterwards by a superuser
    instead. ``object`` and ``rule`` are what must be found. Its ``kind`` is that of its module."""

    title: str
    sql: str
    rule: str
    object: str
    attack: str = ""
    seen: str = ""
    who: str = "desk_app"
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.title}"


@dataclass(frozen=True, kw_only=True)
class Sound:
    """What looks like a planted case and is none."""

    title: str
    sql: str
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.title}"


ACTS = "who acts"

WAYS = "ways in"

CONNECTS = "who connects"

SIDE = "side doors"


def as_filler(
    body: str, *, returns: str = "SETOF text", language: str = "sql", args: str = ""
) -> str:
    """A definer function of the one who fills, for the application to call."""
    return (
        f"CREATE FUNCTION desk.f({args}) RETURNS {returns} LANGUAGE {language} SECURITY DEFINER"
        f" {PATH} AS $body$ {body} $body$; REVOKE ALL ON FUNCTION desk.f FROM PUBLIC;"
        f" GRANT EXECUTE ON FUNCTION desk.f TO desk_app; ALTER ROUTINE desk.f OWNER TO desk_fill;"
    )


SEE_F = "SELECT EXISTS (SELECT FROM desk.f() AS t WHERE t LIKE '%theirs%')"

READ_ALL = "SELECT n.title FROM desk.note AS n"

DEFINER = "definer-exempt-owner"

TRIGGER = "trigger-as-owner"
