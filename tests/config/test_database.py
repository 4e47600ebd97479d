"""The database under the product: roles, rights, and the test fixtures that stand for them."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection

from agentmart.config.database import DatabaseUrls


@pytest.mark.django_db
def test_tests_run_as_the_application_role():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == ("agentmart_app", False, False)


def test_every_role_reaches_a_fresh_database_and_none_may_bypass_policies(fresh_database: DatabaseUrls):
    for url, role in (
        (fresh_database.owner, "agentmart_owner"),
        (fresh_database.app, "agentmart_app"),
        (fresh_database.gateway, "agentmart_gateway"),
    ):
        with psycopg.connect(url) as connected:
            row = connected.execute(
                "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles "
                "WHERE rolname = current_user"
            ).fetchone()
        assert row == (role, False, False, False, False)


def test_only_the_owner_makes_tables(fresh_database: DatabaseUrls):
    for url in (fresh_database.app, fresh_database.gateway):
        with psycopg.connect(url) as connected, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connected.execute("CREATE TABLE intruder ()")


def test_vectors_can_be_stored(fresh_database: DatabaseUrls):
    with psycopg.connect(fresh_database.app) as connected:
        assert connected.execute("SELECT '[1,2]'::vector <-> '[1,4]'::vector").fetchone() == (2.0,)


def test_a_fresh_database_of_one_test_keeps_commits(django_on_fresh_database: DatabaseUrls):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), current_user")
        dbname, role = cursor.fetchone()
    assert dbname.startswith("fresh_")
    assert role == "agentmart_app"
