"""What Liquibase's marks say of a changeset, and what of it runs: upwards and back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from pytest_housekeeping.sql.changesets import MARK, without_ignored
from pytest_housekeeping.sql.identifiers import text_literal
from pytest_housekeeping.sql.layouts.layout import Reading
from pytest_housekeeping.sql.layouts.liquibase_bodies import without_comments_in_bodies
from pytest_housekeeping.sql.layouts.placeholders import replaced
from pytest_housekeeping.sql.problems import Problem

_ATTRIBUTE = re.compile(r'(\w+):("[^"]*"|\S*)')
_MARK = re.compile(MARK, re.IGNORECASE)
_BACK = re.compile(r"^([ \t]*--[ \t]*rollback )(.*)$", re.MULTILINE | re.IGNORECASE)
_BACK_BLOCK = re.compile(
    r"^[ \t]*/\*[ \t]*liquibase[ \t]*rollback[ \t]*$\n(.*?)\*/[ \t]*$",
    re.MULTILINE | re.IGNORECASE | re.DOTALL,
)
_NOTHING_BACK = re.compile(r"(?:not required|empty)", re.IGNORECASE)
_CONDITIONS = re.compile(r"^[ \t]*--[ \t]*preconditions\b(.*)$", re.MULTILINE | re.IGNORECASE)
_CONDITION = re.compile(r"^[ \t]*--[ \t]*precondition-([\w-]+)(.*)$", re.MULTILINE | re.IGNORECASE)
_ASKED = re.compile(
    r"[ \t]+(?:expectedResult:)?(?:(\w+)|'([^']+)'|\"([^\"]+)\") (.+)", re.IGNORECASE
)
_ELSE = re.compile(
    r"^[ \t]*--[ \t]*(property|include|includeAll|sqlFile)\b.*$", re.MULTILINE | re.IGNORECASE
)
_DELIMITER = re.compile(r"[^\w\s;'\"$()-]{1,3}")
_VALID = re.compile(r"^--\s*validCheckSum:? ", re.MULTILINE | re.IGNORECASE)
_NO_SQL = re.compile(
    r"--\s*(?:comment:? |ignoreLines:)"
    r"|\s*--\s*(?:rollback |preconditions|precondition-|property\s)",
    re.IGNORECASE,
)
_POSTGRESQL = "postgresql"
_RUNS_IT = (
    "take it out where production has the changeset, or is to get it (Liquibase's checksum has no"
    " attributes in it); otherwise move the changeset out of the folder, to sql/seeds/ where it"
    " makes rows for tests"
)


def attributes_of(header: str) -> dict[str, str]:
    """What stands behind author and id in the line of a mark, by its name in small letters."""
    found = _MARK.match(header)
    rest = header[found.end() :] if found else header
    return {each[1].lower(): each[2].strip('"') for each in _ATTRIBUTE.finditer(rest)}


def logical_path(head: str) -> str:
    """What Liquibase calls the file instead of its path; "" where the marks do not say."""
    return attributes_of(head).get("logicalfilepath", "")


def left_out(header: str) -> str:
    """Why Liquibase itself never runs a changeset on PostgreSQL; "" for one that it runs."""
    said = attributes_of(header)
    if said.get("ignore") == "true":
        return "its mark says ignore:true"
    named = [each for each in said.get("dbms", "").lower().split(",") if each]
    wanted = [each for each in named if not each.startswith("!")]
    if f"!{_POSTGRESQL}" in named or "none" in named:
        return "it is for another database"
    if wanted and _POSTGRESQL not in wanted and "all" not in wanted:
        return f"it is for {' and '.join(wanted)}"
    return ""


def way_up(text: str, values: Mapping[str, str]) -> Reading:
    """A changeset as it runs: what only Liquibase understands is a comment, blank or refused."""
    header = text.partition("\n")[0]
    said = attributes_of(header)
    problems = [*_refused(text, header, said), *_refused_marks(text)]
    text = without_ignored(text.encode()).decode().replace("\r\n", "\n")
    text, asked = _with_conditions(text)
    text, wrong = _with_semicolons(text, said.get("enddelimiter", ""))
    # The mark has said what it says: a rollback brings the text back as plain SQL.
    found = replaced(text[len(header.removesuffix("\r")) :], values)
    stripped = said.get("stripcomments") != "false"
    return Reading(
        text=without_comments_in_bodies(found.text) if stripped else found.text,
        # Of history as well: nobody knows what of it has run.
        problems=tuple(
            replace(each, unreadable=True) for each in (*problems, *asked, *wrong, *found.problems)
        ),
        outside=said.get("runintransaction") == "false",
    )


def way_back(text: str, values: Mapping[str, str] | None = None) -> Reading:
    """The statements of its ``--rollback`` lines, each in the line in which it stands."""
    said = attributes_of(text.partition("\n")[0])
    spans = [(each.start(2), each.end(2)) for each in _BACK.finditer(text)]
    spans += [(each.start(1), each.end(1)) for each in _BACK_BLOCK.finditer(text)]
    kept = "".join(_kept(text, sorted(spans)))
    if _NOTHING_BACK.match(kept.strip()):
        return Reading(text="")
    if "changesetid" in kept.lower():
        at = spans[0][0]
        problem = Problem.at(
            text,
            at,
            f"the rollback {text[at:].splitlines()[0]!r} names another changeset",
            "what that one does would have to be looked for in it, whatever it says by then",
            "write the statements themselves behind --rollback",
        )
        return Reading(text=kept, problems=(problem,))
    kept, wrong = _with_semicolons(kept, said.get("rollbackenddelimiter", ""))
    found = replaced(kept, values or {}) if values is not None else Reading(text=kept)
    return Reading(text=found.text, problems=(*wrong, *found.problems))


def _kept(text: str, spans: list[tuple[int, int]]) -> Iterator[str]:
    done = 0
    for start, end in spans:
        yield re.sub(r"[^\n]", " ", text[done:start])
        yield text[start:end]
        done = end


def _refused(text: str, header: str, said: Mapping[str, str]) -> Iterator[Problem]:
    """What a mark says that only a run of Liquibase's decides, or that nothing here does."""
    reasons = {
        "context": (said.get("context"), "which contexts a run has, its command says", _RUNS_IT),
        "contextFilter": (
            said.get("contextfilter"),
            "which contexts a run has, its command says",
            _RUNS_IT,
        ),
        "labels": (said.get("labels"), "which labels a run asks for, its command says", _RUNS_IT),
        "runAlways": (
            said.get("runalways") == "true" and "true",
            "it would run with each promotion, proved by none",
            "take it out, and write runOnChange:true where a change of its text is to run it again",
        ),
        "failOnError": (
            said.get("failonerror") == "false" and "false",
            "an error ends the whole batch here, and nothing of it stays",
            "take it out; what may be there already is made with IF NOT EXISTS",
        ),
        "runWith": (
            said.get("runwith", "jdbc") != "jdbc" and said["runwith"],
            "another program would read it",
            "take it out where the changeset is plain SQL; otherwise write it as SQL",
        ),
    }
    for name, (value, why, fix) in reasons.items():
        if value:
            at = re.search(rf"\b{name}:", header, re.IGNORECASE)
            start = at.start() if at else 0
            yield Problem.at(text, start, f"{name}:{value} stands behind the mark", why, fix)


