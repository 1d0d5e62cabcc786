"""All queries of a fingerprint: what each belongs to, and when a change makes it be asked again.

A reading of what has changed asks those of relations, functions and types for the changed ones
alone. The other kinds have few objects and are asked as a whole: where an object of the catalogs
that a query stands on has changed; after any change; or always, because a role without privileges
sees no ``xmin`` there, or because all databases share it. PostgreSQL's own objects are read again
in a full reading only, and a change of one of them makes it one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import LiteralString

from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.queries import around as around_queries
from pytest_housekeeping.snapshot.queries import database, objects, relations
from pytest_housekeeping.snapshot.queries.server import SERVER_QUERIES
from pytest_housekeeping.snapshot.queries.system import (
    ADDED,
    DIGESTS,
    LANGUAGES_OF_SYSTEM,
    SCHEMAS_OF_SYSTEM,
    SYSTEM_QUERIES,
)

ALWAYS = "always"
AFTER_ANY_CHANGE = "after any change"
IN_FULL_ALONE = "in a full reading alone"
_CATALOG = re.compile(r"pg_catalog\.(pg_\w+)")
_OF_NAMES = frozenset(
    ("pg_authid", "pg_namespace", "pg_proc", "pg_description", "pg_shdescription")
)
_OF_VIEW = {"pg_roles": "pg_authid", "pg_user_mappings": "pg_user_mapping"}
_AMONG = re.compile(r":among\(([\w.]+)\)")
# What these tell of stands in a catalog, each in a row of its own; the mappings of users go with
# the server that they are of.
_TOLD_OF: dict[str, tuple[str, ...]] = {
    relations.TRIGGERS: ("pg_trigger",),
    relations.RULES: ("pg_rewrite",),
    relations.POLICIES: ("pg_policy",),
    relations.SEQUENCES: ("pg_sequence",),
    relations.STATISTICS: ("pg_statistic_ext",),
    objects.AGGREGATES: ("pg_aggregate",),
    objects.OPERATORS: ("pg_operator",),
    objects.OPERATOR_CLASSES: ("pg_opclass",),
    objects.OPERATOR_FAMILIES: ("pg_opfamily",),
    objects.COLLATIONS: ("pg_collation",),
    objects.TEXT_SEARCH: ("pg_ts_config", "pg_ts_dict", "pg_ts_parser", "pg_ts_template"),
    objects.CONVERSIONS: ("pg_conversion",),
    database.LANGUAGES: ("pg_language",),
    database.CASTS: ("pg_cast", "pg_transform", "pg_am"),
    database.FOREIGN: ("pg_foreign_data_wrapper", "pg_foreign_server"),
    database.DEFAULT_PRIVILEGES: ("pg_default_acl",),
    database.EVENT_TRIGGERS: ("pg_event_trigger",),
    database.PUBLICATIONS: ("pg_publication",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A query of the fingerprint.

    ``each`` is the catalog of the objects that it can be confined to: its rows end with their OID.
    ``asked`` are the catalogs whose changed objects make it be asked again as a whole. It is
    ``summed`` where the versions of PostgreSQL's own rows decide what it finds (`VERSIONS`).
    """

    text: LiteralString
    around: Around
    each: str = ""
    asked: tuple[str, ...] = ()
    addressed: bool = False
    summed: bool = False

    @property
    def catalogs(self) -> frozenset[str]:
        """The catalogs that it stands on: those it names, and those of names and comments."""
        names = frozenset(_CATALOG.findall(self.text))
        return _OF_NAMES | {_OF_VIEW.get(name, name) for name in names}

    def may_find(self, there: Collection[str] | None) -> bool:
        """Whether it finds anything where no more than these catalogs have rows besides those that
        a server is made with."""
        told_of = _TOLD_OF.get(self.text, ())
        return there is None or not told_of or any(each in there for each in told_of)

    def whole(self, excluded: str) -> str:
        """The query for everything; ``excluded`` is an SQL literal, an array of schemas."""
        return _AMONG.sub("true", self.text).replace(":excluded", excluded)

    def confined(self, excluded: str) -> str:
        """The same for the objects in the array that is its parameter."""
        return _AMONG.sub(r"\1 = ANY ($1)", self.text).replace(":excluded", excluded)


