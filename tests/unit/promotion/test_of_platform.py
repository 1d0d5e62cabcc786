"""Tests of promotion/production/prechecks/of_platform.py: what a provider owns."""

from __future__ import annotations

import pytest

from pytest_housekeeping.promotion.production.prechecks.of_platform import OfPlatform
from pytest_housekeeping.snapshot.compare.difference import Change, Difference

PLATFORM = OfPlatform(
    made={
        "schema auth": "owner: provider",
        "column auth.users.phone": "type: text",
        "table storage.objects": "owner: provider",
        "publication live": "tables: none",
        "default privileges for deployer in public on tables": "grant ALL to anon",
    },
    together={
        "schema auth": "owner: provider",
        "column auth.users.phone": "type: text",
        "table storage.objects": "owner: provider",
        "publication live": "tables: public.item",
        "default privileges for deployer in public on tables": "grant ALL to anon",
        'policy "own (pictures)" on storage.objects': "for: ALL",
        "trigger welcome on auth.users": "EXECUTE FUNCTION public.welcome()",
        "function auth.mine(uuid)": "owner: deployer",
        "table public.item": "owner: deployer",
    },
    schemas=frozenset({"auth", "storage", "vault"}),
    promoter="deployer",
)
CALLS = "definition: CREATE TRIGGER t BEFORE DELETE ON storage.objects EXECUTE FUNCTION {}.f()"


@pytest.mark.parametrize(
    ("name", "change", "after"),
    [
        ("column auth.users.phone", Change.CHANGED, "type: varchar"),
        ("table storage.objects", Change.CHANGED, "owner: other"),
        ("column storage.objects.version", Change.ADDED, "type: text"),
        ("function vault.read(auth.kind,text)", Change.ADDED, "owner: provider"),
        ("constraint size on storage.objects", Change.ADDED, "CHECK (true)"),
        ("schema auth", Change.CHANGED, "owner: other"),
        ("trigger t on storage.objects", Change.ADDED, CALLS.format("storage")),
        ("extension pg_graphql", Change.ADDED, "version: 1"),
        ("event trigger granting", Change.ADDED, "owner: provider"),
        ("default privileges for provider in public on tables", Change.ADDED, "grant ALL to anon"),
        ("default privileges for deployer in storage on tables", Change.ADDED, "grant ALL to anon"),
        ("default privileges for deployer in public on tables", Change.CHANGED, ""),
    ],
)
def test_what_is_the_providers(name: str, change: Change, after: str) -> None:
    assert PLATFORM.owns(Difference(name=name, change=change, before="x", after=after))


@pytest.mark.parametrize(
    ("name", "change", "after"),
    [
        ('policy "own (pictures)" on storage.objects', Change.CHANGED, "for: SELECT"),
        ('policy "by hand" on storage.objects', Change.ADDED, "for: ALL"),
        ("trigger welcome on auth.users", Change.REMOVED, ""),
        ("trigger t on auth.users", Change.ADDED, CALLS.format("public")),
        ("function auth.mine(uuid)", Change.CHANGED, "owner: other"),
        ("function public.f(auth.kind)", Change.ADDED, "owner: deployer"),
        ("table public.item", Change.CHANGED, "owner: other"),
        ("table public.by_hand", Change.ADDED, "owner: deployer"),
        ("publication live", Change.CHANGED, "tables: none"),
        ("default privileges for deployer in desk on tables", Change.ADDED, "grant ALL to anon"),
    ],
)
def test_what_is_the_projects(name: str, change: Change, after: str) -> None:
    assert not PLATFORM.owns(Difference(name=name, change=change, before="x", after=after))
