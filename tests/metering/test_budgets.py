"""Budgets: each step is told once a month, and one that stops ends calls until it is raised or the month is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.support.market import ok
from tests.support.sale import Sold, config_of, sell, use
from tests.support.world import Person, World

from agentmart.access.models import GrantRow
from agentmart.identity.models import Membership, User
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry
from agentmart.metering import services, tasks
from agentmart.resources.budgets import is_exhausted, reached

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(clock, "now", lambda: DAY)
    settings.AGENT_KEYS = {**settings.AGENT_KEYS, "SECRET_KEY": "a secret of tests, long enough for HS256"}


@pytest.fixture
def sold(world: World) -> Sold:
    return sell(world.provider, world.buyer, at=START)


def set_budget(world: World, sold: Sold, monthly: str | None, action: str = "stop") -> None:
    budget = {"monthly": monthly, "currency": "USD", "action": action}
    ok(world.buyer.api.patch(config_of(sold), {"budget": budget}))


def make_key(world: World, sold: Sold) -> None:
    ok(world.buyer.api.post(f"{config_of(sold)}api-keys/", {"name": "k"}), 201)


def grants(sold: Sold) -> list[tuple[str, int]]:
    with tenancy.as_system("test"):
        rows = GrantRow.objects.filter(resource_id=sold.resource.id).order_by("key_id")
        return [(row.state, row.budget["reached"] if row.budget else -1) for row in rows]


def told(sold: Sold) -> list[tuple[int, bool]]:
    with tenancy.as_system("test"):
        entries = AuditEntry.objects.filter(action="agent_config.budget_reached").order_by(
            "at", "after__percent"
        )
        return [(entry.after["percent"], entry.after["stopped"]) for entry in entries]


def run_mail_jobs() -> list[str]:
    """Carry out the queued letters as the worker would; returns their subjects in the order they were queued."""
    queued = ProcrastinateJob.objects.filter(task_name=services.TELL_JOB).order_by("id")
    already = len(mail.outbox)
    for row in queued:
        tasks.tell_budget(**{name: value for name, value in row.args.items() if name != "request_id"})
    queued.delete()
    return [str(letter.subject) for letter in mail.outbox[already:]]


def check(now: datetime = DAY) -> int:
    return services.check_budgets(now=now)


def test_steps_are_told_once_and_the_last_one_stops(world: World, sold: Sold) -> None:
    make_key(world, sold)
    set_budget(world, sold, "150.00")  # the month's fee is 99: two thirds
    assert grants(sold) == [("active", 0)]
    assert check() == 1
    assert grants(sold) == [("active", 50)]
    use(sold, DAY, output=14_000)  # 99 + 0.01 + 4,000 × 0.002 + 9,000 × 0.00125 = 118.26
    assert check() == 1
    assert (grants(sold), told(sold)) == ([("active", 50)], [(50, False)])
    use(sold, DAY, output=30_000)  # + 37.51 = 155.77
    assert check() == 1
    assert grants(sold) == [("budget_exhausted", 100)]
    assert told(sold) == [(50, False), (80, False), (100, True)]
    assert check() == 0  # nothing new
    make_key(world, sold)
    assert grants(sold) == [("budget_exhausted", 100)] * 2  # a new key opens nothing either
    shown = ok(world.buyer.api.get(f"{config_of(sold)}usage/"))["limits"]
    assert next(row["used"] for row in shown if row["name"] == "budget") == "155.77"


def test_a_raised_budget_opens_at_once_and_a_lowered_one_closes(world: World, sold: Sold) -> None:
    make_key(world, sold)
    set_budget(world, sold, "50.00")
    check()
    assert grants(sold) == [("budget_exhausted", 100)]
    set_budget(world, sold, "1000.00")
    assert grants(sold) == [("active", 0)]
    set_budget(world, sold, "99.00")
    assert grants(sold) == [("budget_exhausted", 100)]
    set_budget(world, sold, "99.00", action="notify")
    assert grants(sold) == [("active", 100)]
    set_budget(world, sold, None)
    assert grants(sold) == [("active", -1)]
    assert check() == 0
    assert told(sold) == [(50, False), (80, False), (100, True)]


def test_a_new_month_begins_anew(world: World, sold: Sold) -> None:
    make_key(world, sold)
    set_budget(world, sold, "110.00")
    use(sold, DAY, output=14_000)
    check()
    assert grants(sold) == [("budget_exhausted", 100)]
    april = datetime(2026, 4, 1, 0, 0, 5, tzinfo=UTC)
    assert check(april) == 1
    assert grants(sold) == [("active", 80)]  # April's fee is 90 % of it
    assert [step for step, _ in told(sold)] == [50, 80, 100, 50, 80]


def test_what_was_not_called_is_rated_again_now_and_then(world: World, sold: Sold) -> None:
    set_budget(world, sold, "500.00", action="notify")
    assert check() == 1
    assert check(DAY + timedelta(minutes=9)) == 0
    assert check(DAY + timedelta(minutes=10)) == 1
    assert check(DAY + timedelta(minutes=11)) == 0


@pytest.mark.parametrize(
    ("spent", "expected"),
    [("0", 0), ("49.99", 0), ("50", 50), ("79.99", 50), ("80.00", 80), ("100", 100), ("900", 100)],
)
def test_steps(spent: str, expected: int) -> None:
    budget: dict[str, Any] = {"monthly": "100.00", "action": "stop"}
    assert reached(budget, {"spent": spent}) == expected
    assert is_exhausted(budget, {"spent": spent}) == (expected == 100)
    assert not is_exhausted({**budget, "action": "notify"}, {"spent": spent})


def test_without_a_budget_or_a_figure_nothing_is_reached() -> None:
    assert reached({}, {"spent": "5"}) == 0
    assert reached({"monthly": None}, {"spent": "5"}) == 0
    assert reached({"monthly": "5"}, {}) == 0
    assert reached({"monthly": "0"}, {"spent": "0"}) == 100


# --- who is told ------------------------------------------------------------------------------------


def give_address(person: Person, address: str, **changes: Any) -> None:
    with tenancy.as_system("test"):
        assert User.objects.filter(pk=person.user.pk).update(email=address, **changes) == 1


def lead(world: World, username: str, role: str, **details: Any) -> User:
    """Give somebody with an address of their own a role in the buyer's organization."""
    with tenancy.as_system("test"):
        user: User = User.objects.create(username=username, email=f"{username}@buyer.test", is_active=True)
        place = {"customer": world.buyer.customer, "created": START, "modified": START}
        Membership.objects.create(user=user, role=role, **place, **details)
    return user