def _refused_marks(text: str) -> Iterator[Problem]:
    for found in _ELSE.finditer(text):
        name = found[1]
        yield Problem.at(
            text,
            found.start(),
            f"the line {found[0].strip()!r} is one of Liquibase's, and not read here",
            "what it brings would be missing",
            "give the value under [tool.housekeeping.placeholders], and take the line out"
            if name.lower() == "property"
            else "write in its place what it brings",
        )


def _with_conditions(text: str) -> tuple[str, list[Problem]]:
    """Conditions that end a run of Liquibase's end the batch as well: each is asked in its line."""
    problems = []
    for found in _CONDITIONS.finditer(text):
        said = {k: v for k, v in attributes_of(found[1]).items() if k in ("onfail", "onerror")}
        if any(value.upper() != "HALT" for value in said.values()):
            problems.append(
                Problem.at(
                    text,
                    found.start(),
                    f"the condition {found[0].strip()!r} decides whether the changeset runs",
                    "what production decides is in no copy of its schema: staging would prove"
                    " another batch",
                    "take it and the lines of what it asks out, where the changeset is to run"
                    " (Liquibase's checksum has no conditions in it); or write it as a DO block"
                    " with IF",
                )
            )
    if problems:
        return text, problems

    def asked(found: re.Match[str]) -> str:
        said = _ASKED.fullmatch(found[2].rstrip())
        if found[1].lower() != "sql-check" or said is None:
            problems.append(
                Problem.at(
                    text,
                    found.start(),
                    f"the condition {found[0].strip()!r} is not read here",
                    "the batch would run where Liquibase would have stopped",
                    "write it as: --precondition-sql-check expectedResult:1 SELECT …",
                )
            )
            return found[0]
        wanted = said[1] or said[2] or said[3]
        return _check(wanted, said[4].rstrip().rstrip(";"))

    return _CONDITION.sub(asked, text), problems


def _check(wanted: str, query: str) -> str:
    """One line that ends the transaction unless a query gives just this; JDBC writes t for true."""
    known = {
        "true": ("t", "true"),
        "false": ("f", "false"),
        "t": ("t", "true"),
        "f": ("f", "false"),
    }
    values = ", ".join(map(text_literal, known.get(wanted.lower(), (wanted,))))
    said = text_literal(f"the precondition is not met: {query} is not {wanted}")
    return (
        f"DO $hk_condition$ BEGIN IF coalesce(({query})::pg_catalog.text NOT IN ({values}), true)"
        f" THEN RAISE EXCEPTION USING MESSAGE = {said}; END IF; END $hk_condition$;"
    )


def _with_semicolons(text: str, delimiter: str) -> tuple[str, list[Problem]]:
    """The text with ";" in the place of another end of a statement, where that ends a line."""
    if delimiter in ("", ";"):
        return text, []
    if not _DELIMITER.fullmatch(delimiter):
        problem = Problem.at(
            text,
            0,
            f"endDelimiter:{delimiter} is not read here",
            "it may stand within a statement as well, and where one ends nobody can say",
            "take it out, and end the statements with ; (splitStatements:false keeps a function"
            " whole in Liquibase)",
        )
        return text, [problem]
    ends = re.compile(rf";?[ \t]*{re.escape(delimiter)}(?=[ \t]*\r?$)", re.MULTILINE)
    return ends.sub(lambda found: ";" + " " * (len(found[0]) - 1), text), []


def summed(text: str, values: Mapping[str, str]) -> str:
    """What Liquibase's checksum is made of: what it takes for SQL, with values in the place of
    names, without white space; "" for a changeset that says which other sums are valid."""
    if _VALID.search(text):
        return ""
    text = without_ignored(text.encode()).decode()
    text = _BACK_BLOCK.sub("", text)
    lines = [line for line in text.split("\n")[1:] if not _NO_SQL.match(line)]
    return re.sub(r"[ \t\r\n]", "", replaced("\n".join(lines), values).text)
