"""The demo: the whole sale through the public REST API and the gateway, as each person would do it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from agentmart.devtools.rest import Rest, Unexpected
from agentmart.devtools.story import Story

INVOKE = "/api/agent-gateway/invoke/"
CONFIGS = "/api/site-agent/customer-agent-configs"
AGENTS = "/api/site-agent/provider-agents"
CALLS = 25
STREAMED_EVERY = 5
PATIENCE_SECONDS = 60.0

BASE_FEE = Decimal("99.00")
REQUEST_PRICE = Decimal("0.01")
TIERS: tuple[tuple[int | None, Decimal], ...] = (
    (500, Decimal("0")),
    (1000, Decimal("0.002")),
    (None, Decimal("0.001")),
)
HYBRID_PLAN: dict[str, Any] = {
    "name": "Professional",
    "unit_price": str(BASE_FEE),
    "unit": "month",
    "currency": "USD",
    "components": [
        {"type": "requests", "price": str(REQUEST_PRICE)},
        {
            "type": "output_tokens",
            "tier_mode": "graduated",
            "tiers": [{"up_to": up_to, "unit_price": str(price)} for up_to, price in TIERS],
        },
    ],
    "limits": {
        "requests_per_minute": 120,
        "concurrent_requests": 5,
        "max_context_tokens": 8192,
        "streaming": True,
    },
}
SMALL_PLAN: dict[str, Any] = {
    "name": "Free",
    "unit_price": "0.00",
    "components": [{"type": "requests", "price": "0.05"}],
    "limits": {"requests_per_minute": 3, "concurrent_requests": 1, "streaming": False},
}


@dataclass
class Stage:
    """Where the demo plays: a running product and Langflow's own exports."""

    web_url: str
    gateway_url: str
    staff_token: str
    starter_projects: Path  # folder of the pinned langflow-base wheel's starter projects
    plain_flow: Path  # an export that needs no model
    set_clock: Callable[[datetime], None]
    say: Callable[[str], None]


@dataclass
class Cast:
    """Who takes part, and what they made on the way."""

    operator: Rest
    provider: Rest
    buyer: Rest
    neighbour: Rest
    ids: dict[str, str] = field(default_factory=dict)


def play(stage: Stage, story: Story) -> dict[str, Any]:
    """Play the sale; returns the document of `--json`. Raises Unexpected where a call goes wrong."""
    began = time.monotonic()
    start = start_of_play()
    stage.set_clock(start)
    cast = people(stage, story)
    import_flows(stage, story, cast)
    publish(story, cast)
    order(story, cast)
    calls = _call(stage, story, cast)
    events = _usage(story, cast, calls)
    invoice = _bill(stage, story, cast, events)
    _neighbour(story, cast, invoice)
    totals = {
        "calls": calls["answered"],
        "events": len(events),
        "input_tokens": sum(event["input_tokens"] for event in events),
        "output_tokens": sum(event["output_tokens"] for event in events),
    }
    _summary(story, invoice, totals, time.monotonic() - began)
    return {"steps": story.steps, "invoice": invoice, "usage": totals, "checks": story.checks, "ok": story.ok}


def start_of_play() -> datetime:
    """Return the 10th of next month, 09:00 UTC: days enough before the month's end, whatever today is."""
    first = datetime.now(UTC).replace(day=1, hour=9, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=10)


def people(stage: Stage, story: Story) -> Cast:
    """The operator makes a category, and provider and buyers with a project each."""
    with story.step("The operator creates a category, a provider and two buyers with a project each"):
        operator = Rest(stage.web_url, f"Token {stage.staff_token}")
        category = operator.post("/api/marketplace-categories/", {"title": "AI Services"})
        ids = {"category": category["url"]}
        people: dict[str, Rest] = {}
        for name, company in (
            ("provider", "Flowsmith GmbH"),
            ("buyer", "Acme Corp"),
            ("neighbour", "Next Door Ltd"),
        ):
            customer = operator.post(
                "/api/customers/", {"name": company, "email": f"billing@{name}.example", "country": "US"}
            )
            project = operator.post("/api/projects/", {"name": "Main", "customer": customer["url"]})
            user = operator.post("/api/users/", {"username": name, "email": f"{name}@demo.example"})
            operator.post(
                f"/api/customers/{customer['uuid']}/add_user/",
                {"user": user["url"], "role": "CUSTOMER.OWNER"},
            )
            token = operator.post(f"/api/users/{user['uuid']}/refresh_token/", status=200)["token"]
            people[name] = Rest(stage.web_url, f"Token {token}")
            ids |= {f"{name}_customer": customer["uuid"], f"{name}_project": project["url"]}
            story.tell(f"{name}: {company}, project {project['name']}, login {name}")
        return Cast(operator, people["provider"], people["buyer"], people["neighbour"], ids)


