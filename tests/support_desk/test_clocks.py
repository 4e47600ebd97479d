"""What is promised, when it stops and goes on, and what the periodic job does about what is late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.support.market import ok, operator
from tests.support.world import NOW, World
from tests.support_desk.conftest import Time
from tests.support_desk.desk import ISSUES, TARGETS, opened, path_of, shown

from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry
from agentmart.support import services, tasks
from agentmart.support.models import Issue
from agentmart.support.sla import read_calendar

pytestmark = pytest.mark.django_db


def events(issue: dict[str, Any], *actions: str) -> list[tuple[str, str, Any]]:
    """The audit entries of an issue: action, who, and which clock (or the state before and after)."""
    with tenancy.as_system("test"):
        rows = AuditEntry.objects.filter(object_id=issue["uuid"]).order_by("at", "action", "id")
        return [
            (row.action, row.actor_name, row.after.get("clock"))
            for row in rows
            if not actions or row.action in actions
        ]


def letters() -> list[tuple[str, str]]:
    """The queued e-mails: event and clock."""
    rows = ProcrastinateJob.objects.filter(task_name=tasks.NOTIFY_JOB).order_by("id")
    return [(row.args["event"], row.args["clock"]) for row in rows]


def sla(issue: dict[str, Any]) -> dict[str, Any]:
    """What an answer says of the promise."""
    names = (
        "first_response_deadline resolution_deadline first_response_at sla_status sla_breached is_escalated"
    )
    return {name: issue[name] for name in names.split()}


@pytest.mark.parametrize(
    ("priority", "response", "resolution"),
    [("Critical", 1, 4), ("High", 4, 24), ("Medium", 24, 72), ("Low", 72, 168)],
)
def test_each_priority_has_its_promise(
    world: World, time: Time, priority: str, response: int, resolution: int
) -> None:
    issue = opened(world.buyer.api, world, priority=priority)
    assert sla(issue) == {
        "first_response_deadline": time.text(hours=response),
        "resolution_deadline": time.text(hours=resolution),
        "first_response_at": None,
        "sla_status": "ok",
        "sla_breached": False,
        "is_escalated": False,
    }


def test_the_desk_s_first_public_word_is_the_first_response(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world)
    path = f"{path_of(issue)}comment/"
    ok(world.buyer.api.post(path, {"description": "Hello?"}), 201)
    time.go(hours=1)
    ok(world.operator.api.post(path, {"description": "Who knows?", "is_public": False}), 201)
    assert shown(world.buyer.api, issue)["first_response_at"] is None
    time.go(hours=1)
    ok(world.operator.api.post(path, {"description": "We look."}), 201)
    time.go(hours=1)
    ok(operator("is_support").post(path, {"description": "Still."}), 201)
    assert shown(world.buyer.api, issue)["first_response_at"] == time.text(hours=2)


def test_a_resolution_is_a_response(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world)
    time.go(hours=2)
    done = ok(world.operator.api.post(f"{path_of(issue)}resolve/"))
    assert (done["first_response_at"], done["resolved_at"]) == (time.text(hours=2), time.text(hours=2))
    assert (done["sla_status"], done["sla_breached"]) == ("met", False)


def test_canceling_is_no_response(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world)
    done = ok(world.operator.api.post(f"{path_of(issue)}set_status/", {"status": "Canceled"}))
    assert (done["first_response_at"], done["resolved_at"], done["resolved"]) == (None, None, False)
    assert done["sla_status"] == "met"
    time.go(days=30)
    assert services.check_clocks(now=time.now) == {"told": 0, "closed": 0}
    assert shown(world.buyer.api, issue)["sla_status"] == "met"


def test_the_resolution_s_clock_stops_while_the_customer_is_asked(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world, priority="Critical")
    path = path_of(issue)
    ok(world.operator.api.post(f"{path}comment/", {"description": "Which one?"}), 201)
    time.go(hours=1)
    waiting = ok(world.operator.api.post(f"{path}set_status/", {"status": "Waiting for customer"}))
    assert waiting["resolution_deadline"] == time.text(hours=4)
    time.go(hours=100)
    assert shown(world.buyer.api, issue)["sla_status"] == "ok"
    assert services.check_clocks(now=time.now) == {"told": 0, "closed": 0}
    ok(world.buyer.api.post(f"{path}comment/", {"description": "This one."}), 201)
    again = shown(world.buyer.api, issue)
    assert again["status"] == "Open"
    assert again["resolution_deadline"] == time.text(hours=104)
    assert again["first_response_deadline"] == time.text(hours=1)
    time.go(hours=2.25)
    assert shown(world.buyer.api, issue)["sla_status"] == "at_risk"
    ok(world.operator.api.post(f"{path}set_status/", {"status": "Waiting for customer"}))
    time.go(hours=10)
    third = ok(world.operator.api.post(f"{path}set_status/", {"status": "In Progress"}))
    assert third["resolution_deadline"] == time.text(hours=114)
    time.go(minutes=45)
    assert shown(world.buyer.api, issue)["sla_status"] == "at_risk"
    time.go(seconds=1)
    assert shown(world.buyer.api, issue)["sla_status"] == "breached"


def test_the_answer_s_clock_goes_on_while_the_customer_is_asked(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world, priority="Critical")
    ok(world.operator.api.post(f"{path_of(issue)}set_status/", {"status": "Waiting for customer"}))
    time.go(hours=1, seconds=1)
    assert services.check_clocks(now=time.now) == {"told": 1, "closed": 0}
    assert shown(world.buyer.api, issue)["sla_breached"] is True
    assert events(issue, "issue.sla_breached") == [
        ("issue.sla_breached", "support.check_clocks", "first response")
    ]


def test_time_after_the_end_does_not_count_when_it_is_reopened(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world, priority="Critical")
    time.go(hours=0.5)
    ok(world.operator.api.post(f"{path_of(issue)}resolve/"))
    time.go(days=2)
    again = ok(world.buyer.api.post(f"{path_of(issue)}reopen/", {"comment": "Not at all."}))
    assert again["resolution_deadline"] == time.text(days=2, hours=4)
    assert (again["status"], again["resolved_at"], again["sla_status"]) == ("Open", None, "ok")


def test_a_new_priority_promises_anew_from_the_opening_on(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world, priority="Low")
    time.go(hours=2)
    raised = ok(world.operator.api.patch(path_of(issue), {"priority": "high"}))
    assert raised["priority"] == "High"
    assert raised["first_response_deadline"] == time.text(hours=4)
    assert raised["resolution_deadline"] == time.text(hours=24)
    urgent = ok(world.operator.api.patch(path_of(issue), {"priority": "Critical"}))
    assert urgent["first_response_deadline"] == time.text(hours=1)
    assert (urgent["sla_status"], urgent["sla_breached"]) == ("breached", True)


def test_what_was_late_under_the_old_priority_stays_late(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world, priority="Critical")
    time.go(hours=2)
    eased = ok(world.operator.api.patch(path_of(issue), {"priority": "Low"}))
    assert eased["first_response_deadline"] == time.text(hours=72)
    assert (eased["sla_status"], eased["sla_breached"]) == ("breached", True)


def test_a_late_answer_is_noted_without_the_job(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world, priority="Critical")
    time.go(hours=1, seconds=1)
    ok(world.operator.api.post(f"{path_of(issue)}comment/", {"description": "Sorry."}), 201)
    late = shown(world.buyer.api, issue)
    assert (late["sla_breached"], late["is_escalated"]) == (True, True)
    assert late["escalation_reason"] == "SLA breached: first response was due 2026-03-10 13:00 UTC."
    assert letters() == [("breached", "first response")]


def test_a_late_resolution_is_noted_without_the_job(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world, priority="Critical")
    time.go(hours=0.5)
    ok(world.operator.api.post(f"{path_of(issue)}comment/", {"description": "We look."}), 201)
    time.go(hours=4)
    done = ok(world.operator.api.post(f"{path_of(issue)}resolve/"))
    assert (done["sla_status"], done["sla_breached"]) == ("breached", True)
    assert events(issue, "issue.sla_breached") == [
        ("issue.sla_breached", "support.check_clocks", "resolution")
    ]


def test_the_job_warns_once_then_notes_the_breach_once(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world, priority="Critical")
    for minutes, told, mail, status in (
        (45, 0, [], "ok"),
        (46, 1, [("at_risk", "first response")], "at_risk"),
        (47, 0, [("at_risk", "first response")], "at_risk"),
        (60, 0, [("at_risk", "first response")], "at_risk"),
        (61, 1, [("at_risk", "first response"), ("breached", "first response")], "breached"),
        (62, 0, [("at_risk", "first response"), ("breached", "first response")], "breached"),
        (181, 1, [("at_risk", "resolution")], "breached"),
        (240, 0, [("at_risk", "resolution")], "breached"),
        (241, 1, [("at_risk", "resolution"), ("breached", "resolution")], "breached"),
        (900, 0, [("at_risk", "resolution"), ("breached", "resolution")], "breached"),
    ):
        time.now = NOW + timedelta(minutes=minutes)
        assert services.check_clocks(now=time.now) == {"told": told, "closed": 0}, minutes
        assert letters()[-len(mail) :] == mail if mail else letters() == []
        assert shown(world.buyer.api, issue)["sla_status"] == status, minutes
    assert [action for action, _, _ in events(issue)] == [
        "issue.opened",
        "issue.sla_at_risk",
        "issue.sla_breached",
        "issue.sla_at_risk",
        "issue.sla_breached",
    ]
    late = shown(world.operator.api, issue)
    assert (late["is_escalated"], late["escalated_at"]) == (True, time.text(minutes=61))
    assert late["escalation_reason"] == "SLA breached: first response was due 2026-03-10 13:00 UTC."


def test_a_breach_that_comes_first_needs_no_warning(world: World, time: Time) -> None:
    opened(world.buyer.api, world, priority="Critical")
    time.go(days=1)
    assert services.check_clocks(now=time.now) == {"told": 1, "closed": 0}
    assert letters() == [("breached", "first response"), ("breached", "resolution")]
    assert services.check_clocks(now=time.now) == {"told": 0, "closed": 0}


def test_a_breach_keeps_the_reason_that_somebody_gave(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world, priority="Critical")
    ok(world.operator.api.post(f"{path_of(issue)}escalate/", {"reason": "The boss asks."}))
    time.go(hours=2)
    services.check_clocks(now=time.now)
    late = shown(world.operator.api, issue)
    assert (late["escalation_reason"], late["escalated_at"]) == ("The boss asks.", time.text())
    assert late["sla_breached"] is True


def test_the_list_is_filtered_by_what_is_late_at_this_moment(world: World, time: Time) -> None:
    critical = opened(world.buyer.api, world, priority="Critical")
    low = opened(world.buyer.api, world, priority="Low")
    time.go(hours=1)

    def found(value: str) -> list[str]:
        return [row["uuid"] for row in ok(world.operator.api.get(ISSUES, sla_breached=value, o="-priority"))]

    assert (found("true"), found("false")) == ([], [critical["uuid"], low["uuid"]])
    time.go(seconds=1)
    assert (found("true"), found("false")) == ([critical["uuid"]], [low["uuid"]])
    services.check_clocks(now=time.now)
    assert (found("true"), found("false")) == ([critical["uuid"]], [low["uuid"]])


def test_what_was_resolved_a_week_ago_is_closed(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world)
    ok(world.operator.api.post(f"{path_of(issue)}resolve/", {"resolution": "Restarted it."}))
    time.go(days=7, seconds=-1)
    assert services.check_clocks(now=time.now) == {"told": 0, "closed": 0}
    time.go(seconds=1)
    assert services.check_clocks(now=time.now) == {"told": 0, "closed": 1}
    closed = shown(world.buyer.api, issue)
    assert (closed["status"], closed["resolved"], closed["resolution"]) == ("Closed", True, "Restarted it.")
    assert closed["resolved_at"] == time.text()
    assert events(issue, "issue.closed") == [("issue.closed", "support.check_clocks", None)]
    assert services.check_clocks(now=time.now) == {"told": 0, "closed": 0}


def test_the_periodic_job_looks_at_the_installation_s_clock(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world, priority="Critical")
    time.go(hours=1, seconds=1)
    tasks.check_clocks()
    assert shown(world.buyer.api, issue)["is_escalated"] is True


def test_business_hours(world: World, time: Time, settings: Any) -> None:
    settings.SUPPORT_CALENDAR = read_calendar("Mon-Fri 09:00-17:00", "UTC")
    time.now = time.now.replace(day=13, hour=16)  # Friday, an hour before the weekend
    issue = opened(world.buyer.api, world, priority="Critical")
    assert issue["first_response_deadline"] == "2026-03-13T17:00:00.000000Z"
    assert issue["resolution_deadline"] == "2026-03-16T12:00:00.000000Z"
    ok(world.operator.api.post(f"{path_of(issue)}comment/", {"description": "Which?"}), 201)
    ok(world.operator.api.post(f"{path_of(issue)}set_status/", {"status": "Waiting for customer"}))
    time.now = time.now.replace(day=16, hour=10)
    ok(world.buyer.api.post(f"{path_of(issue)}comment/", {"description": "That."}), 201)
    again = shown(world.buyer.api, issue)
    assert (
        again["resolution_deadline"] == "2026-03-16T14:00:00.000000Z"
    )  # two working hours were the customer's
    with tenancy.as_system("test"):
        assert Issue.objects.get(pk=issue["uuid"]).paused_seconds == 7200


# -- the table


def test_staff_reads_and_changes_the_targets(world: World, time: Time, settings: Any) -> None:
    before = opened(world.buyer.api, world, priority="High")
    table = ok(world.operator.api.get(TARGETS))
    assert table == {
        "targets": [
            {"priority": "Critical", "response_minutes": 60, "resolution_minutes": 240},
            {"priority": "High", "response_minutes": 240, "resolution_minutes": 1440},
            {"priority": "Medium", "response_minutes": 1440, "resolution_minutes": 4320},
            {"priority": "Low", "response_minutes": 4320, "resolution_minutes": 10080},
        ],
        "hours": "",
        "timezone": "UTC",
        "holidays": [],
    }
    row = {"priority": "high", "response_minutes": 30, "resolution_minutes": 90}
    changed = ok(put(world, {"targets": [row]}))
    assert changed["targets"][1] == {**row, "priority": "High"}
    assert changed["targets"][0] == table["targets"][0]
    after = opened(world.buyer.api, world, priority="High")
    assert after["first_response_deadline"] == time.text(minutes=30)
    assert after["resolution_deadline"] == time.text(minutes=90)
    assert shown(world.buyer.api, before)["first_response_deadline"] == time.text(hours=4)
    with tenancy.as_system("test"):
        entry = AuditEntry.objects.get(action="sla_target.set")
    assert entry.before == {"response_minutes": 240, "resolution_minutes": 1440}
    assert entry.after == {"priority": "High", "response_minutes": 30, "resolution_minutes": 90}


def put(world: World, body: Any) -> Any:
    """Send the table as staff."""
    client = world.operator.api
    return client._client.put(TARGETS, body, content_type="application/json", headers=client._headers)


def test_the_table_shows_the_calendar(world: World, settings: Any) -> None:
    settings.SUPPORT_HOURS = "Mon-Fri 09:00-17:00"
    settings.SUPPORT_CALENDAR = read_calendar(settings.SUPPORT_HOURS, "Europe/Berlin", "2026-12-25")
    table = ok(world.operator.api.get(TARGETS))
    assert (table["hours"], table["timezone"]) == ("Mon-Fri 09:00-17:00", "Europe/Berlin")
    assert table["holidays"] == ["2026-12-25"]
    assert settings.SUPPORT_CALENDAR.zone == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, {"targets": ["This field is required."]}),
        ({"targets": []}, {"targets": {"non_field_errors": ["This list may not be empty."]}}),
        (
            {"targets": [{"priority": "Urgent", "response_minutes": 1, "resolution_minutes": 2}]},
            {"targets": [{"priority": ['"Urgent" is not a valid choice.']}]},
        ),
        (
            {"targets": [{"priority": "Low", "response_minutes": 0, "resolution_minutes": 129601}]},
            {
                "targets": [
                    {
                        "response_minutes": ["Ensure this value is greater than or equal to 1."],
                        "resolution_minutes": ["Ensure this value is less than or equal to 129600."],
                    }
                ]
            },
        ),
        (
            {"targets": [{"priority": "Low", "response_minutes": 3, "resolution_minutes": 2}]},
            {"targets": ["Low: the resolution is due before the first response."]},
        ),
        (
            {"targets": [{"priority": "Low", "response_minutes": 1, "resolution_minutes": 2}] * 2},
            {"targets": ["Name each priority once."]},
        ),
    ],
)
def test_a_table_that_cannot_be_meant(world: World, body: Any, said: Any) -> None:
    answer = put(world, body)
    assert (answer.status_code, answer.json()) == (400, said)
    assert ok(world.operator.api.get(TARGETS))["targets"][3]["response_minutes"] == 4320


def test_nobody_but_staff_touches_the_table(world: World) -> None:
    for api in (operator("is_support"), operator("is_finance"), world.buyer.api, world.stranger.api):
        assert api.get(TARGETS).status_code == 403
    assert world.visitor.get(TARGETS).status_code == 401
