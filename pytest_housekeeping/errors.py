"""What can go wrong, each error in three parts: what was found, why it matters, what to do now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence


class HousekeepingError(Exception):
    """A refusal or failure that a person has to read.

    Guarantees: the message names the object concerned and never holds a password or a DSN.
    """

    def __init__(self, found: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.found]
        if self.why:
            lines.append(part_of("why", self.why))
        if self.fix:
            lines.append(part_of("fix", self.fix))
        return "\n".join(lines)


class MisuseError(HousekeepingError):
    """The command line, the configuration or a file is not usable: pytest's exit code 4."""


class ServerError(HousekeepingError):
    """The throwaway server could not be made, started or reached."""


class SqlFileError(MisuseError):
    """A file under ``sql/`` or ``checks/`` that cannot be part of a plan."""


class SqlFailed(HousekeepingError):
    """PostgreSQL refused a statement of a file; the message shows file, line, column and text."""

    def __init__(self, found: str, *, why: str = "", fix: str = "", sqlstate: str = "") -> None:
        super().__init__(found, why=why, fix=fix)
        self.sqlstate = sqlstate


class LeftBehind(SqlFailed):
    """PostgreSQL refused a statement outside of any transaction, and part of it may stand."""


class ProofFailed(HousekeepingError):
    """A guarantee of the transaction did not hold, or a required step has no recorded pass."""


class RuleBroken(HousekeepingError):
    """A rule that is badly written or could not run: never a pass, never a finding."""


class EvidenceError(HousekeepingError):
    """The record of the run could not be written or committed."""


def part_of(name: str, text: str) -> str:
    """A part of a message, below what it belongs to: each line of it indented like the first."""
    head = f"  {name}: "
    return head + text.replace("\n", f"\n{' ' * len(head)}")


def did_you_mean(name: str, known: Iterable[str], *, spell: Callable[[str], str] = str) -> str:
    """`` (did you mean ...?)`` for the known name that is closest to a mistyped one; "" when none
    is close. ``spell`` says how the name is written in the message."""
    import difflib

    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {spell(near[0])}?)" if near else ""


def named(names: Sequence[str], most: int = 12) -> str:
    """The first names, and how many more there are, for a message: ``a, b and 3 more``."""
    return ", ".join(names[:most]) + f" and {len(names) - most:,} more" * (len(names) > most)


def listed(lines: Sequence[str], most: int) -> str:
    """The first lines, each indented on a line of its own, and how many more there are."""
    more = [f"and {len(lines) - most:,} more"] * (len(lines) > most)
    return "".join(f"\n  {line}" for line in (*lines[:most], *more))
