"""PostgreSQL's parser as the rest of the code sees it: nodes, places, tokens, printing."""

from __future__ import annotations

import threading

import pytest

from pytest_housekeeping.sql.parser import (
    Node,
    ParseError,
    Unprintable,
    changed,
    children,
    deparse,
    fields,
    is_a,
    mapped,
    parse,
    parse_json,
    parse_plpgsql,
    scan,
    split,
    walk,
)


def condition(text: str) -> Node:
    """The condition of a statement that has nothing else."""
    node: Node = parse(f"SELECT WHERE {text}")[0].stmt.whereClause
    return node


# -- nodes -----------------------------------------------------------------------------------------


def test_a_node_has_the_fields_of_its_kind_and_no_others() -> None:
    node = condition("a = 1")
    assert (node.tag, node.kind, node.name[-1].sval) == ("A_Expr", "AEXPR_OP", "=")
    assert [name for name, _ in fields(node)] == ["kind", "name", "lexpr", "rexpr", "location"]
    assert not hasattr(node, "relname")
    with pytest.raises(AttributeError, match="A_Expr has no field relname"):
        node.relname  # noqa: B018
    with pytest.raises(TypeError, match="A_Expr has no field relname"):
        Node("A_Expr", relname="a")


def test_what_a_text_leaves_open_has_a_value_by_its_type() -> None:
    statement = parse("SELECT FROM t")[0].stmt
    assert statement.whereClause is None
    assert statement.targetList == ()
    assert statement.all is False
    relation = statement.fromClause[0]
    assert (relation.schemaname, relation.inh) == (None, True)
    assert parse("SELECT FROM ONLY t")[0].stmt.fromClause[0].inh is False


@pytest.mark.parametrize(
    ("text", "tag", "field", "value"),
    [
        ("0", "Integer", "ival", 0),
        ("7", "Integer", "ival", 7),
        ("2147483648", "Float", "fval", "2147483648"),
        ("99999999999999999999", "Float", "fval", "99999999999999999999"),
        ("1e5", "Float", "fval", "1e5"),
        ("''", "String", "sval", ""),
        ("'ü'", "String", "sval", "ü"),
        ("false", "Boolean", "boolval", False),
        ("true", "Boolean", "boolval", True),
        ("B'01'", "BitString", "bsval", "b01"),
    ],
)
def test_a_constant_has_its_value_also_when_it_is_nothing(
    text: str, tag: str, field: str, value: object
) -> None:
    constant = condition(text)
    assert constant.tag == "A_Const"
    assert constant.val.tag == tag
    assert getattr(constant.val, field) == value
    assert condition(deparse(constant)) == constant


def test_null_is_a_constant_without_a_value() -> None:
    constant = condition("NULL")
    assert (constant.val, constant.isnull) == (None, True)


def test_an_enum_is_a_name_also_the_one_that_counts_as_0() -> None:
    assert condition("a AND b").boolop == "AND_EXPR"
    assert condition("NOT a").boolop == "NOT_EXPR"
    assert parse("BEGIN")[0].stmt.kind == "TRANS_STMT_BEGIN"
    assert Node("BoolExpr").boolop == "AND_EXPR"
    assert parse("ALTER TABLE t ADD a int")[0].stmt.cmds[0].subtype == "AT_AddColumn"


def test_a_list_in_the_place_of_a_node_is_a_tuple() -> None:
    comment = parse("COMMENT ON COLUMN s.t.a IS 'x'")[0].stmt
    assert [each.sval for each in comment.object] == ["s", "t", "a"]
    assert parse("SELECT DISTINCT a FROM t")[0].stmt.distinctClause == (None,)
    assert [each.val.ival for each in condition("a IN (1, 2)").rexpr] == [1, 2]


def test_def_is_read_with_a_mark_behind_it() -> None:
    command = parse("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)")[0].stmt.cmds[0]
    assert command.def_.conname == "c"


def test_nodes_are_equal_wherever_they_stand() -> None:
    assert condition("a   =\n 1") == condition("a = 1")
    assert hash(condition("a   =\n 1")) == hash(condition("a = 1"))
    assert condition("a = 1") != condition("a = 2")
    assert condition("a = 0") != condition("a = NULL")
    assert Node("String", sval="a") == parse("SELECT a")[0].stmt.targetList[0].val.fields[0]
    assert condition("a") != "a"


def test_a_node_is_never_changed_but_copied() -> None:
    index = parse("CREATE INDEX CONCURRENTLY i ON t (a)")[0].stmt
    with pytest.raises(AttributeError, match="IndexStmt"):
        index.concurrent = False
    assert deparse(changed(index, concurrent=False)) == "CREATE INDEX i ON t USING btree (a)"
    assert index.concurrent is True


def test_all_nodes_below_one_are_walked_before_their_own() -> None:
    text = "f(a.b, 1) AND c IN (SELECT d FROM e)"
    names = [each.fields[-1].sval for each in walk(condition(text)) if is_a(each, "ColumnRef")]
    assert names == ["b", "c", "d"]
    assert [each.tag for each in children(condition("a = 1"))] == ["String", "ColumnRef", "A_Const"]
    assert list(walk(None)) == []
    assert not is_a(("a",), "ColumnRef")


