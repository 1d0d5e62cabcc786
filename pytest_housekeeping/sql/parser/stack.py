"""A call that may go deep, in a thread that has the stack for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAGE = 64 * 1024
# The size is that of all threads to be started, so only one may choose it at a time.
_CHOOSING = threading.Lock()


def with_stack(size: int, call: Callable[[], T]) -> T:
    """What a call gives, or raises, on a stack of about so many bytes."""
    given: list[T] = []
    raised: list[BaseException] = []

    def work() -> None:
        try:
            given.append(call())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, name="hk-parser")
    with _CHOOSING:
        before = threading.stack_size(_PAGE * (size // _PAGE + 1))
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    thread.join()
    if raised:
        raise raised[0]
    return given[0]
