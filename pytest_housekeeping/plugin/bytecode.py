"""Whether a module's bytecode is what Python, or pytest, makes of its source."""

from __future__ import annotations

import ast
from types import CodeType
from typing import Any

from _pytest.assertion.rewrite import rewrite_asserts


def is_made_of(data: bytes, code: CodeType, config: Any) -> bool:
    """Compile the source once more, as Python does and as pytest does, and compare.

    What comes out of ``__pycache__`` is trusted by a file's size and time alone.
    """
    name = code.co_filename
    try:
        if compile(data, name, "exec", dont_inherit=True) == code:
            return True
        tree = ast.parse(data, filename=name)
        rewrite_asserts(tree, data, name, config)
        return bool(compile(tree, name, "exec", dont_inherit=True) == code)
    except (SyntaxError, ValueError):
        return False
