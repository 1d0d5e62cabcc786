"""Where production is: nothing missing is guessed, nothing leaves the machine in the clear."""

from __future__ import annotations

import pytest

from pytest_housekeeping.config import Target
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.promotion.production.target_address import is_local, read_address, required

PROD = Target()
ENVIRONMENT = {
    "PGHOST_PROD": "db.example.org",
    "PGPORT_PROD": "5432",
    "PGDATABASE_PROD": "shop",
    "PGUSER_PROD": "promoter",
    "PGPASSWORD_PROD": "it's a \\ secret é",
}


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(MisuseError) as caught:
        read_address({"PGHOST_PROD": "db.example.org", "PGPORT_PROD": ""}, PROD)
    assert "PGPORT_PROD, PGDATABASE_PROD, PGUSER_PROD, PGPASSWORD_PROD" in str(caught.value)
    assert required(PROD) == tuple(ENVIRONMENT)


def test_a_remote_connection_is_encrypted_by_default() -> None:
    assert read_address(ENVIRONMENT, PROD).sslmode == "require"
    with_root = {**ENVIRONMENT, "PGSSLROOTCERT_PROD": "/etc/root.pem"}
    assert read_address(with_root, PROD).sslmode == "verify-full"
    assert "sslrootcert=/etc/root.pem" in read_address(with_root, PROD).conninfo()


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_a_remote_connection_in_the_clear_is_refused(mode: str) -> None:
    with pytest.raises(MisuseError, match="not this machine"):
        read_address({**ENVIRONMENT, "PGSSLMODE_PROD": mode}, PROD)
    local = {**ENVIRONMENT, "PGHOST_PROD": "127.0.0.1", "PGSSLMODE_PROD": mode}
    assert read_address(local, PROD).sslmode == mode


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"PGPORT_PROD": "70000"}, "is no port"),
        ({"PGPORT_PROD": "five"}, "is no port"),
        ({"PGSSLMODE_PROD": "requires"}, "is none of"),
        ({"PGHOST_PROD": "db.example.org,10.0.0.1"}, "names several servers"),
        ({"PGHOST_PROD": "/tmp,db.example.org", "PGSSLMODE_PROD": "disable"}, "several servers"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, str], words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        read_address({**ENVIRONMENT, **change}, PROD)


def test_what_the_list_of_a_fleet_says_is_not_blamed_on_a_variable() -> None:
    acme = Target(name="tenants/acme", fleet="tenants", host="10.0.0.1,10.0.0.2")
    with pytest.raises(MisuseError, match="the list's host of tenants/acme = "):
        read_address(ENVIRONMENT, acme)


def test_the_password_is_in_no_repr_and_survives_quoting() -> None:
    from psycopg.conninfo import conninfo_to_dict

    address = read_address(ENVIRONMENT, PROD)
    assert "secret" not in repr(address)
    assert conninfo_to_dict(address.conninfo())["password"] == ENVIRONMENT["PGPASSWORD_PROD"]


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("/var/run/postgresql", True),
        ("localhost", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("db", False),
    ],
)
def test_what_is_this_machine(host: str, local: bool) -> None:
    assert is_local(host) is local