def import_flows(stage: Stage, story: Story, cast: Cast) -> None:
    """The provider validates and imports two real exports; a broken one is refused."""
    with story.step("The provider validates and imports real Langflow exports"):
        flows = {
            "plain": json.loads(stage.plain_flow.read_text()),
            "chat": json.loads((stage.starter_projects / "Memory Chatbot.json").read_text()),
        }
        for name, title in (("plain", "Echo"), ("chat", "Memory Chatbot")):
            agent = cast.provider.post(f"{AGENTS}/", {"name": title})
            path = f"{AGENTS}/{agent['uuid']}"
            report = cast.provider.post(f"{path}/validate_flow/", {"flow": flows[name]}, status=200)
            classes = sorted({node["class"] for node in report["nodes"]})
            releases = ", ".join(sorted({node["type"] for node in report["nodes"]}))
            story.check(
                f"{title}: every node is Langflow's own code",
                report["valid"] and classes == ["known"],
                report,
            )
            version = cast.provider.post(f"{path}/import_flow/", {"flow": flows[name]})
            story.tell(f"{title}: {len(report['nodes'])} nodes ({releases}), version {version['version']}")
            cast.ids[f"{name}_agent"] = agent["uuid"]
        broken = json.loads(json.dumps(flows["chat"]))
        gone = broken["data"]["nodes"].pop(
            next(i for i, n in enumerate(broken["data"]["nodes"]) if n["type"] != "noteNode")
        )
        refusal = cast.provider.call(
            "POST", f"{AGENTS}/{cast.ids['chat_agent']}/import_flow/", {"flow": broken}
        )
        reason = (refusal.body.get("flow") or [""])[0]
        story.check(
            "a broken export is refused, naming the node",
            refusal.status == 400 and gone["id"] in reason,
            refusal,
        )
        story.tell(f"refused: {reason}")


def publish(story: Story, cast: Cast) -> None:
    """The provider publishes both agents; the operator reviews and activates them."""
    with story.step("The provider publishes them with plans, the operator reviews and activates"):
        for name, plan, options in (
            ("chat", HYBRID_PLAN, {"require_provider_approval": True}),
            ("plain", SMALL_PLAN, {}),
        ):
            published = cast.provider.post(
                f"{AGENTS}/{cast.ids[f'{name}_agent']}/publish/",
                {"category": cast.ids["category"], "plans": [plan], "plugin_options": options},
                status=200,
            )
            story.check(
                f"{plan['name']}: waits for the operator's review",
                published["review"] == "pending",
                published,
            )
            offering = published["offering_uuid"]
            hidden = cast.buyer.call("GET", f"/api/marketplace-public-offerings/{offering}/")
            story.check("a draft is not visible to buyers", hidden.status == 404, hidden)
            cast.operator.post(f"/api/marketplace-provider-offerings/{offering}/activate/", status=200)
            shown = cast.buyer.get(f"/api/marketplace-public-offerings/{offering}/")
            cast.ids[f"{name}_offering"] = shown["url"]
            cast.ids[f"{name}_plan"] = shown["plans"][0]["url"]
            story.tell(f"{shown['name']}: {shown['state']}, plan {shown['plans'][0]['name']}")


def order(story: Story, cast: Cast) -> None:
    """The buyer orders; the provider approves; the worker provisions."""
    with story.step("The buyer orders, the provider approves, the worker provisions"):
        body = {
            "offering": cast.ids["chat_offering"],
            "plan": cast.ids["chat_plan"],
            "project": cast.ids["buyer_project"],
            "attributes": {"name": "Support chat"},
        }
        order = cast.buyer.post("/api/marketplace-orders/", body)
        story.check("the order waits for the provider", order["state"] == "pending-provider", order)
        again = cast.buyer.call("POST", "/api/marketplace-orders/", body)
        story.check("a second order while one is open is refused", again.status == 409, again)
        cast.provider.post(f"/api/marketplace-orders/{order['uuid']}/approve/", status=200)
        resource = _wait_for_resource(cast.buyer, order["uuid"])
        story.check("the resource is OK", resource["state"] == "OK", resource)
        cast.ids |= {"resource": resource["uuid"], "config": resource["agent_config"]}
        cast.ids["activated_at"] = resource["activated_at"]
        body = {"offering": cast.ids["plain_offering"], "project": cast.ids["neighbour_project"]}
        second = cast.neighbour.post("/api/marketplace-orders/", body)
        other = _wait_for_resource(cast.neighbour, second["uuid"])
        cast.ids |= {"neighbour_config": other["agent_config"]}
        story.tell(
            f"{resource['name']} is {resource['state']}; the neighbour's {other['name']} is {other['state']}"
        )


