"""Short ways to sell, bill and ask for a report."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from tests.support.market import ok
from tests.support.world import Person, World

from agentmart.billing import services as billing
from agentmart.identity import services as identity
from agentmart.identity.models import Customer, Role
from agentmart.infra import tenancy

At = Callable[[datetime], None]
STATS = "/api/marketplace-stats/"


def day(year: int, month: int, number: int, hour: int = 0) -> datetime:
    """A moment, UTC."""
    return datetime(year, month, number, hour, tzinfo=UTC)


def report(world: World, name: str, **query: Any) -> Any:
    """A report as the operator reads it."""
    return ok(world.operator.api.get(f"{STATS}{name}/", **query))


def monthly(price: str, name: str = "Flat", **more: Any) -> dict[str, Any]:
    """A plan with a base fee only."""
    return {"name": name, "unit_price": price, "components": [], **more}


def close(year: int, month: int) -> None:
    """Run the monthly job as soon as a month's grace is over."""
    first = day(year + month // 12, month % 12 + 1, 1)
    done = billing.close_periods(now=first + timedelta(hours=2))
    assert done.failures == []


def draft(customer: Customer | None, year: int, month: int, *, now: datetime) -> None:
    """Make the live draft of a month."""
    assert customer is not None
    with tenancy.as_system("test") as actor:
        billing.generate_invoice(customer, year, month, actor=actor, now=now)


def buyer(name: str, *, at: datetime) -> Person:
    """One more customer that can buy."""
    with tenancy.as_system("test") as actor:
        user = identity.create_user(actor=actor, now=at, username=name)
        customer = identity.create_customer(actor=actor, now=at, name=name, currency="USD")
        project = identity.create_project(actor=actor, now=at, customer=customer, name=f"{name} project")
        identity.add_member(actor=actor, now=at, user=user, role=Role.CUSTOMER_OWNER, customer=customer)
    return Person(user, None, customer, project)  # type: ignore[arg-type]


def sql(statement: str, *values: Any) -> list[Any]:
    """What a statement selects, seen by the system."""
    with tenancy.as_system("test"), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []
