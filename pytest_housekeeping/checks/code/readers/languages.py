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
    .lkml .lookml .malloy
    """
)
"""Programs and templates in other languages: they are searched for names, and may hold more."""

_NEVER = vocabulary(
    """
    .md .rst .txt .adoc .html .htm .css .scss .less .svg .csv .tsv .log .po .mo .pot .map .snap
    .lock .png .jpg .jpeg .gif .ico .webp .pdf .woff .woff2 .ttf .otf .eot .mp3 .mp4 .zip .gz .tgz
    .tar .jar .war .class .so .dll .dylib .pyc .wasm .bin .docx .xlsx .parquet .avro .db .sqlite
    """
)


def is_searched(suffix: str) -> bool:
    """Whether files with it are searched for names: all but prose, data and what is no text. So
    are configuration, what has no suffix, such as a Makefile, and what nobody has heard of."""
    return suffix not in SUFFIXES | _NEVER
