"""Passwords in every writing that could reach a file, and texts that hold none."""

from __future__ import annotations

import base64
import html
import json
import os
import pickle
import pprint
import re
import shlex
import time
import urllib.parse
from pathlib import Path

import pytest

from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.evidence.secrets import secrets_of_environment


def octal(char: str) -> str:
    """As git writes what is no ASCII."""
    return "".join(f"\\{byte:03o}" for byte in char.encode())


NASTY = "p'ä \"ß%40$w\\0rd:x/y?z&#"


@pytest.mark.parametrize(
    "text",
    [
        NASTY,
        f"password={NASTY} host=x",
        json.dumps({"a": f"<{NASTY}>"}),
        json.dumps({"a": NASTY}, ensure_ascii=False),
        json.dumps(json.dumps({"a": NASTY})),
        html.escape(NASTY),
        html.escape(json.dumps({"a": NASTY})),
        json.dumps(html.escape(NASTY)),
        json.dumps(NASTY)[1:-1].replace('"', "&#34;").replace("&", "&amp;").replace("'", "&#39;"),
        f"postgresql://u:{urllib.parse.quote(NASTY, safe='')}@h/d",
        urllib.parse.quote(NASTY),
        urllib.parse.quote_plus(NASTY),
        urllib.parse.quote(NASTY, safe="").replace("%C3", "%c3").replace("%A4", "%a4").lower(),
        NASTY.replace("'", "''"),
        NASTY.replace("\\", "\\\\").replace("'", "\\'"),
        repr(NASTY),
        repr({"password": NASTY}),
        base64.b64encode(NASTY.encode()).decode(),
        base64.b64encode(f"u:{NASTY}".encode()).decode(),
        base64.b64encode(f"us:{NASTY} and more".encode()).decode(),
        base64.urlsafe_b64encode(f"use:{NASTY}".encode()).decode(),
        NASTY.encode().hex(),
        NASTY.encode().hex().upper(),
        repr(NASTY.encode()),
        ascii(NASTY),
        NASTY.encode("ascii", "backslashreplace").decode(),
        NASTY.encode("unicode_escape").decode(),
        NASTY.encode().decode("latin-1"),
        NASTY.encode().decode("cp1252", "replace"),
        repr(f"""'"[{NASTY.encode("unicode_escape").decode()}]"""),
        shlex.quote(NASTY),
        NASTY.replace("'", "''''"),
        NASTY.replace('"', '""'),
        html.escape(NASTY, quote=False),
        html.escape(NASTY, quote=False).replace('"', "&quot;"),
        "".join(
            {'"': '\\"', "\\": "\\\\"}.get(char, char) if char.isascii() else octal(char)
            for char in NASTY
        ),
    ],
)
def test_every_writing_of_a_password_is_found_and_taken_out(text: str) -> None:
    secrets = Secrets([NASTY])
    assert secrets.find(text)
    assert not secrets.find(secrets.redact(text))
    assert "[secret]" in secrets.redact(text)


@pytest.mark.parametrize("value", [NASTY, NASTY.encode(), [NASTY], [NASTY.encode()]])
@pytest.mark.parametrize("before", ["", "E       "])
def test_what_pprint_has_broken_up_is_taken_out(value: object, before: str) -> None:
    lines = pprint.pformat({"A": 1, "PASSWORD": value}, width=30).splitlines()
    text = "".join(f"{before}{line}\n" for line in [*lines, "'a'", "'other'"])
    said = Secrets([NASTY]).redact(text)
    assert "[secret]" in said
    left = [word for word in re.findall(r"\w{2,}", NASTY) if word in said]
    assert left == []
    assert said.startswith(f"{before}{{'A': 1")
    assert Secrets(["nothing-of-the-kind-7"]).redact(text) == text


def test_base64_that_is_broken_into_lines_is_taken_out() -> None:
    long = "".join(f"{number}aB-" for number in range(40))
    secrets = Secrets([long])
    for text in (long, f"u:{long}", f"us:{long}"):
        lines = base64.encodebytes(text.encode()).decode()
        left = secrets.redact(lines).replace("[secret]", "")
        assert max(map(len, left.split())) < 16, left