def _each(catalog: str, texts: Sequence[LiteralString], around: Around) -> list[Query]:
    return [Query(text=text, around=around, each=catalog) for text in texts]


def _asked(text: LiteralString, *catalogs: str, around: Around = Around.NOTHING) -> Query:
    return Query(text=text, around=around, asked=catalogs)


QUERIES = (
    *_each("pg_class", relations.RELATION_QUERIES, Around.NOTHING),
    *_each("pg_class", (around_queries.RELATION_STATES,), Around.DATABASE),
    *_each("pg_proc", objects.FUNCTION_QUERIES, Around.NOTHING),
    *_each("pg_type", objects.TYPE_QUERIES, Around.NOTHING),
    _asked(objects.NAMESPACES, "pg_namespace"),
    _asked(objects.OPERATORS, "pg_operator"),
    _asked(objects.OPERATOR_CLASSES, "pg_opclass", "pg_opfamily"),
    _asked(objects.OPERATOR_FAMILIES, "pg_opfamily", "pg_amop", "pg_amproc"),
    _asked(objects.COLLATIONS, "pg_collation"),
    _asked(objects.TEXT_SEARCH, "pg_ts_config", "pg_ts_dict", "pg_ts_parser", "pg_ts_template"),
    _asked(objects.CONVERSIONS, "pg_conversion"),
    _asked(database.DATABASE, ALWAYS),
    _asked(database.EXTENSIONS, "pg_extension"),
    _asked(database.DEPENDENCES, AFTER_ANY_CHANGE),
    _asked(database.LANGUAGES, "pg_language"),
    _asked(database.CASTS, "pg_cast", "pg_transform", "pg_am"),
    _asked(database.FOREIGN, ALWAYS),
    _asked(database.DEFAULT_PRIVILEGES, "pg_default_acl"),
    _asked(database.EVENT_TRIGGERS, "pg_event_trigger"),
    _asked(
        database.PUBLICATIONS, "pg_publication", "pg_publication_rel", "pg_publication_namespace"
    ),
    _asked(database.SECURITY_LABELS, AFTER_ANY_CHANGE),
    *(_asked(each, "pg_extension", "pg_init_privs") for each in database.CHANGED_PRIVILEGES),
    _asked(around_queries.DATABASE_LIMITS, ALWAYS, around=Around.DATABASE),
    _asked(around_queries.EXTENSION_MEMBERS, "pg_extension", around=Around.DATABASE),
    _asked(around_queries.LARGE_OBJECTS, ALWAYS, around=Around.DATABASE),
    _asked(around_queries.SUBSCRIPTIONS, ALWAYS, around=Around.DATABASE),
    _asked(SCHEMAS_OF_SYSTEM, "pg_namespace", around=Around.SYSTEM),
    _asked(LANGUAGES_OF_SYSTEM, "pg_language", "pg_am", around=Around.SYSTEM),
    *(_asked(each, IN_FULL_ALONE, around=Around.SYSTEM) for each in SYSTEM_QUERIES),
    *(
        Query(text=each, around=Around.SYSTEM, asked=(IN_FULL_ALONE,), summed=True)
        for each in DIGESTS
    ),
    Query(text=ADDED, around=Around.SYSTEM, asked=(IN_FULL_ALONE,), addressed=True),
    *(_asked(each, ALWAYS, around=Around.SERVER) for each in SERVER_QUERIES),
)


def queries_for(around: Around) -> tuple[Query, ...]:
    """The queries of a fingerprint that holds so much around the schema."""
    return tuple(query for query in QUERIES if query.around in around)
