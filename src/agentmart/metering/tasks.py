"""Jobs: the sweeper of calls whose end is unclear, usage that goes on from month to month, sums by key and version."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage

from agentmart.infra import clock, jobs, tenancy
from agentmart.metering import services
from agentmart.metering.letters import letter_of_budget

SHORTEST_PATIENCE = timedelta(minutes=15)
AFTER_THE_RUN = timedelta(minutes=5)  # for the answer's way to a slow reader and the event's way here


@jobs.periodic("metering.sweep_calls", cron="* * * * * */10")
def sweep_calls() -> None:
    """Flag calls that began longer ago than any call may take."""
    longest = timedelta(seconds=settings.RUN_TIMEOUT_SECONDS) + AFTER_THE_RUN
    services.sweep_calls(now=clock.now(), older_than=max(SHORTEST_PATIENCE, longest))


@jobs.periodic("metering.carry_over", cron="*/10 * * * *")
def carry_over() -> None:
    """Take usage over into a new month where its report said so, well before that month can close."""
    services.carry_over(now=clock.now())


@jobs.periodic("metering.check_budgets", cron="* * * * * */10")
def check_budgets() -> None:
    """Hold what agents have cost against their budgets; what is used up stops them, where it is to."""
    services.check_budgets(now=clock.now())


@jobs.job(services.TELL_JOB, attempts=6, wait_seconds=10)
def tell_budget(*, config_id: str, **facts: Any) -> None:
    """Mail a step of a budget to its people; the transaction is over before the mail server is asked."""
    with tenancy.as_system(services.TELL_JOB):
        letter = letter_of_budget(UUID(config_id), facts, now=clock.now())
    if letter is not None:
        EmailMessage(letter.subject, letter.text, to=letter.recipients).send()


@jobs.periodic("metering.split_hours", cron="7,22,37,52 * * * *")
def split_hours() -> None:
    """Sum up by key and version the hours that are over."""
    services.split_hours(now=clock.now(), back=timedelta(days=2))


@jobs.periodic("metering.split_late_hours", cron="48 2 * * *")
def split_late_hours() -> None:
    """Do so too for usage that came late."""
    services.split_hours(now=clock.now(), back=timedelta(days=40))


@jobs.periodic("metering.sweep_payloads", cron="13,43 * * * *")
def sweep_payloads() -> None:
    """Erase the content of calls whose retention is over."""
    services.sweep_payloads(now=clock.now())
