"""A pytest plugin for a watched run: note each folder that its process makes, to look for it later.

Loaded with ``-p support.folder_watch``; the list goes to the file that HK_TEST_FOLDERS names.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "os.mkdir":
        os.write(_LIST, os.fsencode(arguments[0]) + b"\n")


_LIST = os.open(os.environ["HK_TEST_FOLDERS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
sys.addaudithook(_note)
