"""What one file names, whatever is in it: bad input is undecided, and never an error."""

from __future__ import annotations

from pytest_housekeeping.checks.code.facts import FileFacts, Undecided
from pytest_housekeeping.checks.code.readers.files import decode
from pytest_housekeeping.checks.code.readers.languages import SCRIPT_DIALECTS, is_searched


def read_source(data: bytes, file: str, suffix: str) -> FileFacts:
    """What the file names. Each language's parser is imported with its first file."""
    if is_searched(suffix):
        from pytest_housekeeping.checks.code.readers import searched

        return searched.read(data.decode(errors="replace"), file)
    try:
        return _read(decode(data, suffix), file, suffix)
    except SyntaxError as error:
        return _undecided(
            file, error.lineno or 1, error.offset or 1, f"it does not parse: {error.msg}"
        )
    except ValueError as error:
        return _undecided(file, 1, 1, str(error) or "it cannot be read")
    except (RecursionError, MemoryError):
        return _undecided(file, 1, 1, "it is nested too deeply to be read")


def unreadable(file: str, error: OSError) -> FileFacts:
    """The facts of a file that is there and cannot be read: it is undecided."""
    return _undecided(file, 1, 1, f"it cannot be read: {error.strerror}")


def _read(text: str, file: str, suffix: str) -> FileFacts:
    if suffix == ".py":
        from pytest_housekeeping.checks.code.readers.python import read as python

        return python.read(text, file)
    if suffix == ".sql":
        from pytest_housekeeping.checks.code.readers import sql

        return sql.read(text, file)
    if suffix == ".prisma":
        from pytest_housekeeping.checks.code.readers import prisma

        return prisma.read(text, file)
    from pytest_housekeeping.checks.code.readers.script import read as script

    return script.read(text, file, SCRIPT_DIALECTS[suffix])


def _undecided(file: str, line: int, column: int, reason: str) -> FileFacts:
    return FileFacts(
        found=(
            Undecided(
                file=file, line=line, column=max(column, 1), symbol="<module>", reason=reason
            ),
        )
    )
