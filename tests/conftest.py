"""What every test stands on: a real PostgreSQL under row-level security, and no network but loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker
from tests.support.clocks import At
from tests.support.django_database import connected_to
from tests.support.postgres import Cluster, make_data_dir, shared_cluster
from tests.support.runtime import RememberingRuntime
from tests.support.shop import Shop, open_shop
from tests.support.world import World, make_world

from agentmart.adapters import runtimes
from agentmart.config.database import DatabaseUrls
from agentmart.infra import clock

# A busy machine is no finding: examples may take their time, tests do not fail for it.
settings.register_profile("agentmart", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("agentmart")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the database server, so that `make fast` can do without it."""
    for item in items:
        if "postgres" in getattr(item, "fixturenames", ()) or item.get_closest_marker("django_db"):
            item.add_marker(pytest.mark.database)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Cluster]:
    """The run's database server, shared by all test processes."""
    base = tmp_path_factory.getbasetemp()
    with shared_cluster(base if worker_id == "master" else base.parent) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def django_db_setup(postgres: Cluster, worker_id: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Django's connection: the application's role (row-level security on) in this process's own database.

    Tests marked `django_db` run in a transaction that is rolled back. The role may not truncate tables, so
    `django_db(transaction=True)` cannot work: use `fresh_database` where commits matter.
    """
    dbname = f"test_{worker_id}"
    urls = postgres.clone(dbname)
    with connected_to(urls.app):
        yield
    with django_db_blocker.unblock():
        connections.close_all()
    postgres.drop(dbname)


@pytest.fixture
def fresh_database(postgres: Cluster) -> Iterator[DatabaseUrls]:
    """The addresses, one per role, of a migrated, empty database of this test alone; commits are real."""
    with postgres.fresh() as urls:
        yield urls


@pytest.fixture
def django_on_fresh_database(
    fresh_database: DatabaseUrls, django_db_blocker: DjangoDbBlocker
) -> Iterator[DatabaseUrls]:
    """The same, with Django's connections (of every thread) going there as the application's role."""
    with django_db_blocker.unblock():
        connections.close_all()
        with connected_to(fresh_database.app):
            yield fresh_database
            connections.close_all()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A new data folder that the product's own users (database, flows) can reach; removed afterwards."""
    folder = make_data_dir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def world(db: None) -> World:
    """The fixed cast, in this test's transaction."""
    return make_world()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Sets the clock of requests and jobs."""
    return lambda moment: monkeypatch.setattr(clock, "now", lambda: moment)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> RememberingRuntime:
    """The runtime that order jobs talk to: it only remembers."""
    remembering = RememberingRuntime()
    monkeypatch.setattr(runtimes, "build", lambda kind, **params: remembering)
    return remembering


@pytest.fixture
def signing_key(settings: Any) -> None:
    """A secret that API keys are signed with."""
    settings.AGENT_KEYS = {**settings.AGENT_KEYS, "SECRET_KEY": "a test's signing key of 32+ bytes!!"}


@pytest.fixture
def shop(world: World, runtime: RememberingRuntime, signing_key: None) -> Shop:
    """A running sale."""
    return open_shop(world)
