"""What the desk is told by e-mail, and where."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest
from django.core import mail
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.support.market import ok, operator
from tests.support.world import World
from tests.support_desk.conftest import Time
from tests.support_desk.desk import opened, path_of

from agentmart.config import settings as configured
from agentmart.identity.models import User
from agentmart.infra import tenancy
from agentmart.kit.env import BadSetting
from agentmart.support import services, tasks

pytestmark = pytest.mark.django_db


def run_mail_jobs() -> int:
    """Carry out the queued letters as the worker would; returns how many."""
    queued = list(ProcrastinateJob.objects.filter(task_name=tasks.NOTIFY_JOB).order_by("id"))
    for row in queued:
        tasks.notify(**{name: value for name, value in row.args.items() if name != "request_id"})
    return len(queued)


def give_addresses(**addresses: str) -> None:
    """Give people e-mail addresses."""
    with tenancy.as_system("test"):
        for username, address in addresses.items():
            assert User.objects.filter(username=username).update(email=address) == 1


def test_staff_and_support_are_told_of_what_is_late(world: World, time: Time) -> None:
    operator("is_support")
    operator("is_finance")
    give_addresses(
        olga="olga@desk.test", is_support="sue@desk.test", is_finance="f@desk.test", boris="b@buyer.test"
    )
    issue = opened(world.buyer.api, world, priority="Critical", summary="Down\nagain")
    time.go(hours=1, seconds=1)
    services.check_clocks(now=time.now)
    assert run_mail_jobs() == 1
    [letter] = mail.outbox
    assert letter.to == ["olga@desk.test", "sue@desk.test"]
    assert letter.from_email == "agentmart@localhost"
    assert letter.subject == f"[{issue['key']}] Critical, breached: Down again"
    assert letter.body == (
        f"The first response of {issue['key']} was due at 2026-03-10 13:00 UTC; it is escalated.\n\n"
        "Summary: Down\nagain\nPriority: Critical\nStatus: Open\nCustomer: Buyer Ltd\n"
    )


def test_warnings_and_escalations_are_told_too(world: World, time: Time, settings: Any) -> None:
    settings.SUPPORT_EMAIL = ["desk@desk.test"]
    issue = opened(world.buyer.api, priority="Critical")
    time.go(minutes=50)
    services.check_clocks(now=time.now)
    ok(world.operator.api.post(f"{path_of(issue)}comment/", {"description": "We look."}), 201)
    time.go(minutes=140)
    services.check_clocks(now=time.now)
    ok(world.operator.api.post(f"{path_of(issue)}escalate/", {"reason": "The boss asks."}))
    assert run_mail_jobs() == 3
    assert [letter.to for letter in mail.outbox] == [["desk@desk.test"]] * 3
    assert [letter.body.partition("\n")[0] for letter in mail.outbox] == [
        f"The first response of {issue['key']} is due soon, at 2026-03-10 13:00 UTC.",
        f"The resolution of {issue['key']} is due soon, at 2026-03-10 16:00 UTC.",
        f"{issue['key']} was escalated: The boss asks.",
    ]
    assert "Customer: -" in mail.outbox[0].body


def test_nobody_to_tell_and_nothing_to_tell_of(world: World) -> None:
    issue = opened(world.buyer.api)
    ok(world.operator.api.post(f"{path_of(issue)}escalate/", {"reason": "X"}))
    assert run_mail_jobs() == 1
    assert mail.outbox == []
    give_addresses(olga="olga@desk.test")
    assert world.operator.api.delete(path_of(issue)).status_code == 204
    assert run_mail_jobs() == 1
    assert mail.outbox == []


def test_a_mail_server_that_does_not_answer_fails_the_job(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SUPPORT_EMAIL = ["desk@desk.test"]
    issue = opened(world.buyer.api)
    ok(world.operator.api.post(f"{path_of(issue)}escalate/", {"reason": "X"}))

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise smtplib.SMTPServerDisconnected("away")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        run_mail_jobs()


def test_hours_that_cannot_be_read_stop_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"AGENTMART_SUPPORT_HOURS": "nine to five", "AGENTMART_SUPPORT_TIMEZONE": "UTC"}
    monkeypatch.setattr(configured, "ENV", configured.environment(values))
    with pytest.raises(BadSetting) as refused:
        configured._support_calendar()
    assert str(refused.value) == (
        "AGENTMART_SUPPORT_HOURS, AGENTMART_SUPPORT_TIMEZONE, AGENTMART_SUPPORT_HOLIDAYS: "
        "'nine to five' is not like Mon-Fri 09:00-17:00"
    )