def test_a_tree_is_rewritten_from_the_top() -> None:
    def one_more(node: Node) -> Node:
        if is_a(node, "Integer"):
            return changed(node, ival=node.ival + 1)
        return mapped(node, one_more)

    assert deparse(one_more(condition("a = 0 OR f(1) IN (2, 3)"))) == "a = 1 OR f(2) IN (3, 4)"


# -- places ----------------------------------------------------------------------------------------


def test_places_are_in_characters() -> None:
    text = "SELECT 'ü€😀', ä;  SELECT 'é', x /* ß */ ;SELECT 1"
    pieces = []
    for statement in parse(text):
        end = statement.stmt_location + statement.stmt_len if statement.stmt_len else None
        pieces.append(text[statement.stmt_location : end])
    assert pieces == ["SELECT 'ü€😀', ä", "SELECT 'é', x /* ß */ ", "SELECT 1"]
    first, second, _ = parse(text)
    assert text[first.stmt.targetList[1].location] == "ä"
    assert text[second.stmt.targetList[1].val.location] == "x"


@pytest.mark.parametrize(
    ("text", "message", "location"),
    [
        ("SELECT 'üü€' FORM x", 'syntax error at or near "x"', 18),
        ("SELECT 1 ü ü", 'syntax error at or near "ü"', 11),
        ("FORM", 'syntax error at or near "FORM"', 0),
        ("SELECT (", "syntax error at end of input", 8),
        ("SELECT '€", 'unterminated quoted string at or near "\'€"', 7),
        ("SELECT 'é\0'", "a NUL byte cannot stand in SQL", 9),
        ("SELECT '\ud800'", "a lone surrogate is no character", 8),
    ],
)
def test_an_error_tells_its_place(text: str, message: str, location: int) -> None:
    for function in (parse, parse_json, split):
        with pytest.raises(ParseError) as caught:
            function(text)
        assert (caught.value.message, caught.value.location) == (message, location)
        assert str(caught.value) == f"{message}, at index {location}"


def test_a_text_may_be_empty_or_only_a_comment() -> None:
    for text in ("", " \n", "-- nothing", "/* nothing */ ;"):
        assert parse(text) == ()
        assert split(text) == ()


# -- nesting and threads ---------------------------------------------------------------------------


def test_hundreds_of_operators_are_read_and_printed() -> None:
    node = condition(" + ".join(["a"] * 200))
    assert len([each for each in walk(node) if is_a(each, "ColumnRef")]) == 200
    assert condition(deparse(node)) == node


def test_too_deep_a_text_is_an_error_and_no_crash() -> None:
    with pytest.raises(ParseError, match="nested too deeply"):
        parse("SELECT a" + "+a" * 100_000)
    node = Node("String", sval="a")
    for _ in range(3000):
        node = Node("BoolExpr", args=(node, node))
    with pytest.raises(Unprintable, match="nested too deeply"):
        deparse(node)


def test_threads_do_not_meet() -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for _ in range(200):
            if deparse(parse(f"SELECT {number}")[0]) != f"SELECT {number}":
                wrong.append(number)
            try:
                parse(f"FORM{number}")
            except ParseError as error:
                if f"FORM{number}" not in error.message:
                    wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# -- tokens, statements, names ---------------------------------------------------------------------


def test_tokens_have_their_ends_and_kinds() -> None:
    text = "SELECT 'ü;', $1 {-- ä\n;"
    found = [(text[each.start : each.end], each.name, each.kind) for each in scan(text)]
    assert found == [
        ("SELECT", "SELECT", "RESERVED_KEYWORD"),
        ("'ü;'", "SCONST", "NO_KEYWORD"),
        (",", "ASCII_44", "NO_KEYWORD"),
        ("$1", "PARAM", "NO_KEYWORD"),
        ("{", "UNKNOWN", "NO_KEYWORD"),
        ("-- ä", "SQL_COMMENT", "NO_KEYWORD"),
        (";", "ASCII_59", "NO_KEYWORD"),
    ]
    with pytest.raises(ParseError, match="unterminated quoted string"):
        scan("'")


def test_a_text_is_split_at_the_semicolons_that_end_a_statement() -> None:
    body = "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $ä$ BEGIN; END; $ä$"
    text = f"-- one; two\nSELECT ';ü' ; {body};\n/* ; */ SELECT 1;;"
    assert split(text) == ("SELECT ';ü'", body, "SELECT 1")


