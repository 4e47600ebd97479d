"""Several people do the same at the same moment; commits are real."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from tests.support.market import ok
from tests.support.racing import race
from tests.support.world import World, make_world
from tests.support_desk.desk import opened, path_of, shown

from agentmart.config.database import DatabaseUrls
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry
from agentmart.support import services


@pytest.fixture
def cast(django_on_fresh_database: DatabaseUrls) -> World:
    """The cast, committed."""
    return make_world()


def told(action: str) -> int:
    """How often the audit log tells of it."""
    with tenancy.as_system("test"):
        return AuditEntry.objects.filter(action=action).count()


def test_one_of_sixty_four_resolutions_counts(cast: World) -> None:
    issue = opened(cast.buyer.api, cast)
    path = f"{path_of(issue)}resolve/"
    answers = race([lambda: cast.operator.api.post(path, {"resolution": "Done."})] * 64)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 63}
    refused = next(answer for answer in answers if answer.status_code == 409).json()
    assert (refused["code"], refused["extra"]) == ("wrong_state", {"state": "Resolved"})
    assert told("issue.resolved") == 1


def test_parallel_first_words_make_one_first_response(cast: World) -> None:
    issue = opened(cast.buyer.api, cast)
    path = f"{path_of(issue)}comment/"
    answers = race([lambda: cast.operator.api.post(path, {"description": "We look."})] * 8)
    moments = sorted(ok(answer, 201)["created"] for answer in answers)
    assert shown(cast.buyer.api, issue)["first_response_at"] in moments


def test_parallel_words_of_the_customer_reopen_once(cast: World) -> None:
    issue = opened(cast.buyer.api, cast)
    ok(cast.operator.api.post(f"{path_of(issue)}resolve/"))
    path = f"{path_of(issue)}comment/"
    race([lambda: cast.buyer.api.post(path, {"description": "No."})] * 8)
    assert shown(cast.buyer.api, issue)["status"] == "Open"
    assert told("issue.reopened") == 1


def test_parallel_bulk_updates_do_not_lock_each_other_out(cast: World) -> None:
    ids = [opened(cast.buyer.api, cast)["uuid"] for _ in range(4)]
    bodies = [{"issue_uuids": ids[::step], "priority": "High"} for step in (1, -1)] * 4
    answers = race(
        [
            lambda body=body: cast.operator.api.post("/api/support-issues/bulk_update/", body)
            for body in bodies
        ]
    )
    assert Counter(answer.status_code for answer in answers) == {200: 8}
    assert told("issue.updated") == 4


def test_keys_are_never_given_twice(cast: World) -> None:
    answers = race([lambda: cast.buyer.api.post("/api/support-issues/", {"summary": "X"})] * 12)
    assert len({ok(answer, 201)["key"] for answer in answers}) == 12


def test_parallel_looks_at_the_clocks_tell_once(cast: World) -> None:
    issue = opened(cast.buyer.api, cast, priority="Critical")
    later = clock.now() + timedelta(hours=2)
    looks = race([lambda: services.check_clocks(now=later)] * 8)
    assert sum(look["told"] for look in looks) == 1
    assert told("issue.sla_breached") == 1
    assert shown(cast.buyer.api, issue)["is_escalated"] is True
