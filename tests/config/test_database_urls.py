"""Which addresses settings lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from tests.support.postgres import Cluster

from agentmart.config import database, secrets
from agentmart.config.database import DatabaseUrls, database_urls, prepare_database
from agentmart.contracts.environment import environment
from agentmart.kit.env import BadSetting

EXTERNAL = "postgresql://boss:secret@db.example.com:6432/shop?sslmode=require"


def test_without_settings_it_is_the_embedded_server(data_dir: Path):
    urls = database_urls(environment({}), data_dir)
    assert urls.embedded
    assert [database.role_of(url) for url in (urls.owner, urls.app, urls.gateway, urls.admin)] == [
        "agentmart_owner",
        "agentmart_app",
        "agentmart_gateway",
        "postgres",
    ]
    assert database.database_of(urls.app) == "agentmart"


def test_an_external_address_is_the_owner_and_the_others_are_made_from_it(tmp_path: Path):
    urls = database_urls(environment({"DATABASE_URL": EXTERNAL}), tmp_path)
    made = secrets.load(tmp_path)
    assert urls.owner == urls.admin == EXTERNAL
    assert (
        urls.app == f"postgresql://agentmart_app:{made.app_password}@db.example.com:6432/shop?sslmode=require"
    )
    assert urls.made_roles == {"agentmart_app", "agentmart_gateway"}


def test_a_given_role_is_used_and_not_made(tmp_path: Path):
    app = "postgresql://agentmart_app:x@db.example.com/shop"
    urls = database_urls(environment({"DATABASE_URL": EXTERNAL, "AGENTMART_APP_DATABASE_URL": app}), tmp_path)
    assert urls.app == app
    assert urls.made_roles == {"agentmart_gateway"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"DATABASE_URL": "mysql://u:p@h/db"}, "DATABASE_URL must look like postgresql://"),
        ({"DATABASE_URL": "postgresql://u:p@h"}, "DATABASE_URL must look like postgresql://"),
        (
            {"DATABASE_URL": EXTERNAL, "AGENTMART_APP_DATABASE_URL": "postgresql://boss:x@h/shop"},
            "must connect as the role agentmart_app, not 'boss'",
        ),
        ({"AGENTMART_APP_DATABASE_URL": "postgresql://agentmart_app:x@h/shop"}, "but DATABASE_URL is not"),
    ],
)
def test_addresses_that_cannot_work_are_refused(values: dict[str, str], message: str, tmp_path: Path):
    with pytest.raises(BadSetting, match=message):
        database_urls(environment(values), tmp_path)


def test_a_shown_address_has_no_password():
    assert database.without_password(EXTERNAL) == "postgresql://boss@db.example.com:6432/shop?sslmode=require"
    assert "secret" not in repr(database_urls)


@pytest.fixture
def outside(postgres: Cluster, tmp_path: Path) -> Iterator[DatabaseUrls]:
    """A database of somebody who may create roles but is no superuser, as a managed server gives it."""
    name = f"outside_{uuid4().hex}"
    with psycopg.connect(postgres.server.url(), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'p w' CREATEROLE")
        admin.execute(f"CREATE DATABASE {name} OWNER {name}")
    values = {
        "DATABASE_URL": database.with_role(postgres.server.url("postgres", name), name, "p w"),
        "AGENTMART_APP_DATABASE_URL": postgres.server.url("agentmart_app", name),
        "AGENTMART_GATEWAY_DATABASE_URL": postgres.server.url("agentmart_gateway", name),
    }
    yield database_urls(environment(values), tmp_path)
    with psycopg.connect(postgres.server.url(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.execute(f"DROP ROLE {name}")


def test_an_external_server_without_the_extension_says_who_must_add_it(outside: DatabaseUrls):
    with pytest.raises(BadSetting, match="run CREATE EXTENSION vector in the database outside_"):
        prepare_database(outside)


def test_an_external_server_is_prepared_any_number_of_times(outside: DatabaseUrls, postgres: Cluster):
    with psycopg.connect(
        postgres.server.url("postgres", database.database_of(outside.owner)), autocommit=True
    ) as admin:
        admin.execute("CREATE EXTENSION vector")
    prepare_database(outside)
    prepare_database(outside)
    for url in (outside.app, outside.gateway):
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT '[1]'::vector <-> '[3]'").fetchone() == (2.0,)


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path):
    urls = database_urls(environment({"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/shop"}), tmp_path)
    with pytest.raises(
        BadSetting, match=re.escape("cannot connect to PostgreSQL at postgresql://u@127.0.0.1:1/shop")
    ) as raised:
        prepare_database(urls)
    assert "hunter2" not in str(raised.value)
