"""The operator guide's commands, as an operator types them: by curl, against a running server (operator-api §8 B).

Only host, token and uuids are put in. Once as one story in the guide's order, and each alone.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest
from tests.acceptance.waldur import Party

GUIDE = """\
POST  /api/marketplace-categories/        {"title":"AI Services","description":"AI and ML services"}
POST  /api/marketplace-offerings/         {"name":"AI Agent","category":"/api/marketplace-categories/UUID/","type":"GSVAgents.Agent","state":"Active","description":"Deploy AI agents"}
POST  /api/customers/                     {"name":"Acme Corp","email":"billing@acme.com","country":"US"}
GET   /api/customers/UUID/
PATCH /api/customers/UUID/                {"quotas":{"nc_project_count":10,"nc_resource_count":100}}
POST  /api/customers/UUID/block/
POST  /api/marketplace-plans/             {"offering":"/api/marketplace-offerings/UUID/","name":"Professional","unit_price":"99.00","unit":"month"}
GET   /api/marketplace-orders/?state=pending%20provider
POST  /api/marketplace-orders/UUID/approve/
POST  /api/marketplace-orders/UUID/reject/
POST  /api/marketplace-component-usages/  {"resource":"/api/marketplace-resources/UUID/","component":"/api/marketplace-plan-components/UUID/","usage":1500,"date":"2024-01-15"}
POST  /api/invoices/                      {"customer":"/api/customers/UUID/","year":2024,"month":1}
POST  /api/invoices/UUID/paid/            {"payment_date":"2024-02-01"}
GET   /api/marketplace-stats/revenue/?start=2024-01-01&end=2024-01-31
GET   /api/marketplace-stats/usage/?offering=UUID&start=2024-01-01&end=2024-01-31
GET   /api/support-issues/?state=open
PATCH /api/support-issues/UUID/           {"assignee":"/api/users/UUID/"}
POST  /api/support-issues/UUID/resolve/
GET   /api/marketplace-resources/?offering_uuid=UUID
GET   /api/customers/?is_active=true
GET   /api/invoices/?year=2024&month=1
"""  # noqa: E501  the guide's lines
LINES = [line.split(None, 2) for line in GUIDE.splitlines()]


@dataclass(frozen=True)
class Answer:
    """What the command printed."""

    status: int
    body: Any


def line_of(start: str) -> tuple[str, str, str]:
    """The guide's one line that begins so: method, path, body."""
    method, path = start.split()
    found = [line for line in LINES if line[0] == method and line[1] == path]
    assert len(found) == 1, start
    return method, path, found[0][2] if len(found[0]) == 3 else ""


class Operator:
    """Somebody at a terminal who follows the guide."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    def types(self, start: str, *uuids: str) -> Answer:
        """Run one line of the guide with its UUIDs filled in, in their order."""
        method, path, body = line_of(start)
        return self.runs(method, *_filled(path, body, uuids))

    def runs(self, method: str, path: str, body: str = "") -> Answer:
        """Run a command; the same by plain HTTP where the machine has no curl."""
        if shutil.which("curl") is None:
            return self._plain(method, path, body)
        command = ["curl", "--silent", "--show-error", "--max-time", "60", "-X", method, f"{self.url}{path}"]
        command += ["-H", f"Authorization: Token {self.token}", "-w", "\n%{http_code}"]
        if body:
            command += ["-H", "Content-Type: application/json", "-d", body]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        text, _, status = done.stdout.rpartition("\n")
        return Answer(int(status), json.loads(text) if text else None)

    def _plain(self, method: str, path: str, body: str) -> Answer:
        headers = {"Authorization": f"Token {self.token}"}
        if body:
            headers["Content-Type"] = "application/json"
        answer = httpx.request(method, f"{self.url}{path}", content=body or None, headers=headers, timeout=60)
        return Answer(answer.status_code, answer.json() if answer.content else None)


def _filled(path: str, body: str, uuids: tuple[str, ...]) -> tuple[str, str]:
    """The path and body with each UUID replaced by the next one given."""
    marks = path.count("UUID") + body.count("UUID")
    assert marks == len(uuids), (path, body, uuids)
    both = f"{path}\n{body}"
    for uuid in uuids:
        both = both.replace("UUID", uuid, 1)
    filled_path, _, filled_body = both.partition("\n")
    return filled_path, filled_body


@pytest.fixture
def operator(party: Party) -> Operator:
    return Operator(party.site.url, party.site.staff)


def expect(answer: Answer, status: int) -> Any:
    assert answer.status == status, answer
    return answer.body


def post(operator: Operator, path: str, body: Any, status: int = 201) -> Any:
    """A step between the guide's own."""
    return expect(operator.runs("POST", path, json.dumps(body)), status)