def _wait_for_resource(person: Rest, order: str) -> Any:
    """Return the resource of an order once the worker is done with it; raises Unexpected on failure."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        row = person.get(f"/api/marketplace-orders/{order}/")
        if row["state"] == "done":
            return person.get(f"/api/marketplace-resources/{row['marketplace_resource_uuid']}/")
        if row["state"] != "executing":
            raise Unexpected(f"order {order} is {row['state']}: {row['error_message']}")
        time.sleep(0.1)
    raise Unexpected(f"order {order} was not carried out within {PATIENCE_SECONDS:.0f} s")


def _new_key(person: Rest, config: str, name: str) -> tuple[str, str]:
    """Return a fresh key's uuid and text."""
    made = person.post(f"{CONFIGS}/{config}/api-keys/", {"name": name})
    return made["uuid"], made["key"]


def _call(stage: Stage, story: Story, cast: Cast) -> dict[str, Any]:
    """The buyer calls the agent 25 times, then tries what must be refused."""
    with story.step(f"The buyer gets a key and makes {CALLS} calls, every {STREAMED_EVERY}th streamed"):
        _, key = _new_key(cast.buyer, cast.ids["config"], "Demo")
        story.check(
            "the key has the form ar_sk_live_{jwt}", key.startswith("ar_sk_live_") and key.count(".") == 2
        )
        listed = cast.buyer.get(f"{CONFIGS}/{cast.ids['config']}/api-keys/")
        story.check("the key is shown only once", all("key" not in row for row in listed), listed)
        gateway = Rest(stage.gateway_url, f"Bearer {key}")
        replies = [_one_call(gateway, number) for number in range(CALLS)]
        story.check(
            f"{CALLS} calls are answered", len(replies) == CALLS and all(r["output"] for r in replies)
        )
        story.check("call ids are unique", len({reply["request_id"] for reply in replies}) == CALLS)
        story.tell(f"first answer: {replies[0]['output'][:120]}")
        remembered = gateway.post(INVOKE, {"input": "What did I say?", "session_id": "memory"}, status=200)
        fresh = gateway.post(INVOKE, {"input": "What did I say?", "session_id": "elsewhere"}, status=200)
        story.check(
            "a session remembers its own calls, another one does not",
            f"Message {CALLS - 1} " in remembered["output"] and "Message" not in fresh["output"],
            (remembered["output"], fresh["output"]),
        )
        replies += [remembered, fresh]
    _refusals(stage, story, cast, gateway)
    return {"answered": len(replies), "request_ids": [reply["request_id"] for reply in replies]}


def _one_call(gateway: Rest, number: int) -> dict[str, Any]:
    """Make one call, as JSON or streamed; returns output, request id and usage."""
    body = {"input": f"Message {number} of the demo.", "session_id": "memory"}
    if number % STREAMED_EVERY:
        reply: dict[str, Any] = gateway.post(INVOKE, body, status=200)
        return reply
    text, last = "", {}
    for event, data in gateway.stream(INVOKE, {**body, "stream": True}):
        if event == "token":
            text += data["text"]
        elif event == "usage":
            last = data
        else:
            raise Unexpected(f"the stream ended in {event}: {data}")
    return {**last, "output": text}