# -- printing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a.b = 1 AND NOT (c OR d)",
        "(a + 1) * 2",
        "x::numeric(10, 2) IS NOT DISTINCT FROM 0",
        "EXISTS (SELECT 1 FROM s.t x WHERE x.id = id)",
        "a = ANY (ARRAY['x', 'y'])",
        "a IN (SELECT b FROM c)",
        "CASE WHEN a THEN 'ü' ELSE NULL END = 'x'",
        "current_setting('app.tenant', true)::uuid = tenant",
        'CURRENT_USER = "order"."Select"',
        "(a, b) = (SELECT 1, 2)",
        "a[1] = b.c[2:3]",
        "a COLLATE \"C\" LIKE 'x%'",
        "a BETWEEN 1 AND 2",
        "a = ''",
        "a = false",
        "a = -1",
        # Of these libpg_query's printer forgets the parentheses.
        "(a AND b) IS NOT NULL",
        "(NOT a) IN (b, c)",
        "(a OR b) IN (SELECT c)",
        "a IS NOT DISTINCT FROM (b AND c)",
        "((a IN (1)) = (b OR c)) IS NULL",
        "(a AND 'hk_operand0' = b) IS NOT NULL",
    ],
)
def test_what_is_printed_reads_as_what_was_parsed(text: str) -> None:
    node = condition(text)
    assert condition(deparse(node)) == node


def test_parts_of_a_table_are_printed_as_they_stand_in_it() -> None:
    text = 'CREATE TABLE ONLY_.t (a "Odd"[] DEFAULT 0 NOT NULL, CONSTRAINT c CHECK (a > 0))'
    table = parse(text)[0].stmt
    column, constraint = table.tableElts
    assert deparse(table.relation) == "only_.t"
    assert deparse(column.typeName) == '"Odd"[]'
    assert deparse(column) == 'a "Odd"[] DEFAULT 0 NOT NULL'
    assert deparse(constraint) == "CONSTRAINT c CHECK (a > 0)"
    assert deparse(parse("SELECT FROM ONLY a.b")[0].stmt.fromClause[0]) == "ONLY a.b"


def test_a_statement_keeps_the_parentheses_of_its_conditions() -> None:
    text = "CREATE INDEX i ON t USING btree (a) WHERE (a AND b) IS NOT NULL"
    assert deparse(parse(text)[0]) == text


def test_what_would_be_read_as_something_else_is_not_printed() -> None:
    minus = Node("A_Expr", name=(Node("String", sval="-"),), rexpr=condition("1"))
    with pytest.raises(Unprintable, match="read as something else: SELECT - 1"):
        deparse(minus)


def test_a_function_of_a_column_type_is_named() -> None:
    made = parse("CREATE FUNCTION f(a t.b%TYPE) RETURNS SETOF s.x LANGUAGE sql AS ''")[0].stmt
    assert deparse(made.parameters[0].argType) == "t.b%type"
    assert deparse(made.returnType) == "SETOF s.x"


def test_a_node_made_by_hand_is_printed() -> None:
    name = (Node("String", sval="="),)
    made = Node("A_Expr", kind="AEXPR_OP", name=name, lexpr=condition("a"), rexpr=condition("'ü'"))
    assert deparse(made) == "a = 'ü'"
    assert deparse(Node("BoolExpr", boolop="OR_EXPR", args=(made, made))) == "a = 'ü' OR a = 'ü'"


# -- PL/pgSQL --------------------------------------------------------------------------------------

FUNCTION = "CREATE FUNCTION f() RETURNS {} LANGUAGE plpgsql AS $$ {} $$"


def test_a_function_in_plpgsql_is_read() -> None:
    (function,) = parse_plpgsql(FUNCTION.format("int", "BEGIN RETURN 'é' || 1; END"))
    action = function["PLpgSQL_function"]["action"]["PLpgSQL_stmt_block"]
    (body,) = action["body"]
    assert body["PLpgSQL_stmt_return"]["expr"]["PLpgSQL_expr"]["query"] == "'é' || 1"


def test_a_trigger_function_is_read_in_spite_of_its_own_variables() -> None:
    body = """BEGIN PERFORM '[{}},{}}', '"', tg_op; RETURN new; END"""
    (function,) = parse_plpgsql(FUNCTION.format("trigger", body))
    block = function["PLpgSQL_function"]["action"]["PLpgSQL_stmt_block"]["body"]
    query = block[0]["PLpgSQL_stmt_perform"]["expr"]["PLpgSQL_expr"]["query"]
    assert query == """SELECT '[{}},{}}', '"', tg_op"""


@pytest.mark.parametrize(
    "text",
    [
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql",
        "CREATE FUNCTION f() RETURNS int",
        "CREATE PROCEDURE f() LANGUAGE PLPGSQL",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql RETURN 1",
        "DO LANGUAGE plpgsql",
    ],
)
def test_plpgsql_without_a_body_is_an_error_and_no_crash(text: str) -> None:
    with pytest.raises(ParseError, match="no function body specified"):
        parse_plpgsql(text)


def test_what_is_no_plpgsql_is_none_or_an_error() -> None:
    assert parse_plpgsql("SELECT 1") == []
    with pytest.raises(ParseError, match='syntax error at or near "x"'):
        parse_plpgsql(FUNCTION.format("void", "BEGIN x y; END"))
