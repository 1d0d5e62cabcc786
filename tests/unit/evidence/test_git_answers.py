"""A repository that remembers: what git was asked once is not asked again, and what it does is."""

from __future__ import annotations

from typing import ClassVar

import pytest

from pytest_housekeeping.evidence.git.answers import Answer, Answers


class Git:
    objects: ClassVar = {
        b"": b"",
        b"HEAD:a b": b"1" * 40 + b" blob 3\nx\ny\n",
        b"1" * 40: b"1" * 40 + b" blob 3\nx\ny\n",
        b"HEAD:gone 12": b"HEAD:gone 12 missing\n",
        b"2" * 40: b"2" * 40 + b" tree 0\n\n",
    }

    def __init__(self) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.read: list[bytes] = []

    def answer(self, asked: bytes) -> bytes:
        return b"".join(self.objects[line] for line in asked.splitlines())

    def run(self, answers: Answers, *command: str, stdin: bytes | None = None) -> Answer:
        def ask(stdin: bytes | None) -> Answer:
            self.ran.append(command)
            self.read.append(stdin or b"")
            return 0, self.answer(stdin or b"") or str(len(self.ran)).encode(), ""

        return answers.of(command, stdin, ask)


@pytest.mark.parametrize("command", [("rev-parse", "HEAD"), ("remote", "get-url", "origin")])
def test_what_was_asked_is_not_asked_again(command: tuple[str, ...]) -> None:
    git, answers = Git(), Answers()
    assert git.run(answers, *command) == git.run(answers, *command)
    assert git.ran == [command]


def test_what_it_is_given_to_read_counts() -> None:
    git, answers = Git(), Answers()
    first = git.run(answers, "log", "--stdin", stdin=b"")
    assert git.run(answers, "log", "--stdin", stdin=b"HEAD:a b\n") != first


def test_an_object_is_read_once_whoever_asks_for_it() -> None:
    git, answers = Git(), Answers()
    batch = ("cat-file", "--batch")
    names = [b"HEAD:a b", b"HEAD:gone 12", b"HEAD:a b"]
    asked = b"".join(name + b"\n" for name in names)
    expected = b"".join(map(Git.objects.__getitem__, names))
    assert git.run(answers, *batch, stdin=asked) == (0, expected, "")
    assert git.read == [b"HEAD:a b\nHEAD:gone 12\n"]
    # By the id as well, and beside one that is new.
    ids = [b"2" * 40, b"1" * 40, b"HEAD:gone 12"]
    found = git.run(answers, *batch, stdin=b"".join(name + b"\n" for name in ids))
    assert found == (0, b"".join(map(Git.objects.__getitem__, ids)), "")
    assert git.read[1:] == [b"2" * 40 + b"\n"]


def test_kinds_are_no_contents() -> None:
    git, answers = Git(), Answers()
    git.run(answers, "cat-file", "--batch", stdin=b"1" * 40 + b"\n")
    git.run(answers, "cat-file", "--batch-check", stdin=b"1" * 40 + b"\n")
    assert ("cat-file", "--batch-check") in git.ran


@pytest.mark.parametrize("command", [("fast-import",), ("update-ref", "a"), ("remote", "add", "o")])
def test_what_changes_something_is_run_each_time(command: tuple[str, ...]) -> None:
    git, answers = Git(), Answers()
    assert git.run(answers, *command) != git.run(answers, *command)