def test_the_guide_from_the_first_line_to_the_last(party: Party, operator: Operator) -> None:
    # 1, 2: a shelf, and an offering on it, active at once and the operator's own
    category = expect(operator.types("POST /api/marketplace-categories/"), 201)
    assert category["title"] == "AI Services"
    offering = expect(operator.types("POST /api/marketplace-offerings/", category["uuid"]), 201)
    assert (offering["state"], offering["type"]) == ("Active", "GSVAgents.Agent")
    assert offering["customer_name"] == "Operator Inc"

    # 3, 4, 5: a customer with limits that hold
    customer = expect(operator.types("POST /api/customers/"), 201)
    assert (customer["name"], customer["country"]) == ("Acme Corp", "US")
    uuid = customer["uuid"]
    assert expect(operator.types("GET /api/customers/UUID/", uuid), 200)["quotas"]
    limited = expect(operator.types("PATCH /api/customers/UUID/", uuid), 200)
    limits = {row["name"]: row["limit"] for row in limited["quotas"]}
    assert (limits["nc_project_count"], limits["nc_resource_count"]) == (10, 100)
    projects = [post(operator, "/api/projects/", {"name": f"P{n}", "customer": uuid}) for n in range(9)]
    project = projects[0]["uuid"]

    # 6: blocked, nothing new; unblocked, all as before
    assert expect(operator.types("POST /api/customers/UUID/block/", uuid), 200)["blocked"] is True
    refused = post(operator, "/api/projects/", {"name": "No", "customer": uuid}, 409)
    assert refused["code"] == "customer_blocked"
    assert expect(operator.runs("POST", f"/api/customers/{uuid}/unblock/"), 200)["blocked"] is False
    post(operator, "/api/projects/", {"name": "Tenth", "customer": uuid})
    refused = post(operator, "/api/projects/", {"name": "Eleventh", "customer": uuid}, 409)
    assert (refused["code"], refused["extra"]["quota"]) == ("quota_exceeded", "nc_project_count")
    assert (refused["extra"]["limit"], refused["extra"]["usage"]) == (10, 10)

    # 7: a plan
    plan = expect(operator.types("POST /api/marketplace-plans/", offering["uuid"]), 201)
    assert (plan["name"], plan["unit_price"], plan["unit"]) == ("Professional", "99.00", "month")
    prices = {"prices": {"requests": "0.02"}}
    post(operator, f"/api/marketplace-plans/{plan['uuid']}/update_prices/", prices, 200)

    # 8, 9, 10: orders that wait for the provider
    path = f"/api/marketplace-provider-offerings/{offering['uuid']}/"
    waits = {"plugin_options": {"require_provider_approval": True}}
    expect(operator.runs("PATCH", path, json.dumps(waits)), 200)
    first, second = (order(operator, offering, project, name) for name in ("First", "Second"))
    mine = {first["uuid"], second["uuid"]}
    for state in ("pending%20provider", "pending+provider", "pending-provider"):
        rows = expect(operator.runs("GET", f"/api/marketplace-orders/?state={state}"), 200)
        assert mine <= {row["uuid"] for row in rows}
        assert {row["state"] for row in rows} == {"pending-provider"}
    rows = expect(operator.types("GET /api/marketplace-orders/?state=pending%20provider"), 200)
    assert mine <= {row["uuid"] for row in rows}
    expect(operator.types("POST /api/marketplace-orders/UUID/approve/", first["uuid"]), 200)
    assert expect(operator.types("POST /api/marketplace-orders/UUID/approve/", first["uuid"]), 409)["code"]
    rejected = expect(operator.types("POST /api/marketplace-orders/UUID/reject/", second["uuid"]), 200)
    assert rejected["state"] == "rejected"
    party.finished(first["uuid"])
    done = expect(operator.runs("GET", f"/api/marketplace-orders/{first['uuid']}/"), 200)
    assert done["state"] == "done", done["error_message"]
    resource = done["marketplace_resource_uuid"]

    # 11: usage that was reported twice counts once
    component = component_of(operator, plan["uuid"], "requests")
    for _ in range(2):
        usage = expect(
            operator.types("POST /api/marketplace-component-usages/", resource, component["uuid"]), 201
        )
        assert (Decimal(str(usage["usage"])), usage["billing_period"]) == (1500, "2024-01-01")

    # 12, 13: the month's invoice, and its payment
    invoice = expect(operator.types("POST /api/invoices/", uuid), 201)
    assert (invoice["state"], Decimal(invoice["price"])) == ("created", Decimal("30.00"))
    again = expect(operator.types("POST /api/invoices/", uuid), 200)
    assert again["uuid"] == invoice["uuid"]
    paid = expect(operator.types("POST /api/invoices/UUID/paid/", invoice["uuid"]), 200)
    assert paid["state"] == "paid"
    expect(operator.types("POST /api/invoices/UUID/paid/", invoice["uuid"]), 409)

    # 14, 15: figures that agree with it
    window = "start=2024-01-01&end=2024-01-31"
    told = expect(operator.types(f"GET /api/marketplace-stats/revenue/?{window}"), 200)
    assert told["definition"] and told["currencies"]
    own = expect(operator.runs("GET", f"/api/marketplace-stats/revenue/?{window}&customer={uuid}"), 200)
    (dollars,) = own["currencies"]
    assert (dollars["currency"], Decimal(dollars["total"])) == ("USD", Decimal(invoice["price"]))
    used = expect(
        operator.types("GET /api/marketplace-stats/usage/?offering=UUID&" + window, offering["uuid"]), 200
    )
    sums = {row["type"]: Decimal(str(row["usage"])) for row in used["components"]}
    assert sums["requests"] == 1500
    for report, defined in (("kpis", "definitions"), ("orders", "definition"), ("customers", "definition")):
        assert expect(operator.runs("GET", f"/api/marketplace-stats/{report}/?{window}"), 200)[defined]

    # 16, 17, 18: a ticket
    issue = post(operator, "/api/support-issues/", {"summary": "Help", "customer": f"/api/customers/{uuid}/"})
    rows = expect(operator.types("GET /api/support-issues/?state=open"), 200)
    assert issue["uuid"] in {row["uuid"] for row in rows}
    me = expect(operator.runs("GET", "/api/users/me/"), 200)["uuid"]
    assigned = expect(operator.types("PATCH /api/support-issues/UUID/", issue["uuid"], me), 200)
    assert assigned["assignee_uuid"] == me
    resolved = expect(operator.types("POST /api/support-issues/UUID/resolve/", issue["uuid"]), 200)
    assert resolved["status"] == "Resolved"
    rows = expect(operator.types("GET /api/support-issues/?state=open"), 200)
    assert issue["uuid"] not in {row["uuid"] for row in rows}

    # 19: filters
    rows = expect(operator.types("GET /api/marketplace-resources/?offering_uuid=UUID", offering["uuid"]), 200)
    assert resource in {row["uuid"] for row in rows}
    expect(operator.types("POST /api/customers/UUID/block/", uuid), 200)
    active = expect(operator.runs("GET", "/api/customers/?is_active=true&page_size=300"), 200)
    assert uuid not in {row["uuid"] for row in active}
    assert party.buying.uuid.hex in {row["uuid"] for row in active}
    rows = expect(operator.types("GET /api/invoices/?year=2024&month=1"), 200)
    assert {(row["year"], row["month"]) for row in rows} == {(2024, 1)}
    rows = expect(operator.runs("GET", f"/api/invoices/?year=2024&month=1&customer_uuid={uuid}"), 200)
    assert [row["uuid"] for row in rows] == [invoice["uuid"]]


