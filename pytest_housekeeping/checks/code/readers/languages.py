"""The languages that are read, and those that are only searched, by the suffix of a file."""

from __future__ import annotations

from pytest_housekeeping.checks.code.vocabulary import vocabulary

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
"""What one parser or another understands."""

PROGRAMS = vocabulary(
    """
    .java .kt .kts .scala .groovy .clj .cs .fs .vb .go .rs .rb .erb .php .ex .exs .erl .dart .swift
    .lua .pl .pm .r .cpp .cc .c .sh .bash .zsh .ksh .ps1 .bat .psql .j2 .jinja .jinja2 .hbs
    .mustache .ejs .tpl .tmpl .vue .svelte .astro .ipynb .pyx .graphql .gql
    """
)
"""Programs and templates in other languages: they are searched for names, and may hold more."""

SEARCHED = PROGRAMS | vocabulary(".yml .yaml .xml .json .toml .ini .conf .properties")
"""These, and what configures a mapper."""
