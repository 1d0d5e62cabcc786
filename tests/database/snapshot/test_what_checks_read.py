"""Whatever a check reads of the catalog is in the fingerprint, or said here why it need not be."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import StagingDatabase
from support.around_mutations import AROUND_MUTATIONS
from support.columns_read import Column, Rows, explained, read_by_code, read_by_queries
from support.snapshot_schema import MUTATIONS

_BELONGS = "which object a row belongs to: with another it is another object, with its own name"
_KIND = "what an object is: nothing alters it, and the fingerprint names it"
_WHOLE = "nothing alters it: another one is made anew, and its definition is the object's text"
_NAME = "its name: under another one it is told as gone and come"
_FOLLOWS = "follows from definitions that are in the fingerprint"
_EXPLAINED = explained(
    {
        """pg_attrdef.adrelid pg_attrdef.adnum pg_attribute.attrelid pg_auth_members.roleid
        pg_auth_members.member pg_constraint.conrelid pg_constraint.contypid
        pg_db_role_setting.setrole pg_db_role_setting.setdatabase
        pg_default_acl.defaclrole pg_default_acl.defaclnamespace
        pg_default_acl.defaclobjtype pg_enum.enumtypid pg_index.indexrelid
        pg_index.indrelid pg_policy.polrelid pg_publication_namespace.pnnspid
        pg_publication_namespace.pnpubid pg_publication_rel.prpubid
        pg_publication_rel.prrelid pg_range.rngtypid pg_rewrite.ev_class
        pg_trigger.tgrelid pg_type.typrelid pg_user_mapping.umserver
        pg_user_mapping.umuser pg_inherits.inhrelid pg_inherits.inhparent
        pg_inherits.inhseqno pg_statistic_ext.stxrelid pg_class.reltype
        pg_sequence.seqrelid pg_init_privs.classoid pg_init_privs.objoid pg_init_privs.objsubid
        pg_parameter_acl.parname""": _BELONGS,
        """pg_class.relkind pg_constraint.contype pg_proc.prokind pg_proc.proargtypes
        pg_trigger.tgisinternal pg_type.typtype pg_type.typcategory""": _KIND,
        """pg_attrdef.adbin pg_constraint.conbin pg_constraint.conkey pg_constraint.confkey
        pg_constraint.confdelsetcols pg_constraint.confrelid pg_index.indexprs pg_index.indkey
        pg_index.indnatts pg_index.indnkeyatts pg_index.indpred pg_range.rngmultitypid
        pg_range.rngsubtype
        pg_proc.probin pg_type.typbasetype pg_type.typcollation pg_type.typelem
        pg_type.typtypmod pg_constraint.conexclop pg_constraint.confmatchtype pg_index.indclass
        pg_index.indcollation pg_index.indnullsnotdistinct pg_index.indisexclusion
        pg_collation.collisdeterministic pg_event_trigger.evtfoid pg_proc.proallargtypes
        pg_proc.proargmodes pg_proc.proargnames pg_proc.pronargs""": _WHOLE,
        """pg_cast.castfunc pg_cast.castmethod pg_cast.castsource pg_cast.casttarget
        pg_operator.oprcode pg_operator.oprleft pg_operator.oprname pg_operator.oprnamespace
        pg_operator.oprright pg_opclass.opcdefault pg_am.amname
        """: "PostgreSQL's own, of which the fingerprint has a sum",
        """pg_constraint.conindid pg_constraint.conparentid pg_trigger.tgconstraint
        pg_trigger.tgparentid pg_depend.classid pg_depend.objid pg_depend.objsubid
        pg_depend.refclassid pg_depend.refobjid pg_depend.refobjsubid
        pg_depend.deptype pg_constraint.conpfeqop pg_index.indisprimary""": _FOLLOWS,
        "pg_init_privs.initprivs": "what the server came with: initdb alone writes it",
        "pg_parameter_acl.paracl": "a parameter's row comes with its first grant and is told whole",
        "pg_collation.collname pg_collation.collnamespace pg_event_trigger.evtname": _NAME,
        """pg_attribute.atthasmissing pg_attribute.attmissingval pg_class.relminmxid
        """: "physical: of rows as they lie, which a look at rows or at a vacuum asks for",
        """pg_class.relam pg_class.reltablespace
        """: "in the text of its object; there is one of them as PostgreSQL comes",
        "pg_attribute.attnum": "physical: the order of columns is told without the dropped ones",
        "pg_database.datname": "a restore has another; the precheck of identity compares it",
        "pg_extension.extname": _KIND,
        """pg_event_trigger.evtowner pg_foreign_data_wrapper.fdwname
        pg_foreign_data_wrapper.fdwowner pg_publication.pubowner pg_ts_config.cfgname
        pg_ts_config.cfgnamespace""": "no check reads it: a replay and init do, on a new server",
        "pg_inherits.inhdetachpending": "no check reads it: whoever finishes the detaching does",
        "pg_user_mapping.umoptions": "PostgreSQL shows them to superusers and their owner alone",
    }
)


@pytest.fixture
def inside(base: StagingDatabase) -> Iterator[Connection]:
    with psycopg.connect(base.superuser_conninfo, prepare_threshold=None) as connection:
        yield connection
        connection.rollback()


def test_each_column_that_a_check_reads_is_in_the_fingerprint_or_explained(
    inside: Connection,
) -> None:
    """A column counts as held when a statement changes it in a row that was there, and the table
    of changes, each of which the fingerprint is shown to see, has such a statement."""
    if inside.info.server_version < 160000:
        pytest.skip("which columns a view reads stands with it since PostgreSQL 16")
    inside.execute("SAVEPOINT views")
    queries = read_by_queries(inside)
    inside.execute("ROLLBACK TO SAVEPOINT views")
    read = queries | read_by_code(inside)
    held = _changed_by_the_table(inside, {catalog for catalog, _ in read})
    left = {each for each in read - held - _EXPLAINED.keys() if each[1] != "oid"}
    assert left == set(), "neither in the fingerprint nor explained"
    assert {each for each in _EXPLAINED if each in held} == set(), (
        "explained, and held all the same"
    )
    assert _EXPLAINED.keys() - read == set(), "explained, and read by nothing"
    assert len(queries) > 100
    assert len(held & read) > 80


def _changed_by_the_table(connection: Connection, catalogs: set[str]) -> set[Column]:
    connection.rollback()
    rows = Rows(connection, catalogs)
    connection.rollback()
    held: set[Column] = set()
    for mutation in (*MUTATIONS, *AROUND_MUTATIONS):
        if mutation.since * 10000 <= connection.info.server_version:
            connection.execute(mutation.sql.encode())
            held |= rows.changed()
            connection.rollback()
    return held