def order(operator: Operator, offering: Any, project: str, name: str) -> Any:
    """An order that somebody placed."""
    body = {
        "offering": f"/api/marketplace-offerings/{offering['uuid']}/",
        "project": f"/api/projects/{project}/",
        "attributes": {"name": name},
        "accepting_terms_of_service": True,
    }
    return post(operator, "/api/marketplace-orders/", body)


def component_of(operator: Operator, plan: str, kind: str) -> Any:
    """The row that prices one component in one plan."""
    rows = expect(
        operator.runs("GET", f"/api/marketplace-plan-components/?plan_uuid={plan}&page_size=300"), 200
    )
    resources = {row["component_name"]: row for row in rows}
    names = {"requests": "Requests", "storage": "Storage"}
    return resources[names[kind]]


# --- each line alone, on what it needs and nothing else -------------------------------------------------

Case = tuple[str, Callable[[Party], tuple[str, ...]], int]


def _offering(party: Party) -> Any:
    return party.offering()


def _waiting(party: Party) -> tuple[str, ...]:
    return (party.order(party.offering()).uuid.hex,)


def _usage(party: Party) -> tuple[str, ...]:
    offering = party.offering()
    resource = party.resource(offering)
    rows = party.staff(
        "marketplace_plan_components_list", plan_uuid=party.plan_of(offering).uuid, page_size=300
    )
    (storage,) = [row for row in rows if row.component_name == "Storage"]
    return resource.uuid.hex, storage.additional_properties["uuid"]