def test_owners_and_managers_are_mailed_each_step_once_a_month(world: World, sold: Sold) -> None:
    give_address(world.buyer, "boris@buyer.test")
    give_address(world.provider, "petra@provider.test")
    give_address(world.operator, "olga@operator.test")
    lead(world, "mia", "CUSTOMER.MANAGER")
    lead(world, "sue", "CUSTOMER.SUPPORT")
    lead(world, "old", "CUSTOMER.OWNER", expires_at=DAY - timedelta(days=1))
    lead(world, "pam", "PROJECT.ADMIN", project=world.buyer.project)
    set_budget(world, sold, "150.00")
    check()
    assert run_mail_jobs() == ["Helper 1: 50 percent of the budget for 2026-03"]
    assert mail.outbox[0].to == ["boris@buyer.test", "mia@buyer.test"]
    project = world.buyer.project
    assert project is not None
    assert mail.outbox[0].body == (
        f"Helper 1 (project {project.name}) has cost 99.00 USD in 2026-03 so far: "
        "50 percent of its budget of 150.00 USD are reached.\nIts calls go on.\n"
    )
    use(sold, DAY, output=44_000)
    check()
    check()
    assert run_mail_jobs() == [f"Helper 1: {step} percent of the budget for 2026-03" for step in (80, 100)]
    assert str(mail.outbox[2].body).endswith(
        "Its calls are refused (402) until the budget is raised or the month is over.\n"
    )
    check(DAY + timedelta(hours=1))
    assert run_mail_jobs() == []
    check(datetime(2026, 4, 1, 0, 0, 5, tzinfo=UTC))
    assert run_mail_jobs() == ["Helper 1: 50 percent of the budget for 2026-04"]


def test_a_budget_that_only_notifies_says_that_calls_go_on(world: World, sold: Sold) -> None:
    give_address(world.buyer, "boris@buyer.test")
    set_budget(world, sold, "50.00", action="notify")
    check()
    assert len(run_mail_jobs()) == 3
    assert all(str(letter.body).endswith("Its calls go on.\n") for letter in mail.outbox)


def test_nobody_is_mailed_who_is_not_let_in_or_has_no_address(world: World, sold: Sold) -> None:
    lead(world, "mia", "CUSTOMER.MANAGER")
    with tenancy.as_system("test"):
        User.objects.filter(username="mia").update(email="")
    set_budget(world, sold, "150.00")
    give_address(world.buyer, "boris@buyer.test", is_active=False)
    check()
    assert run_mail_jobs() == []
    assert told(sold) == [(50, False)]
