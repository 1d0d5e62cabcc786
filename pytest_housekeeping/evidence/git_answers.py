"""What git has answered, for a process to which the repository counts as it was when it asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

# Exit code, output and error text of a command.
Answer: TypeAlias = tuple[int, bytes, str]

# Commands that only ask.
_ASKING = frozenset(
    ("cat-file", "config", "for-each-ref", "log", "ls-tree", "rev-parse", "symbolic-ref")
)


class Answers:
    """Those of commands that only ask, by the command and what it was given to read."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Answer] = {}

    def of(self, command: Sequence[str], stdin: bytes | None, ask: Callable[[], Answer]) -> Answer:
        """As it was answered before, if it was."""
        if command[0] not in _ASKING and tuple(command[:2]) != ("remote", "get-url"):
            return ask()
        asked = (*command, stdin)
        if asked not in self._known:
            self._known[asked] = ask()
        return self._known[asked]