def _used(party: Party) -> tuple[str, ...]:
    resource, component = _usage(party)
    body = {
        "resource": f"/api/marketplace-resources/{resource}/",
        "component": f"/api/marketplace-plan-components/{component}/",
        "usage": 1500,
        "date": "2024-01-15",
    }
    party.staff.ok("POST", "/api/marketplace-component-usages/", body, 201)
    return (party.buying.uuid.hex,)


def _invoiced(party: Party) -> tuple[str, ...]:
    (customer,) = _used(party)
    body = {"customer": f"/api/customers/{customer}/", "year": 2024, "month": 1}
    return (party.staff.ok("POST", "/api/invoices/", body, 201)["uuid"],)


def _issue(party: Party) -> tuple[str, ...]:
    return (party.staff.ok("POST", "/api/support-issues/", {"summary": "Help"}, 201)["uuid"],)


def _issue_and_me(party: Party) -> tuple[str, ...]:
    return (*_issue(party), party.staff("users_me_retrieve").uuid.hex)


def _nothing(party: Party) -> tuple[str, ...]:
    return ()


def _customer(party: Party) -> tuple[str, ...]:
    return (party.buying.uuid.hex,)


WINDOW = "start=2024-01-01&end=2024-01-31"
ALONE: list[Case] = [
    ("POST /api/marketplace-categories/", _nothing, 201),
    ("POST /api/marketplace-offerings/", lambda p: (p.category.uuid.hex,), 201),
    ("POST /api/customers/", _nothing, 201),
    ("GET /api/customers/UUID/", _customer, 200),
    ("PATCH /api/customers/UUID/", _customer, 200),
    ("POST /api/customers/UUID/block/", _customer, 200),
    ("POST /api/marketplace-plans/", lambda p: (p.offering().uuid.hex,), 201),
    ("GET /api/marketplace-orders/?state=pending%20provider", _nothing, 200),
    ("POST /api/marketplace-orders/UUID/approve/", _waiting, 200),
    ("POST /api/marketplace-orders/UUID/reject/", _waiting, 200),
    ("POST /api/marketplace-component-usages/", _usage, 201),
    ("POST /api/invoices/", _used, 201),
    ("POST /api/invoices/UUID/paid/", _invoiced, 200),
    (f"GET /api/marketplace-stats/revenue/?{WINDOW}", _nothing, 200),
    (f"GET /api/marketplace-stats/usage/?offering=UUID&{WINDOW}", lambda p: (p.offering().uuid.hex,), 200),
    ("GET /api/support-issues/?state=open", _nothing, 200),
    ("PATCH /api/support-issues/UUID/", _issue_and_me, 200),
    ("POST /api/support-issues/UUID/resolve/", _issue, 200),
    ("GET /api/marketplace-resources/?offering_uuid=UUID", lambda p: (p.offering().uuid.hex,), 200),
    ("GET /api/customers/?is_active=true", _nothing, 200),
    ("GET /api/invoices/?year=2024&month=1", _nothing, 200),
]


def test_no_line_of_the_guide_is_left_out() -> None:
    assert [start for start, _, _ in ALONE] == [" ".join(line[:2]) for line in LINES]


@pytest.mark.parametrize(("start", "needs", "status"), ALONE, ids=[case[0] for case in ALONE])
def test_each_line_alone(
    party: Party, operator: Operator, start: str, needs: Callable[[Party], tuple[str, ...]], status: int
) -> None:
    uuids = needs(party)
    assert operator.types(start, *uuids).status == status
    stranger = Operator(party.site.url, party.stranger.token)
    answer = stranger.types(start, *uuids)
    if start.startswith("GET") and answer.status == 200:
        seen = json.dumps(answer.body)  # a list, or figures, without anything of others
        assert party.buying.name not in seen
    else:
        assert answer.status in (400, 403, 404), answer
    nobody = Operator(party.site.url, "0" * 40).types(start, *uuids)
    assert (nobody.status, nobody.body) == (401, {"detail": "Invalid token."})
