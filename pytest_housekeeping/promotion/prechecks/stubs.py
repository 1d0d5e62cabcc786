"""Stubs of extensions: named where they stand, and their extensions asked for in production."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

from pytest_housekeeping.config import Stub
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.promotion.prechecks.shared import Judgement, error
from pytest_housekeeping.server.stubs import COMMENT
from pytest_housekeeping.sql.identifiers import spelt

_AVAILABLE: LiteralString = """
SELECT name::text, coalesce(comment, '') FROM pg_catalog.pg_available_extensions
WHERE name = ANY (%s)
"""


def on_a_throwaway_server(stubs: tuple[Stub, ...], connection: Connection) -> Judgement:
    """Each is there, as itself or as its stub; what stands for another is named."""
    there, used = _available(stubs, connection), []
    findings: list[Finding] = []
    for stub in stubs:
        if stub.name not in there:
            findings.append(
                error(
                    "extension-lacking",
                    f"extension {spelt(stub.name)}",
                    "is not on this server, and a stub can be put on an embedded one alone",
                    'install it there; or take the embedded server: server = "embedded" in'
                    " [tool.housekeeping], and neither --hk-staging-url nor HK_STAGING_URL",
                )
            )
        elif there[stub.name] == COMMENT:
            used.append(stub)
    findings += (_not_proved(stub) for stub in used)
    verdict = Verdict(examined=len(stubs), unit="stubs", findings=tuple(findings))
    return verdict, f"{len(used)} of {len(stubs)} in the place of an extension"


def in_production(stubs: tuple[Stub, ...], connection: Connection) -> Judgement:
    """The extension of each is there: what was proved with a stub counts on it."""
    there = _available(stubs, connection)
    findings = [*_lacking(stubs, there), *(_not_proved(stub) for stub in stubs)]
    return Verdict(examined=len(stubs), unit="extensions", findings=tuple(findings)), ", ".join(
        stub.name for stub in stubs
    )


def _lacking(stubs: tuple[Stub, ...], there: dict[str, str]) -> Iterator[Finding]:
    for stub in stubs:
        if stub.name not in there:
            yield error(
                "extension-lacking",
                f"extension {spelt(stub.name)}",
                "is not on this server, neither made nor to be made: its stub has stood for it on"
                " the throwaway servers alone",
                "install it on the server of production; if nothing needs it, take it out of"
                " [tool.housekeeping.stubs]",
            )


def _not_proved(stub: Stub) -> Finding:
    declared = [f"{len(each)} {kind}" for kind, each in _declared(stub) if each]
    return Finding(
        rule="extension-stub",
        level=Level.WARNING,
        object=f"extension {spelt(stub.name)}",
        detail="is not proved: where no server here has it a stub stands for it,"
        f" {', '.join(declared)} by declaration; whether it has them, and what they do, nobody has"
        " seen",
        fix="give a server that has it: --hk-staging-url; for the copy of production"
        " --hk-twin-server",
    )


def _declared(stub: Stub) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "types", stub.types
    yield "tables", stub.tables
    yield "functions", stub.functions
    yield "access methods", stub.access_methods
    yield "operators", stub.operators
    yield "operator classes", stub.operator_classes


def _available(stubs: tuple[Stub, ...], connection: Connection) -> dict[str, str]:
    names = [stub.name for stub in stubs]
    return dict(connection.execute(_AVAILABLE, [names]).fetchall())
