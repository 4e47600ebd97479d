"""The module's lists cost the same number of queries whatever they hold, and at most eight."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.support.market import member, ok
from tests.support.world import Api, World

from agentmart.identity.models import Role

pytestmark = pytest.mark.django_db


def queries(api: Api, path: str, size: int) -> tuple[int, int]:
    """The number of queries of a page (without the test's savepoints), and of its rows."""
    with CaptureQueriesContext(connection) as seen:
        rows = ok(api.get(path, page_size=size))
    return len([query for query in seen if "SAVEPOINT" not in query["sql"]]), len(rows)


def test_lists(world: World) -> None:
    assert world.buyer.customer is not None and world.buyer.project is not None
    customer, project = (
        f"/api/customers/{world.buyer.customer.uuid}/",
        f"/api/projects/{world.buyer.project.uuid}/",
    )
    for role in (Role.CUSTOMER_MANAGER, Role.CUSTOMER_SUPPORT):
        member(world.buyer.customer, role)
    for role in (Role.PROJECT_ADMIN, Role.PROJECT_MEMBER):
        member(world.buyer.customer, role, world.buyer.project)
    for number in range(3):
        ok(world.buyer.api.post("/api/api-tokens/", {"name": f"T{number}"}), 201)
        ok(world.buyer.api.post("/api/projects/", {"name": "P", "customer": customer}), 201)
        body = {"email": "a@b.example", "role": "CUSTOMER.SUPPORT", "scope": customer}
        ok(world.buyer.api.post("/api/user-invitations/", body), 201)
    for path, least in (
        ("/api/customers/", 1),
        ("/api/projects/", 4),
        ("/api/users/", 5),
        ("/api/api-tokens/", 3),
        ("/api/user-invitations/", 3),
        ("/api/customer-quotas/", 5),
        (f"{customer}list_users/", 3),
        (f"{project}list_users/", 2),
    ):
        one, few = queries(world.buyer.api, path, 1)
        every, rows = queries(world.buyer.api, path, 300)
        assert (every, few) == (one, 1) and every <= 8, (path, one, every)
        assert rows >= least, path
    ok(world.operator.api.get("/api/users/me/"))  # notes the token's use, once a minute
    one, _ = queries(world.operator.api, "/api/customers/", 1)
    every, rows = queries(world.operator.api, "/api/customers/", 300)
    assert (every, rows) == (one, 4) and every <= 8