def _refusals(stage: Stage, story: Story, cast: Cast, gateway: Rest) -> None:
    """What must not work: a revoked key, too many calls, another tenant's agent."""
    with story.step("What must not work is refused, with the reason"):
        uuid, revoked_key = _new_key(cast.buyer, cast.ids["config"], "To be revoked")
        cast.buyer.expect(204, "DELETE", f"{CONFIGS}/{cast.ids['config']}/api-keys/{uuid}/")
        revoked = Rest(stage.gateway_url, f"Bearer {revoked_key}").call("POST", INVOKE, {"input": "Hello"})
        _refused(story, "a revoked key", revoked, 401, "revoked_key")
        foreign = gateway.call(
            "POST", f"/api/agent-gateway/{cast.ids['neighbour_config']}/invoke/", {"input": "Hello"}
        )
        _refused(story, "another tenant's agent", foreign, 404, "not_found")
        _, other_key = _new_key(cast.neighbour, cast.ids["neighbour_config"], "Demo")
        neighbour = Rest(stage.gateway_url, f"Bearer {other_key}")
        answers = [neighbour.call("POST", INVOKE, {"input": f"Echo {n}"}) for n in range(4)]
        story.check(
            "a plan of 3 requests a minute answers 3 calls",
            [answer.status for answer in answers[:3]] == [200] * 3,
            answers,
        )
        _refused(story, "a call over the rate limit", answers[3], 429, "rate_limited")
        story.check(
            "the refusal says when to try again", "retry-after" in answers[3].headers, answers[3].headers
        )
        story.check("the flow without a model echoes", answers[0].body["output"] == "Echo 0", answers[0].body)


def _refused(story: Story, what: str, answer: Any, status: int, code: str) -> None:
    """Check one refusal."""
    body = answer.body or {}
    story.check(f"{what} gets {status} {code}", answer.status == status and body.get("code") == code, answer)
    story.tell(f"{what}: {body.get('detail')}")


def _usage(story: Story, cast: Cast, calls: dict[str, Any]) -> list[dict[str, Any]]:
    """Every answered call is metered exactly once."""
    with story.step("Usage of every call is in PostgreSQL exactly once"):
        events = list(cast.buyer.pages(f"{CONFIGS}/{cast.ids['config']}/calls/"))
        metered = [event["uuid"] for event in events]
        story.check(
            "one event per answered call, none twice", sorted(metered) == sorted(calls["request_ids"])
        )
        story.check(
            "every event has input and output tokens",
            all(event["input_tokens"] > 0 and event["output_tokens"] > 0 for event in events),
        )
        totals = cast.buyer.get(f"{CONFIGS}/{cast.ids['config']}/usage/")["totals"]
        for name in ("requests", "input_tokens", "output_tokens"):
            story.check(
                f"hourly sums of {name} equal the events",
                totals[name] == sum(event[name] for event in events),
            )
        story.tell(
            f"{len(events)} events: {totals['input_tokens']} input and {totals['output_tokens']} output tokens"
        )
        return events


