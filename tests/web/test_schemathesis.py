"""Schemathesis asks every operation of the description: no 500s, and every answer is one that the description names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.infra.test_lists import LISTS
from tests.support.market import ok
from tests.support.shop import Shop

from agentmart.config.wsgi import application
from agentmart.web.description import description

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.walk]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 4
"""Per operation and role; what they are does not change from run to run."""

JSON = {"Accept": "application/vnd.oai.openapi+json"}


@pytest.fixture(autouse=True, scope="module")
def described() -> None:
    """Make the description before a transaction waits for it: PostgreSQL ends one that is idle for long."""
    description()


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Connect again what `one_connection` leaves off."""
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def one_connection(environ: Any, start_response: Any) -> Any:
    """The application; its requests leave the test's connection open, as those of Django's test client do."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    return application(environ, start_response)


class Known:
    """Uuids that exist, by the address or the key of a body that may name them."""

    def __init__(self, shop: Shop, paths: list[str]) -> None:
        self.by_path: dict[str, str] = {}
        for path in paths:
            rows = ok(shop.world.operator.api.get(path, page_size=300))
            uuids = [row["uuid"] for row in rows if "uuid" in row]
            if uuids:
                self.by_path[path] = uuids[0]
        for place in (shop.order, shop.resource, shop.config, shop.agent, shop.customer, shop.project):
            folder, uuid = place.rstrip("/").rsplit("/", 1)
            self.by_path[f"{folder}/"] = uuid
        self.by_path["/api/users/"] = shop.world.buyer.user.uuid
        for name in ("offerings", "public-offerings", "provider-offerings"):
            self.by_path[f"/api/marketplace-{name}/"] = shop.sold["offering"]
        self.by_key = {
            "customer": self.by_path["/api/customers/"],
            "project": self.by_path["/api/projects/"],
            "user": self.by_path["/api/users/"],
            "offering": shop.sold["offering"],
            "plan": shop.sold["plan"],
            "category": shop.category,
            "resource": self.by_path["/api/marketplace-resources/"],
        }

    def put_into(self, case: Any) -> None:
        """Let a case speak of what exists."""
        if "uuid" in (case.path_parameters or {}):
            uuid = self.by_path.get(case.path.split("{")[0])
            if uuid:
                case.path_parameters["uuid"] = uuid
        if "page" in (case.query or {}):
            case.query["page"] = 1
        if isinstance(case.body, dict):
            case.body |= {key: uuid for key, uuid in self.by_key.items() if key in case.body}


def ask(shop: Shop, token: dict[str, str]) -> tuple[Counter[int], dict[str, str]]:
    """Ask every operation some times as one person; returns how often which status came, and what was wrong."""
    schema = schemathesis.openapi.from_wsgi("/api/schema/", one_connection, headers=JSON)
    known = Known(shop, sorted(LISTS))
    statuses: Counter[int] = Counter()
    wrong: dict[str, str] = {}

    def once(case: Any, exists: bool) -> None:
        (case.query or {}).pop("field", None)  # cuts what the description requires of whole answers
        if exists:
            known.put_into(case)
        with transaction.atomic():
            answer = case.call(headers=token)
            transaction.set_rollback(True)
        statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            faults = "; ".join(f"{type(fault).__name__}: {fault}" for fault in group.exceptions)
            wrong.setdefault(f"{case.method} {case.path} {answer.status_code}", faults[:1500])

    for found in schema.get_all_operations():
        operation = found.ok()
        turn = 0

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            phases=[Phase.generate],
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        def run(case: Any) -> None:
            nonlocal turn
            turn += 1
            once(case, exists=turn % 4 != 0)

        run()
    return statuses, wrong


@pytest.mark.parametrize("who", ["operator", "buyer", "provider"])
def test_every_operation_answers_as_described(shop: Shop, who: str) -> None:
    token = getattr(shop.world, who).api._headers
    statuses, wrong = ask(shop, token)
    print(f"schemathesis: {sum(statuses.values())} requests as the {who}: {dict(sorted(statuses.items()))}")
    assert wrong == {}, "\n\n".join(f"{place}: {faults}" for place, faults in wrong.items())
    assert sum(number for status, number in statuses.items() if status < 300) > 50
