"""A really running installation, its web server and worker as processes, driven from outside over HTTP."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker
from tests.acceptance.waldur import Party, Site
from tests.support.django_database import connected_to
from tests.support.postgres import Cluster, make_data_dir
from tests.support.waiting import until

from agentmart.config import ports
from agentmart.identity import services as identity

PASSWORD = "correct horse battery"
_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts the product's processes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.stack)


@pytest.fixture(scope="session")
def site(postgres: Cluster, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    """One installation for the whole run: a web server, a worker, and the operator's first login."""
    dbname = f"acceptance_{uuid4().hex}"
    urls = postgres.clone(dbname)
    with django_db_blocker.unblock():
        connections.close_all()
        with connected_to(urls.app):
            now = datetime.now(UTC)
            identity.install(now=now, operator_name="Operator Inc", currency="USD")
            _, token = identity.create_staff(username="admin", password=PASSWORD, now=now)
            connections.close_all()
    folder = make_data_dir()
    port = ports.free()
    environment = {"PATH": os.environ["PATH"], "AGENTMART_APP_DATABASE_URL": urls.app}
    ready = folder / "worker-is-ready"
    commands = {
        "web": ["--web-port", str(port)],
        "worker": ["--ready-file", str(ready)],
    }
    processes = []
    try:
        for name, options in commands.items():
            command = [
                sys.executable,
                "-m",
                "agentmart.config.cli",
                name,
                "--data-dir",
                str(folder),
                *options,
            ]
            with (folder / f"{name}.log").open("w") as log:
                processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        url = f"http://127.0.0.1:{port}"
        until(lambda: ready.exists() and _answers(url), 60)
        yield Site(url=url, staff=token, folder=folder)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)
        postgres.drop(dbname)
        shutil.rmtree(folder)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/health/").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def party(site: Site) -> Iterator[Party]:
    """A cast of this test's own: staff, an owner who sells, an owner who buys, and a stranger."""
    yield Party.gather(site, next(_numbers))
    site.hang_up()