def _bill(stage: Stage, story: Story, cast: Cast, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Time moves to the month's end; the period is closed, and finalized after its grace."""
    with story.step("Time moves to the month's end; the period is closed, then finalized after its grace"):
        activated = datetime.fromisoformat(cast.ids["activated_at"])
        start = activated.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        end = (start + timedelta(days=32)).replace(day=1)
        customer = f"/api/customers/{cast.ids['buyer_customer']}/"
        body = {"customer": customer, "year": start.year, "month": start.month}
        stage.set_clock(end + timedelta(seconds=1))
        closed = _generate(cast.operator, body)
        story.check(
            "the closed period waits for its grace",
            closed["state"] == "pending_finalization",
            closed["state"],
        )
        stage.set_clock(end + timedelta(hours=1, seconds=5))
        invoice: dict[str, Any] = _generate(cast.operator, body)
        story.check("after the grace the invoice is final", invoice["state"] == "created", invoice["state"])
        again = _generate(cast.operator, body)
        story.check(
            "closing again changes nothing",
            (again["uuid"], again["number"], again["total"])
            == (invoice["uuid"], invoice["number"], invoice["total"]),
        )
        story.tell(f"invoice {invoice['number']}: {invoice['total']} {invoice['currency']}")
    with story.step("Every line is explained, and the sum is recomputed from the raw events"):
        _verify(story, cast, invoice, events, activated, start, end)
    return invoice


def _generate(operator: Rest, body: dict[str, Any]) -> Any:
    """Ask for the invoice of a month; 201 the first time, 200 afterwards."""
    answer = operator.call("POST", "/api/invoices/", body)
    if answer.status not in (200, 201):
        raise Unexpected(f"POST /api/invoices/: {answer.status} {answer.body}")
    return answer.body


def _cents(amount: Decimal) -> Decimal:
    """Round half-up to cents."""
    return amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _graduated(quantity: int) -> Decimal:
    """Price a quantity by the demo's tiers; arithmetic of its own, on purpose not the product's."""
    total, below = Decimal(0), 0
    for up_to, price in TIERS:
        top = quantity if up_to is None else min(quantity, up_to)
        if top > below:
            total += (top - below) * price
            below = top
    return total


def _verify(
    story: Story,
    cast: Cast,
    invoice: dict[str, Any],
    events: list[dict[str, Any]],
    activated: datetime,
    start: datetime,
    end: datetime,
) -> None:
    """Recompute every line from activation time and raw events; ask for the explanation of each."""
    used = int(end.timestamp()) - int(activated.timestamp())
    full = int((end - start).total_seconds())
    expected = {
        "base": _cents(BASE_FEE * used / full),
        "requests": _cents(sum(event["requests"] for event in events) * REQUEST_PRICE),
        "output_tokens": _cents(_graduated(sum(event["output_tokens"] for event in events))),
    }
    items = list(cast.buyer.pages(f"/api/invoices/{invoice['uuid']}/items/"))
    found = {item["details"]["offering_component_type"]: Decimal(str(item["price"])) for item in items}
    for component, amount in expected.items():
        story.check(f"line {component} is {amount}", found.get(component) == amount, found)
    story.check(
        "there are no other lines", len(items) == len(expected) and set(found) == set(expected), found
    )
    total = sum(expected.values(), Decimal(0))
    story.check(
        f"the lines add up to the total of {total}", Decimal(invoice["total"]) == total, invoice["total"]
    )
    for item in items:
        _explain(story, cast, invoice, item, events, (used, full))


def _explain(
    story: Story,
    cast: Cast,
    invoice: dict[str, Any],
    item: dict[str, Any],
    events: list[dict[str, Any]],
    seconds: tuple[int, int],
) -> None:
    """Check that a line's explanation adds up: its steps to the price, its events to the quantity."""
    component = item["details"]["offering_component_type"]
    told = cast.buyer.get(f"/api/invoices/{invoice['uuid']}/items/{item['uuid']}/explain/")
    steps = told["steps"]
    story.tell(f"{component}: {item['quantity']} → {item['price']} by {len(steps)} steps")
    story.check(
        f"{component}: the steps add up to the price",
        sum((Decimal(step["amount"]) for step in steps), Decimal(0)) == Decimal(str(item["price"])),
        steps,
    )
    if component == "base":
        share = told["proration"]
        story.check(
            "base: the explanation names the seconds it was in force",
            (share["used_seconds"], share["full_seconds"]) == seconds,
            share,
        )
        return
    listed = {event["uuid"]: event["quantity"] for event in told["events"]}
    story.check(
        f"{component}: the explanation lists the events it came from, and they add up",
        listed == {event["uuid"]: event[component] for event in events}
        and sum(listed.values()) == Decimal(item["quantity"]),
        told["events_total"],
    )


def _neighbour(story: Story, cast: Cast, invoice: dict[str, Any]) -> None:
    """The neighbour sees nothing of all this."""
    with story.step("Another tenant sees nothing of it"):
        # The worker may have billed the neighbour's own month by now.
        owners = {row["customer_uuid"] for row in cast.neighbour.get("/api/invoices/")}
        story.check("no foreign invoices", owners <= {cast.ids["neighbour_customer"]}, owners)
        for what, path in (
            ("invoice", f"/api/invoices/{invoice['uuid']}/"),
            ("usage", f"{CONFIGS}/{cast.ids['config']}/usage/"),
            ("resource", f"/api/marketplace-resources/{cast.ids['resource']}/"),
        ):
            gone = cast.neighbour.call("GET", path)
            story.check(f"the buyer's {what} does not exist for others", gone.status == 404, gone)


def _summary(story: Story, invoice: dict[str, Any], usage: dict[str, Any], seconds: float) -> None:
    """Print the outcome."""
    failed = [check["name"] for check in story.checks if not check["ok"]]
    story.say(
        f"\n{usage['calls']} calls, {usage['input_tokens']} input and {usage['output_tokens']} output tokens; "
        f"invoice {invoice['number']} of {invoice['total']} {invoice['currency']}; "
        f"{len(story.checks) - len(failed)} of {len(story.checks)} checks held; {seconds:.1f} s"
    )
    for name in failed:
        story.say(f"FAILED: {name}")
