"""Texts that match a regular expression, as far as the CHECK constraints that people write need."""

from __future__ import annotations

from dataclasses import dataclass

_CLASSES = {
    "d": "0123456789",
    "w": "abcxyz019_",
    "s": " ",
    "alpha": "abcxyz",
    "digit": "0123456789",
    "alnum": "abcxyz019",
    "upper": "ABCXYZ",
    "lower": "abcxyz",
    "space": " ",
    "xdigit": "0123456789abcdef",
    "punct": "-_.",
}
_ANY = "axb1-"
_PRINTABLE = "abcxyzABCXYZ0123456789-_.@:/ +"


class _Unknown(Exception):
    """A construct of regular expressions that is not understood."""


def samples_of(pattern: str) -> tuple[str, ...]:
    """A few texts that are likely to match a pattern; none where it is not understood.

    PostgreSQL decides whether they do: https://www.postgresql.org/docs/16/functions-matching.html
    """
    found: dict[str, None] = {}
    for turn in range(3):
        try:
            found[_Sampler(pattern, turn).run()] = None
        except (_Unknown, IndexError):
            return ()
    return tuple(found)


@dataclass
class _Sampler:
    """Reads a pattern from left to right and writes one text that matches it.

    ``turn`` chooses among the alternatives, ``at`` is the place in the pattern.
    """

    pattern: str
    turn: int
    at: int = 0

    def run(self) -> str:
        text = self._branches()
        if self.at < len(self.pattern):
            raise _Unknown
        return text

    def _branches(self) -> str:
        choices = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            choices.append(self._sequence())
        return choices[self.turn % len(choices)]

    def _sequence(self) -> str:
        text = ""
        while self.at < len(self.pattern) and self._peek() not in "|)":
            text += self._repeated()
        return text

    def _repeated(self) -> str:
        start = self.at
        once = self._atom()
        low = 1
        if self._peek() in ("*", "+", "?"):
            low = {"*": 0, "+": 1, "?": 0}[self._peek()]
            low = max(low, 2 if self._peek() != "?" else 0)
            self.at += 1
        elif self._peek() == "{":
            end = self.pattern.index("}", self.at) if "}" in self.pattern[self.at :] else -1
            if end < 0:
                raise _Unknown
            low = int(self.pattern[self.at + 1 : end].split(",")[0] or 0)
            self.at = end + 1
        if self._peek() == "?":
            self.at += 1
        if start == self.at:
            raise _Unknown
        return once * low

    def _atom(self) -> str:
        sign = self.pattern[self.at]
        self.at += 1
        if sign in "^$":
            return ""
        if sign == "(":
            return self._group()
        if sign == "[":
            return self._pick(self._bracket())
        if sign == "\\":
            return self._escape()
        if sign == ".":
            return self._pick(_ANY)
        return sign

    def _group(self) -> str:
        if self.pattern.startswith("?:", self.at):
            self.at += 2
        elif self._peek() == "?":
            raise _Unknown
        text = self._branches()
        if self._peek() != ")":
            raise _Unknown
        self.at += 1
        return text

    def _escape(self) -> str:
        sign = self.pattern[self.at]
        self.at += 1
        if sign in "mMyYAZ":
            return ""
        return self._pick(_CLASSES[sign]) if sign in _CLASSES else sign

    def _bracket(self) -> str:
        negated = self._peek() == "^"
        self.at += negated
        members = ""
        first = True
        while first or self._peek() != "]":
            first = False
            members += self._member()
        self.at += 1
        if negated:
            return "".join(sign for sign in _PRINTABLE if sign not in members)
        return members

    def _member(self) -> str:
        if self.pattern.startswith("[:", self.at):
            end = self.pattern.index(":]", self.at) if ":]" in self.pattern else -1
            name = self.pattern[self.at + 2 : end]
            if end < 0 or name not in _CLASSES:
                raise _Unknown
            self.at = end + 2
            return _CLASSES[name]
        sign = self.pattern[self.at]
        self.at += 1
        if sign == "\\":
            sign = self.pattern[self.at]
            self.at += 1
            if sign in _CLASSES:
                return _CLASSES[sign]
        if self._peek() == "-" and self.pattern[self.at + 1] != "]":
            last = self.pattern[self.at + 1]
            self.at += 2
            return "".join(chr(code) for code in range(ord(sign), ord(last) + 1))
        return sign

    def _pick(self, members: str) -> str:
        return members[self.turn % len(members)]

    def _peek(self) -> str:
        return self.pattern[self.at] if self.at < len(self.pattern) else ""
