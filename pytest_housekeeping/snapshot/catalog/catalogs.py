"""The catalogs in which a change is looked for, and what a row of each tells of.

Those that all databases share are not among them, nor is what a role without privileges may not
read: the queries of those are always asked (`queries/table.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """A catalog: the hash of a row's key, the object that a row tells of, and whose part that is.

    ``names`` says whether what depends on the object may be printed differently when the row is
    another one. Where ``key`` is empty, a row goes only with its object.
    """

    name: str
    key: str
    object: str
    owner: str = "0, 0"
    names: bool = True
    where: str = "true"


def _class(name: str) -> str:
    return f"'pg_catalog.{name}'::regclass::oid"


_TABLE = _class("pg_class")


def _of_oid(name: str, owner: str = "0, 0", *, names: bool = True) -> Catalog:
    return Catalog(
        name=name,
        key="hashoidextended(oid, 0)",
        object=f"{_class(name)}, oid",
        owner=owner,
        names=names,
    )


def _part(name: str, of: str, oid: str, *, key: str = "oid", names: bool = False) -> Catalog:
    """A catalog whose rows tell of an object of another one."""
    return Catalog(
        name=name, key=f"hashoidextended({key}, 0)", object=f"{_class(of)}, {oid}", names=names
    )


CATALOGS = (
    # Its names are compared: everything in a schema would be read again for a GRANT on it.
    _of_oid("pg_namespace", names=False),
    _of_oid("pg_class"),
    Catalog(name="pg_attribute", key="", object=f"{_TABLE}, attrelid"),
    _of_oid("pg_type"),
    _of_oid("pg_proc"),
    _of_oid(
        "pg_constraint",
        f"CASE WHEN conrelid <> 0 THEN {_TABLE} ELSE {_class('pg_type')} END,"
        " CASE WHEN conrelid <> 0 THEN conrelid ELSE contypid END",
    ),
    _of_oid("pg_attrdef", f"{_TABLE}, adrelid", names=False),
    _of_oid("pg_rewrite", f"{_TABLE}, ev_class", names=False),
    _of_oid("pg_trigger", f"{_TABLE}, tgrelid"),
    _of_oid("pg_policy", f"{_TABLE}, polrelid", names=False),
    _of_oid("pg_statistic_ext", f"{_TABLE}, stxrelid", names=False),
    _of_oid("pg_amop", f"{_class('pg_opfamily')}, amopfamily"),
    _of_oid("pg_amproc", f"{_class('pg_opfamily')}, amprocfamily"),
    _of_oid("pg_publication_rel", f"{_class('pg_publication')}, prpubid"),
    _of_oid("pg_publication_namespace", f"{_class('pg_publication')}, pnpubid"),
    *(
        _of_oid(name)
        for name in (
            *("pg_operator", "pg_opclass", "pg_opfamily", "pg_am", "pg_cast", "pg_transform"),
            *("pg_collation", "pg_conversion", "pg_language", "pg_ts_config", "pg_ts_dict"),
            *("pg_ts_parser", "pg_ts_template", "pg_extension", "pg_foreign_data_wrapper"),
            *("pg_foreign_server", "pg_event_trigger", "pg_default_acl", "pg_publication"),
        )
    ),
    Catalog(
        name="pg_index",
        key="hashoidextended(indexrelid, 0)",
        object=f"{_TABLE}, indexrelid",
        owner=f"{_TABLE}, indrelid",
        names=False,
    ),
    Catalog(
        name="pg_inherits",
        key="hashoidextended(inhrelid, inhparent::int8)",
        object=f"{_TABLE}, inhrelid",
        names=False,
    ),
    _part("pg_sequence", "pg_class", "seqrelid", key="seqrelid"),
    _part("pg_foreign_table", "pg_class", "ftrelid", key="ftrelid"),
    _part("pg_partitioned_table", "pg_class", "partrelid", key="partrelid"),
    _part("pg_enum", "pg_type", "enumtypid", names=True),
    _part("pg_range", "pg_type", "rngtypid", key="rngtypid", names=True),
    _part("pg_aggregate", "pg_proc", "aggfnoid::oid", key="aggfnoid::oid"),
    Catalog(
        name="pg_ts_config_map",
        key="hashoidextended(mapcfg, (maptokentype::int8 << 32) + mapseqno)",
        object=f"{_class('pg_ts_config')}, mapcfg",
        names=False,
    ),
    Catalog(
        name="pg_description",
        key="hashoidextended(objoid, (classoid::int8 << 32) + objsubid)",
        object="classoid, objoid",
        names=False,
    ),
    Catalog(
        name="pg_seclabel",
        key="hashtextextended(provider,"
        " hashoidextended(objoid, (classoid::int8 << 32) + objsubid))",
        object="classoid, objoid",
        names=False,
    ),
    Catalog(
        name="pg_init_privs",
        key="hashoidextended(objoid, (classoid::int8 << 32) + objsubid)",
        object="classoid, objoid",
        owner=f"{_class('pg_init_privs')}, objoid",
        names=False,
    ),
    # Of what depends on what, the fingerprint tells members of extensions and owned sequences.
    Catalog(
        name="pg_depend",
        key="hashoidextended(objid, (classid::int8 << 32) + (refobjid::int8 << 8)"
        " + (objsubid::int8 << 4) + refobjsubid)"
        " # hashcharextended(deptype, 0)",
        object="classid, objid",
        owner="CASE WHEN deptype IN ('e', 'x') THEN refclassid ELSE 0 END,"
        " CASE WHEN deptype IN ('e', 'x') THEN refobjid ELSE 0 END",
        names=False,
        where="deptype IN ('e', 'x') OR refobjsubid > 0 AND deptype IN ('a', 'i')"
        f" AND classid = {_TABLE}",
    ),
)
