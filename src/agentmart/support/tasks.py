"""Jobs: the clocks of all issues, and e-mail to the desk."""

from __future__ import annotations

from uuid import UUID

from django.core.mail import EmailMessage

from agentmart.infra import clock as installed
from agentmart.infra import jobs, tenancy
from agentmart.support import selectors, services

CHECK_JOB = "support.check_clocks"
NOTIFY_JOB = "support.notify"


@jobs.periodic(CHECK_JOB, cron="* * * * *")
def check_clocks() -> None:
    """Warn of what is due soon, note what is late, close what was resolved a week ago."""
    services.check_clocks(now=installed.now())


@jobs.job(NOTIFY_JOB, attempts=6, wait_seconds=10)
def notify(*, issue_id: str, event: str, clock: str) -> None:
    """Mail the desk about an event; the transaction is over before the mail server is asked."""
    with tenancy.as_system(NOTIFY_JOB):
        letter = selectors.letter_to_desk(UUID(issue_id), event, clock)
    if letter is not None:
        EmailMessage(letter.subject, letter.text, to=list(letter.recipients)).send()