def test_a_token_of_any_length_is_known_by_its_pieces_and_costs_little() -> None:
    token = "eyJ" + "".join(f"{number:x}Zq-" for number in range(400))
    secrets = Secrets([token])
    assert "[secret]" in secrets.redact(f"Bearer {token[:60]}...")
    started = time.process_time()
    for _ in range(2_000):
        assert not secrets.find("sql/migrations/0001_orders.sql::apply PASSED [ 12%]")
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("size", range(8, 28))
def test_parts_of_a_random_password_are_found(size: int) -> None:
    password = "kT4vQz9LmX2rWc7YbN5hJd8P"
    secrets = Secrets([password])
    for start in range(max(1, len(password) - size + 1)):
        text = f"x {password[start : start + size]} y"
        assert secrets.redact(text) == "x [secret] y"


def test_the_piece_behind_a_blank_that_an_error_quotes() -> None:
    secrets = Secrets(["abc:R2d2xx@ tail-77 end"])
    assert secrets.redact('invalid port number: "R2d2xx"') == 'invalid port number: "[secret]"'
    assert secrets.redact('missing "=" after "tail-77"') == 'missing "=" after "[secret]"'


@pytest.mark.parametrize(
    ("password", "text"),
    [
        ("ab1", "ab1 is too short to be told from a word"),
        ("app", "venture_app may not; the app"),
        ("orders", "venture.preorders, reorders and orders_2"),
        ("postgres", "postgres:16 on postgres"),
        ("throwaway", "passed on a throwaway database"),
        ("correct horse battery staple", "a correct horse is no battery"),
        ("postgres-production", "the postgres-main host is in production"),
        ("venture-prod-01", "host venture-prod-01 is venture-prod"),
    ],
)
def test_ordinary_text_raises_no_alarm(password: str, text: str) -> None:
    secrets = Secrets([password], public=["venture-prod-01"])
    assert not secrets.find(text)
    assert secrets.redact(text) == text


def test_a_short_password_is_found_as_a_word() -> None:
    secrets = Secrets(["s3cr3t"])
    assert secrets.redact("password=s3cr3t host") == "password=[secret] host"
    assert secrets.redact("'s3cr3t'") == "'[secret]'"


def test_nothing_shows_the_values() -> None:
    secrets = Secrets([NASTY])
    assert "Secrets(...)" == repr(secrets) == str(secrets)
    assert not hasattr(secrets, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(secrets)


def test_no_secrets_find_nothing() -> None:
    assert not Secrets()
    assert not Secrets([""]).find("text")
    assert Secrets().redact("text") == "text"


def test_documents_and_files(tmp_path: Path) -> None:
    secrets = Secrets([NASTY])
    document = {"a": [NASTY, 1, None, {NASTY: True}]}
    assert secrets.redact_all(document) == {"a": ["[secret]", 1, None, {"[secret]": True}]}
    path = tmp_path / "report.html"
    path.write_bytes(b"\xff" + html.escape(NASTY).encode())
    assert secrets.scrub(path)
    assert path.read_bytes() == b"\xff[secret]"
    assert not secrets.scrub(path)


def test_a_large_text_costs_little() -> None:
    secrets = Secrets(["kT4vQz9LmX2rWc7YbN5hJd8P-eA1"])
    text = "sql/migrations/0001_orders.sql::apply 5f2c " * 50_000
    started = time.perf_counter()
    assert not secrets.find(text)
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("GITHUB_TOKEN", "ghs_16C7e42F292c6912E7", "ghs_16C7e42F292c6912E7"),
        ("smtp_password", "R2d2-c3po", "R2d2-c3po"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI/K7MDENG"),
        ("DATABASE_URL", "postgresql://app:R2d2%2Dc3po@h/d", "R2d2%2Dc3po"),
        ("REDIS", "redis://:R2d2-c3po@h:1/0", "R2d2-c3po"),
        # Words of every report, and what only sounds like a secret.
        ("POSTGRES_PASSWORD", "postgres", ""),
        ("DB_PASSWORD", "production", ""),
        ("APP_TOKEN", "ab1", ""),
        ("PWD", "/home/x1/Project-9", ""),
        ("DOCKER_TOKEN", "/run/secrets/Token-1", ""),
        ("TOKENS", "R2d2-c3po", ""),
        ("HOME_URL", "https://example.org/R2d2-c3po", ""),
    ],
)
def test_what_an_environment_holds_by_name_is_a_secret(
    name: str, value: str, hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in list(os.environ):
        monkeypatch.delenv(each)
    monkeypatch.setenv(name, value)
    assert list(secrets_of_environment()) == ([hidden] if hidden else [])
