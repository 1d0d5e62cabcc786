"""What git has answered, for a process to which the repository counts as it was when it asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

# Exit code, output and error text of a command.
Answer: TypeAlias = tuple[int, bytes, str]
Ask: TypeAlias = Callable[[bytes | None], Answer]

# Commands that only ask.
_ASKING = frozenset(
    ("cat-file", "config", "for-each-ref", "log", "ls-tree", "rev-parse", "show", "symbolic-ref")
)
_OF_REMOTES = (("remote",), ("remote", "get-url"))
_OBJECTS, _KINDS = ("cat-file", "--batch"), ("cat-file", "--batch-check")


class Answers:
    """Those of commands that only ask, by the command and what it was given to read; of objects,
    by the name of each."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Answer] = {}
        self._objects: dict[bytes, bytes] = {}
        self._kinds: dict[bytes, bytes] = {}

    def of(self, command: Sequence[str], stdin: bytes | None, ask: Ask) -> Answer:
        """As it was answered before, if it was. ``ask`` is given what the command reads."""
        command = tuple(command)
        if command == _OBJECTS:
            return _by_line(self._objects, stdin or b"", ask, _objects_in)
        if command == _KINDS:
            return _by_line(self._kinds, stdin or b"", ask, _lines_in)
        if command[0] not in _ASKING and command[:2] not in _OF_REMOTES:
            return ask(stdin)
        asked = (*command, stdin)
        if asked not in self._known:
            self._known[asked] = ask(stdin)
        return self._known[asked]


def _by_line(
    known: dict[bytes, bytes], stdin: bytes, ask: Ask, taken_apart: Callable[[bytes], list[bytes]]
) -> Answer:
    """The answers to all lines, of which only those that are new are asked."""
    lines = stdin.split(b"\n")[:-1]
    new = [line for line in dict.fromkeys(lines) if line not in known]
    if new:
        answer = ask(b"".join(line + b"\n" for line in new))
        parts = taken_apart(answer[1]) if answer[0] == 0 else []
        if len(parts) != len(new):
            return ask(stdin)
        known |= zip(new, parts, strict=True)
        # The same object is asked for by path and by id.
        there = (part for part in parts if not part.endswith(b" missing\n"))
        known |= {part.partition(b" ")[0]: part for part in there}
    return 0, b"".join(known[line] for line in lines), ""


def _lines_in(answer: bytes) -> list[bytes]:
    return answer.splitlines(keepends=True)


def _objects_in(answer: bytes) -> list[bytes]:
    """https://git-scm.com/docs/git-cat-file#_batch_output"""
    return list(_each_object(answer))


def _each_object(answer: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at) + 1
        words = answer[at:end].split()
        # "<id> <type> <size>", or "<name> missing" for what is not there.
        if len(words) == 3 and words[-1].isdigit():
            end += int(words[-1]) + 1
        yield answer[at:end]
        at = end
