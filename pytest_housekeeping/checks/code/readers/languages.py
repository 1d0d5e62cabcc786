"""The languages that are read, by the suffix of a file."""

from __future__ import annotations

SCRIPT_DIALECTS = {
    ".ts": "ts",
    ".mts": "ts",
    ".cts": "ts",
    ".tsx": "tsx",
    ".js": "js",
    ".mjs": "js",
    ".cjs": "js",
    ".jsx": "js",
}
"""TypeScript and JavaScript, by the grammar that reads them."""

SUFFIXES = frozenset({".py", ".sql", ".prisma", *SCRIPT_DIALECTS})
