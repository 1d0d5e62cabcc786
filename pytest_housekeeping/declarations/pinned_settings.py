"""The settings of a session that are the same wherever a file runs, and what a project may choose.

Each of them can change what a text means or what becomes of it. ``postgres.session`` sends them.
"""

from __future__ import annotations

from collections.abc import Mapping

# By the major version since which they are known. Any role may set all of them.
_PINNED: Mapping[int, Mapping[str, str]] = {
    0: {
        "DateStyle": "ISO, MDY",
        "IntervalStyle": "postgres",
        "TimeZone": "UTC",
        "timezone_abbreviations": "Default",
        "search_path": '"$user", public',
        "role": "none",
        "standard_conforming_strings": "on",
        "backslash_quote": "safe_encoding",
        "transform_null_equals": "off",
        "array_nulls": "on",
        "bytea_output": "hex",
        "xmlbinary": "base64",
        "xmloption": "content",
        "extra_float_digits": "1",
        "quote_all_identifiers": "off",
        "lc_monetary": "C",
        "lc_numeric": "C",
        "lc_time": "C",
        "default_text_search_config": "pg_catalog.english",
        "default_tablespace": "",
        "temp_tablespaces": "",
        "default_table_access_method": "heap",
        "default_toast_compression": "pglz",
        "default_transaction_isolation": "read committed",
        "default_transaction_read_only": "off",
        "default_transaction_deferrable": "off",
        "check_function_bodies": "on",
        "plpgsql.check_asserts": "on",
        "password_encryption": "scram-sha-256",
        "row_security": "on",
        "synchronous_commit": "on",
        "statement_timeout": "0",
        "lock_timeout": "0",
        "idle_session_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "exit_on_error": "off",
        "local_preload_libraries": "",
    },
    16: {"createrole_self_grant": ""},
    17: {"transaction_timeout": "0"},
}
# Limits that the promotion sets by itself, and what would let it write nothing or run other code.
_OURS = frozenset(
    {
        "role",
        "default_transaction_read_only",
        "statement_timeout",
        "lock_timeout",
        "idle_session_timeout",
        "idle_in_transaction_session_timeout",
        "transaction_timeout",
        "row_security",
        "synchronous_commit",
        "exit_on_error",
        "local_preload_libraries",
    }
)


def pinned(major: int, chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """The settings of a session on a server of this major version.

    What the project has ``chosen`` takes the place of what would be pinned.
    """
    known = [settings for since, settings in _PINNED.items() if since <= major]
    return {name: value for each in (*known, chosen or {}) for name, value in each.items()}


def pinned_names() -> frozenset[str]:
    """Every setting that is pinned on some version."""
    return frozenset(name for settings in _PINNED.values() for name in settings)


def known_since(name: str) -> int:
    """The major version that is the first to know a pinned setting; 0 of what all know."""
    return next((since for since, settings in _PINNED.items() if since and name in settings), 0)


def young_names() -> frozenset[str]:
    """The settings that not every version knows."""
    return frozenset(name for since, settings in _PINNED.items() if since for name in settings)


def names_to_choose() -> frozenset[str]:
    """The settings of which a project may choose the value: ``[tool.housekeeping.session]``."""
    return pinned_names() - _OURS
