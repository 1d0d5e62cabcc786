"""A repository that remembers: what git was asked once is not asked again, and what it does is."""

from __future__ import annotations

import pytest

from pytest_housekeeping.evidence.git_answers import Answer, Answers


class Git:
    def __init__(self) -> None:
        self.ran: list[tuple[str, ...]] = []

    def run(self, answers: Answers, *command: str, stdin: bytes | None = None) -> Answer:
        def ask() -> Answer:
            self.ran.append(command)
            return 0, str(len(self.ran)).encode(), ""

        return answers.of(command, stdin, ask)


@pytest.mark.parametrize("command", [("rev-parse", "HEAD"), ("remote", "get-url", "origin")])
def test_what_was_asked_is_not_asked_again(command: tuple[str, ...]) -> None:
    git, answers = Git(), Answers()
    assert git.run(answers, *command) == git.run(answers, *command)
    assert git.ran == [command]


def test_what_it_is_given_to_read_counts() -> None:
    git, answers = Git(), Answers()
    first = git.run(answers, "cat-file", "--batch", stdin=b"one")
    assert git.run(answers, "cat-file", "--batch", stdin=b"two") != first


@pytest.mark.parametrize("command", [("fast-import",), ("update-ref", "a"), ("remote", "add", "o")])
def test_what_changes_something_is_run_each_time(command: tuple[str, ...]) -> None:
    git, answers = Git(), Answers()
    assert git.run(answers, *command) != git.run(answers, *command)
