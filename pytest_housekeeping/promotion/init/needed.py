"""What a project counts on and no file of it makes: read off what PostgreSQL refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.postgres.tool_history.own_table import own_table
from pytest_housekeeping.promotion.untrusted import DENIED
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.project_files import ProjectFiles

_ROLE = re.compile(
    r'role "((?:[^"]|"")+)" does not exist|'
    r'must be (?:able to SET ROLE|member of role) "((?:[^"]|"")+)"'
)
_REQUIRED = re.compile(r'required extension "([^"]+)" is not installed')
_SCHEMA = re.compile(r'schema "((?:[^"]|"")+)" does not exist')
# What only an extension has that an administrator has made by hand.
_LACKING = re.compile(
    r"(?:operator class|type|access method|foreign-data wrapper|text search dictionary)"
    r' "?(?:\w+\.)?(\w+)(?:\[\])*"? does not exist|'
    r"function (?:\w+\.)?(\w+)\(.*\) does not exist|"
    r'has no default operator class for access method "(\w+)"'
)
_OF_EXTENSION: Mapping[str, str] = {
    name: extension
    for extension, names in {
        "btree_gin": "gin",
        "btree_gist": "gist",
        "fuzzystrmatch": "levenshtein soundex difference metaphone dmetaphone daitch_mokotoff",
        "hstore": "hstore gin_hstore_ops gist_hstore_ops",
        "intarray": "gin__int_ops gist__int_ops gist__intbig_ops query_int",
        "lo": "lo lo_manage",
        "ltree": "ltree lquery ltxtquery gist_ltree_ops",
        "pg_trgm": "gin_trgm_ops gist_trgm_ops similarity word_similarity strict_word_similarity"
        " show_trgm",
        "pgcrypto": "crypt gen_salt digest hmac gen_random_bytes pgp_sym_encrypt pgp_sym_decrypt"
        " pgp_pub_encrypt pgp_pub_decrypt armor dearmor",
        "postgis": "geometry geography st_makepoint st_setsrid st_geomfromtext st_point",
        "tablefunc": "crosstab",
        "uuid-ossp": "uuid_generate_v1 uuid_generate_v1mc uuid_generate_v3 uuid_generate_v4"
        " uuid_generate_v5 uuid_nil uuid_ns_dns uuid_ns_url",
        "vector": "vector halfvec sparsevec hnsw ivfflat vector_l2_ops vector_ip_ops"
        " vector_cosine_ops",
        **{name: name for name in ("bloom", "citext", "cube", "dblink", "file_fdw", "moddatetime")},
        **{name: name for name in ("postgres_fdw", "unaccent")},
    }.items()
    for name in names.split()
}
_RELATION = re.compile(r'relation "((?:[^"]|"")+)" does not exist')
_OUT_OF_PATH = re.compile(
    r'(?:relation|type|collation|text search configuration) "?(\w+)(?:\[\])*"?'
    r'(?: for encoding "\w+")?'
    r" does not exist"
)


@dataclass(frozen=True, kw_only=True)
class Needed:
    """What the real server already has; ``table`` is the one in which the tool of the ``layout``
    remembers what it has applied, where a file alters that; ``attributes`` are
    those of roles, as far as they are known; ``search_path`` is the one that the files count on,
    where it is not the usual one, ``superuser`` the files of history that a superuser alone may
    run. ``placed`` are the schemas of extensions, where one that is there
    is named."""

    layout: str = ""
    roles: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    table: str = ""
    search_path: str = ""
    superuser: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    placed: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all of it."""
        return (*self.roles, *self.extensions, *self.schemas, *([self.table] if self.table else []))

    def bootstrap(self, migrator: str) -> str:
        """The statements that make it, as a superuser; they can be run again."""
        lines = []
        for role in self.roles:
            there = f"SELECT FROM pg_catalog.pg_roles WHERE rolname = {literal(role)}"
            lines += [
                "DO $$",
                "BEGIN",
                f"    IF NOT EXISTS ({there}) THEN",
                f"        CREATE ROLE {quoted(role)} {self.attributes.get(role, 'LOGIN')};",
                "    END IF;",
                "END;",
                "$$;",
                f"GRANT {quoted(role)} TO {quoted(migrator)};",
            ]
        lines += [
            f"CREATE SCHEMA IF NOT EXISTS {quoted(each)} AUTHORIZATION {quoted(migrator)};"
            for each in self.schemas
        ]
        for each in self.extensions:
            place = f" SCHEMA {quoted(self.placed[each])}" if each in self.placed else ""
            lines.append(f"CREATE EXTENSION IF NOT EXISTS {quoted(each)}{place};")
        if self.table:
            columns = own_table(self.layout, self.table)
            lines += [
                f"CREATE TABLE IF NOT EXISTS public.{quoted(self.table)} ({columns});",
                f"ALTER TABLE public.{quoted(self.table)} OWNER TO {quoted(migrator)};",
            ]
        return "".join(f"{line}\n" for line in lines)

    def with_what_lacks(self, error: SqlFailed) -> Needed | None:
        """The same and what a file was refused for, or None where it was for something else."""
        if (name := _named(_ROLE, error)) and name not in self.roles:
            return replace(self, roles=(*self.roles, name))
        if (name := _named(DENIED, error)) and name not in self.extensions:
            return replace(self, extensions=(*self.extensions, name))
        if (name := _named(_REQUIRED, error)) and name not in self.extensions:
            return replace(self, extensions=(name, *self.extensions))
        if (name := _extension_of(error)) and name not in self.extensions:
            return replace(self, extensions=(*self.extensions, name))
        if (name := _named(_SCHEMA, error)) and name not in self.schemas:
            return replace(self, schemas=(*self.schemas, name))
        name = _named(_RELATION, error).removeprefix("public.")
        if not self.table and own_table(self.layout, name):
            return replace(self, table=name)
        return None


def out_of_path(error: SqlFailed) -> str:
    """What a file names without its schema and PostgreSQL does not find; "" for another error."""
    return _named(_OUT_OF_PATH, error)


def path_of(sources: ProjectFiles, error: SqlFailed) -> list[str]:
    """The schemas in the search_path that a file has set above the line at which something was not
    found, or no schema to make it in, without those that the server has; none for another error."""
    path, line, _ = (*error.found.split(":", 2), "", "")[:3]
    if error.sqlstate not in _NOT_THERE or not line.isdecimal() or not sources.has(path):
        return []
    above = sources.read(path).decode(errors="replace").splitlines()[: int(line)]
    said = _PATH_SET.findall("\n".join(above))
    names = (each.strip().strip("'\"") for each in said[-1].split(",")) if said else ()
    return [each for each in names if each.isidentifier() and not each.startswith("pg_")]


# No schema to make it in, no such table, type or function.
_NOT_THERE = ("3F000", "42P01", "42704", "42883")
_PATH_SET = re.compile(
    r"^\s*SET\s+(?:LOCAL\s+|SESSION\s+)?search_path\s*(?:=|\bTO\b)([^;]*)",
    re.IGNORECASE | re.MULTILINE,
)


def _extension_of(error: SqlFailed) -> str:
    found = _LACKING.search(error.found)
    return _OF_EXTENSION.get(next(filter(None, found.groups())), "") if found else ""


def _named(pattern: re.Pattern[str], error: SqlFailed) -> str:
    found = pattern.search(error.found)
    name = next(filter(None, found.groups()), "") if found else ""
    return name.replace('""', '"')
