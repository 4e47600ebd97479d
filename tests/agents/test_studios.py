"""Studios over REST: kept with a key that nobody reads back, asked for their flows, whose import makes agents."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any
from uuid import uuid4

import pytest
from tests.support.flows import echo_flow, template
from tests.support.market import AGENTS, member, ok, operator
from tests.support.studio import KEY, STUDIOS, TRACEBACK, Says, StudioStub
from tests.support.world import World

from agentmart.agents.models import Agent, FlowVersion, Studio, StudioFlow
from agentmart.agents.services import studio_calls
from agentmart.identity import services as identity
from agentmart.identity.models import Quota, Role
from agentmart.identity.quotas import AGENTS as AGENTS_QUOTA
from agentmart.infra import outside, tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db

FLOWS = "/api/v1/flows/"
CODE = 'class Mine:\n    secret = "x"\n'


def connected(world: World, stub: StudioStub, **details: Any) -> str:
    """The path of the provider's studio."""
    body = {"name": "Our Langflow", "backend_url": stub.url, "api_key": KEY, **details}
    return f"{STUDIOS}{ok(world.provider.api.post(STUDIOS, body), 201)['uuid']}/"


def picked(world: World, path: str, *flows: str, **more: Any) -> list[dict[str, Any]]:
    """What became of picked flows."""
    found: list[dict[str, Any]] = ok(
        world.provider.api.post(f"{path}import_flows/", {"flows": list(flows), **more})
    )
    return found


def refusal(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal, which shows nothing of what the studio said."""
    text = answer.content.decode()
    assert KEY not in text and "Traceback" not in text and "/srv/" not in text
    return answer.status_code, answer.json()["code"]


# -- the connection


def test_a_studio_is_stored_and_its_key_never_comes_back(world: World, studio: StudioStub) -> None:
    path = connected(world, studio, backend_url=f"{studio.url}/")
    shown = ok(world.provider.api.get(path))
    assert shown == {
        "url": f"http://testserver{path}",
        "uuid": path.split("/")[-2],
        "name": "Our Langflow",
        "customer": shown["customer"],
        "customer_uuid": world.provider.customer.uuid if world.provider.customer else "",
        "customer_name": "Provider GmbH",
        "backend_url": studio.url,
        "has_key": True,
        "created": shown["created"],
        "modified": shown["modified"],
    }
    row = Studio.objects.get()
    assert KEY.encode() not in bytes(row.key_sealed)
    told = [entry.after | entry.before for entry in AuditEntry.objects.filter(object_id=row.id)]
    assert told == [{"name": "Our Langflow", "backend_url": studio.url}]
    assert KEY not in json.dumps(ok(world.provider.api.get(STUDIOS)))
    assert studio.asked == []


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("ftp://studio.example.com", "Give an address like"),
        ("studio.example.com", "Give an address like"),
        ("https://", "Give an address like"),
        ("https://studio.example.com/ü", "Give an address like"),
        ("https://studio.example.com/a b", "Give an address like"),
        ("https://a:b@studio.example.com", "plain address"),
        ("https://studio.example.com/?x-api-key=1", "plain address"),
        ("https://studio.example.com/#flow", "plain address"),
        ("https://[", "Enter a valid URL."),
        ("https://studio.example.com:99999", "Enter a valid URL."),
        ("http://studio.example.com", "https address"),
        ("https://localhost:7860", "public address"),
        ("https://10.0.0.5", "public address"),
        ("https://169.254.169.254", "public address"),
        ("https://[::1]:7860", "public address"),
        ("https://studio.internal", "public address"),
    ],
)
def test_addresses_that_are_refused(world: World, studio: StudioStub, address: str, told: str) -> None:
    answer = world.provider.api.post(STUDIOS, {"name": "S", "backend_url": address, "api_key": KEY})
    assert answer.status_code == 400
    assert list(answer.json()) == ["backend_url"] and told in answer.json()["backend_url"][0]
    assert not Studio.objects.exists()


@pytest.mark.parametrize("key", ["", "a b", "a\r\nHost: x", "schlüssel", "x" * 501, None])
def test_keys_that_no_header_carries_are_refused(world: World, studio: StudioStub, key: Any) -> None:
    answer = world.provider.api.post(STUDIOS, {"name": "S", "backend_url": studio.url, "api_key": key})
    assert (answer.status_code, list(answer.json())) == (400, ["api_key"])


def test_a_stored_key_is_not_sent_to_another_address(world: World, studio: StudioStub) -> None:
    path = connected(world, studio)
    answer = world.provider.api.patch(path, {"backend_url": "https://thief.example.com"})
    assert (answer.status_code, list(answer.json())) == (400, ["api_key"])
    assert ok(world.provider.api.patch(path, {"backend_url": f"{studio.url}/", "name": "N"}))["name"] == "N"
    changed = {"backend_url": "https://studio.example.com/lf/", "api_key": "sk-other"}
    assert ok(world.provider.api.patch(path, changed))["backend_url"] == "https://studio.example.com/lf"
    entry = AuditEntry.objects.filter(action="studio.updated").latest("at")
    assert entry.after == {"name": "N", "backend_url": "https://studio.example.com/lf", "key_changed": True}


def test_the_connection_is_checked_with_the_key(world: World, studio: StudioStub) -> None:
    path = connected(world, studio)
    studio.save(echo_flow())
    found = ok(world.provider.api.post(f"{path}check_connection/"))
    assert found == {"status": "ok", "version": "1.13.0", "flows_count": 1}
    assert {asked.headers["x-api-key"] for asked in studio.asked} == {KEY}
    assert all("authorization" not in asked.headers for asked in studio.asked)
    assert all("x-api-key" not in asked.query for asked in studio.asked)


def test_a_deleted_studio_leaves_its_agents(world: World, studio: StudioStub) -> None:
    path = connected(world, studio)
    (one,) = picked(world, path, studio.save(echo_flow()))
    ok(world.provider.api.delete(path), 204)
    assert not Studio.objects.exists() and not StudioFlow.objects.exists()
    assert ok(world.provider.api.get(f"{AGENTS}{one['agent_uuid']}/"))["versions_count"] == 1


# -- the list


def test_flows_are_listed_with_what_they_became(world: World, studio: StudioStub) -> None:
    path = connected(world, studio)
    first = studio.save(echo_flow(), name="Echo", description="Says it again", endpoint_name="echo")
    second = studio.save(echo_flow(), name="Grüße 😀", updated_at="2026-03-02T10:00:00")
    studio.save(echo_flow(), name="Saved component", is_component=True)
    studio.save(echo_flow(), name="Somebody else's", owner="user-2")
    picked(world, path, first)
    rows = ok(world.provider.api.get(f"{path}importable_flows/"))
    agent = Agent.objects.get()
    assert rows == [
        {
            "backend_id": second.replace("-", ""),
            "name": "Grüße 😀",
            "description": echo_flow()["description"],
            "endpoint_name": "",
            "updated": "2026-03-02T10:00:00.000000Z",
            "is_imported": False,
            "is_changed": False,
            "agent": None,
            "agent_uuid": None,
            "agent_name": None,
            "version": None,
            "imported": None,
        },
        {
            "backend_id": first.replace("-", ""),
            "name": "Echo",
            "description": "Says it again",
            "endpoint_name": "echo",
            "updated": "2026-03-01T10:00:00.000000Z",
            "is_imported": True,
            "is_changed": False,
            "agent": f"http://testserver{AGENTS}{agent.uuid}/",
            "agent_uuid": agent.uuid,
            "agent_name": "Echo",
            "version": 1,
            "imported": rows[1]["imported"],
        },
    ]
    asked = studio.asked[-1]
    assert (asked.path, asked.query["header_flows"], asked.query["get_all"]) == (FLOWS, ["true"], ["true"])


def test_the_list_is_searched_and_cut_into_pages(world: World, studio: StudioStub) -> None:
    path = f"{connected(world, studio)}importable_flows/"
    for number in range(5):
        studio.save(echo_flow(), name=f"Flow {number}", description="odd" if number % 2 else "even")
    answer = world.provider.api.get(path, page_size=2, page=2)
    assert [row["name"] for row in ok(answer)] == ["Flow 2", "Flow 1"]
    assert answer["X-Result-Count"] == "5"
    assert [row["name"] for row in ok(world.provider.api.get(path, name="FLOW 3"))] == ["Flow 3"]
    assert [row["name"] for row in ok(world.provider.api.get(path, query="ODD"))] == ["Flow 3", "Flow 1"]
    assert ok(world.provider.api.get(path, is_imported="true")) == []
    assert len(ok(world.provider.api.get(path, is_imported="false"))) == 5
    assert world.provider.api.get(path, is_imported="perhaps").status_code == 400
    assert world.provider.api.get(path, page=4).status_code == 404
    assert "nonsense" in world.provider.api.get(path, nonsense="1")["Warning"]


def test_a_list_of_much_costs_no_more_queries(
    world: World, studio: StudioStub, django_assert_max_num_queries: Any
) -> None:
    path = connected(world, studio)
    flows = [studio.save(echo_flow(), name=f"Flow {number}") for number in range(8)]
    picked(world, path, *flows)
    with django_assert_max_num_queries(15):  # two rounds, with their savepoints
        assert len(ok(world.provider.api.get(f"{path}importable_flows/", page_size=300))) == 8


# -- the import


def test_picked_flows_become_agents(world: World, studio: StudioStub) -> None:
    path = connected(world, studio)
    first, second = studio.save(echo_flow(), name="One"), studio.save(echo_flow(), name="Two")
    done = picked(world, path, second, first, second.replace("-", ""), note="March")
    assert [(one["backend_id"], one["outcome"], one["version"]) for one in done] == [
        (second.replace("-", ""), "created", 1),
        (first.replace("-", ""), "created", 1),
    ]
    agent = ok(world.provider.api.get(done[0]["agent"].removeprefix("http://testserver")))
    assert (agent["name"], agent["state"], agent["latest_version"]) == ("Two", "validated", 1)
    version = FlowVersion.objects.get(agent_id=agent["uuid"])
    assert (version.note, version.trust, version.langflow_version) == ("March", "known", "1.7.0")
    assert version.created_by == "petra" and version.sha256 == done[0]["sha256"]
    actions = list(AuditEntry.objects.order_by("at").values_list("action", flat=True))
    assert actions.count("agent.created") == actions.count("flow_version.imported") == 2
    assert actions.count("studio.flow_imported") == 2


def test_importing_again_makes_a_version_of_the_same_agent_where_something_changed(
    world: World, studio: StudioStub
) -> None:
    path = connected(world, studio)
    flow = echo_flow()
    flow_id = studio.save(flow, name="Echo")
    (one,) = picked(world, path, flow_id)
    flow["data"]["viewport"] = {"x": 7, "y": 7, "zoom": 2}
    flow["data"]["nodes"][0] |= {"selected": True, "dragging": False, "measured": {"width": 1}}
    studio.version = "1.14.2"
    studio.save(flow, name="Echo", flow_id=flow_id, updated_at="2026-03-08T10:00:00+00:00")
    assert ok(world.provider.api.get(f"{path}importable_flows/"))[0]["is_changed"]
    (same,) = picked(world, path, flow_id)
    assert (same["outcome"], same["version"], same["sha256"]) == ("unchanged", 1, one["sha256"])
    assert not ok(world.provider.api.get(f"{path}importable_flows/"))[0]["is_changed"]

    template(flow, "Prompt")["template"]["value"] = "You asked: {text}"
    studio.save(flow, name="Echo", flow_id=flow_id)
    (new,) = picked(world, path, flow_id)
    assert (new["outcome"], new["version"], new["agent"]) == ("new_version", 2, one["agent"])
    assert Agent.objects.count() == 1


def test_a_flow_may_become_a_version_of_an_agent_that_is_there(world: World, studio: StudioStub) -> None:
    path = connected(world, studio)
    made = ok(world.provider.api.post(AGENTS, {"name": "Helper"}), 201)
    flow_id = studio.save(echo_flow())
    (one,) = picked(world, path, flow_id, agent=made["url"])
    assert (one["outcome"], one["agent_uuid"]) == ("new_version", made["uuid"])
    (again,) = picked(world, path, flow_id)
    assert (again["outcome"], again["agent_uuid"]) == ("unchanged", made["uuid"])


def test_an_agent_of_somebody_else_is_not_given_a_version(world: World, studio: StudioStub) -> None:
    path = connected(world, studio)
    assert world.stranger.customer is not None
    theirs = ok(world.stranger.api.post(AGENTS, {"name": "Theirs"}), 201)
    body = {"flows": [studio.save(echo_flow())], "agent": theirs["url"]}
    assert world.provider.api.post(f"{path}import_flows/", body).json() == {
        "agent": ["Invalid hyperlink - Object does not exist."]
    }
    assert list(world.operator.api.post(f"{path}import_flows/", body).json()) == ["agent"]
    assert not FlowVersion.objects.exists() and studio.asked == []


def test_secrets_of_a_flow_stay_in_the_studio(world: World, studio: StudioStub) -> None:
    path = connected(world, studio)
    flow = echo_flow()
    template(flow, "Prompt")["api_key"] = {
        "name": "api_key",
        "display_name": "Key",
        "type": "str",
        "_input_type": "SecretStrInput",
        "password": True,
        "value": "sk-live-0123456789abcdef0123456789",
        "show": True,
    }
    (one,) = picked(world, path, studio.save(flow))
    text = json.dumps(FlowVersion.objects.get().flow)
    assert one["outcome"] == "created" and "sk-live-0123456789abcdef" not in text


def test_what_is_refused_says_why_and_stops_nothing_else(world: World, studio: StudioStub) -> None:
    path = connected(world, studio)
    own = echo_flow()
    template(own, "Prompt")["code"]["value"] = CODE
    empty = {"name": "Empty", "data": {"nodes": [], "edges": []}}
    flows = [
        studio.save(own, name="Own"),
        studio.save(empty),
        str(uuid4()),
        studio.save(echo_flow(), name="Good"),
    ]
    done = picked(world, path, *flows)
    assert [one["outcome"] for one in done] == ["refused", "refused", "failed", "created"]
    assert [error["code"] for error in done[0]["errors"]] == ["permission_required"]
    assert done[2]["code"] == "studio_flow_gone" and done[2]["agent"] is None
    assert [agent.name for agent in Agent.objects.all()] == ["Good"]
    assert AuditEntry.objects.filter(action="agent.created").count() == 1


def test_a_full_quota_refuses_what_no_longer_fits(world: World, studio: StudioStub) -> None:
    path = connected(world, studio)
    assert world.provider.customer is not None
    flows = [studio.save(echo_flow(), name="One"), studio.save(echo_flow(), name="Two")]
    with tenancy.as_system("test"):
        Quota.objects.filter(customer=world.provider.customer, name=AGENTS_QUOTA).update(limit=1)
    done = picked(world, path, *flows)
    assert [(one["outcome"], one["code"]) for one in done] == [("created", ""), ("refused", "quota_exceeded")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"flows": []},
        {"flows": "x"},
        {"flows": ["x"]},
        {"flows": ["../../../etc/passwd"]},
        {"flows": [str(uuid4()) for _ in range(11)]},
        {"flows": [str(uuid4())], "note": "x" * 301},
    ],
)
def test_a_bad_choice_is_refused_before_anything_is_asked(
    world: World, studio: StudioStub, body: dict[str, Any]
) -> None:
    path = connected(world, studio)
    assert world.provider.api.post(f"{path}import_flows/", body).status_code == 400
    assert studio.asked == []


def test_a_blocked_provider_imports_nothing(world: World, studio: StudioStub) -> None:
    path, flow_id = connected(world, studio), studio.save(echo_flow())
    assert world.provider.customer is not None
    ok(world.operator.api.post(f"/api/customers/{world.provider.customer.uuid}/block/"))
    answer = world.provider.api.post(f"{path}import_flows/", {"flows": [flow_id]})
    assert refusal(answer) == (409, "customer_blocked")


# -- a studio that does not do its part


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (Says(403, b'{"detail":"Invalid or missing API key"}'), "studio_key_refused"),
        (Says(401, b'{"detail":"x"}'), "studio_key_refused"),
        (Says(500, json.dumps({"detail": TRACEBACK}).encode()), "studio_failed"),
        (Says(502, b"<html>Bad gateway</html>", kind="text/html"), "studio_failed"),
        (Says(429, b"{}"), "studio_failed"),
        (Says(200, b"<!doctype html><title>Langflow</title>", kind="text/html"), "studio_not_langflow"),
        (Says(200, b'{"detail": "nope"}'), "studio_not_langflow"),
        (Says(200, b'[{"id": "x", "name": 7}, "row"]'), "studio_not_langflow"),
        (Says(200, b""), "studio_not_langflow"),
        (Says(200, b"\xff\xfe["), "studio_not_langflow"),
        (Says(200, b'["\\ud800"'), "studio_not_langflow"),
        (Says(200, b"[" * 100_000), "studio_not_langflow"),
        (Says(404, b'{"detail":"Not Found"}'), "studio_not_langflow"),
        (Says(307, b"", {"Location": "http://127.0.0.1:9/api/v1/flows/"}), "studio_not_langflow"),
        (Says(200, b'["' + b"x" * (9 * 1024 * 1024) + b'"]'), "studio_too_large"),
    ],
)
def test_what_a_studio_gets_wrong_is_told_in_our_words(
    world: World, studio: StudioStub, said: Says, code: str
) -> None:
    path = connected(world, studio)
    studio.says[FLOWS] = said
    assert refusal(world.provider.api.get(f"{path}importable_flows/")) == (409, code)
    assert refusal(world.provider.api.post(f"{path}check_connection/")) == (409, code)
    assert len(studio.asked) == 2  # no redirect was followed


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (Says(500, json.dumps({"detail": TRACEBACK}).encode()), "studio_failed"),
        (Says(200, b"[]"), "studio_not_langflow"),
        (Says(200, b'{"id": "x"}'), "studio_not_langflow"),
        (Says(200, b'{"data": "' + b"x" * (6 * 1024 * 1024) + b'"}'), "studio_too_large"),
        (Says(422, b"{}"), "studio_flow_gone"),
    ],
)
def test_a_flow_that_cannot_be_had_says_why(world: World, studio: StudioStub, said: Says, code: str) -> None:
    path, flow_id = connected(world, studio), studio.save(echo_flow())
    studio.says[FLOWS] = said
    (one,) = picked(world, path, flow_id)
    assert (one["outcome"], one["code"], one["agent"]) == ("failed", code, None)
    assert "Traceback" not in one["detail"] and not Agent.objects.exists()


@pytest.mark.parametrize(
    "data", [None, [], "x", {"nodes": "x"}, {"nodes": [1], "edges": [2]}, {"nodes": [{"data": 1}]}]
)
def test_a_flow_of_odd_content_is_refused_by_the_importer(
    world: World, studio: StudioStub, data: Any
) -> None:
    path = connected(world, studio)
    (one,) = picked(world, path, studio.save({"name": "Odd", "data": data}))
    assert one["outcome"] == "refused" and one["errors"]
    assert not Agent.objects.exists()


def test_a_studio_that_lies_about_its_version_or_id(world: World, studio: StudioStub) -> None:
    path = connected(world, studio)
    flow = echo_flow()
    for node in flow["data"]["nodes"]:
        node["data"]["node"].pop("lf_version", None)
    flow_id = studio.save(flow, id=str(uuid4()))
    (one,) = picked(world, path, flow_id)
    assert one["code"] == "studio_not_langflow"
    studio.save(flow, flow_id=flow_id)
    studio.version = "<script>"
    assert picked(world, path, flow_id)[0]["code"] == "studio_not_langflow"
    studio.version = "1.12.3"
    assert picked(world, path, flow_id)[0]["outcome"] == "created"
    assert FlowVersion.objects.get().langflow_version == "1.12.3"


def test_a_slow_studio_is_left_in_time(
    world: World, studio: StudioStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = connected(world, studio)
    done = threading.Event()
    studio.before = lambda asked: done.wait(20) and None
    monkeypatch.setattr(studio_calls, "SECONDS", 0.2)
    assert refusal(world.provider.api.get(f"{path}importable_flows/")) == (409, "studio_unreachable")
    monkeypatch.setattr(studio_calls, "SECONDS_OF_ALL", 0.3)
    done_so_far = picked(world, path, *(str(uuid4()) for _ in range(4)))
    assert {one["code"] for one in done_so_far} == {"studio_unreachable"}
    assert len(studio.asked) <= 3  # the rest were not even asked
    done.set()


def test_a_studio_that_is_gone_or_lies_inside(world: World, studio: StudioStub, settings: Any) -> None:
    path = connected(world, studio)
    settings.STUDIO_HOSTS = frozenset()
    assert refusal(world.provider.api.get(f"{path}importable_flows/")) == (409, "studio_not_called")
    assert studio.asked == []
    settings.STUDIO_HOSTS = frozenset({"127.0.0.1"})
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = f"http://127.0.0.1:{closed.getsockname()[1]}"
    ok(world.provider.api.patch(path, {"backend_url": gone, "api_key": KEY}))
    assert refusal(world.provider.api.get(f"{path}importable_flows/")) == (409, "studio_unreachable")


def test_only_so_many_requests_wait_at_once(world: World, studio: StudioStub) -> None:
    path = connected(world, studio)
    for _ in range(outside.AT_ONCE):
        assert outside._places.acquire(blocking=False)
    try:
        answer = world.provider.api.get(f"{path}importable_flows/")
    finally:
        outside._places.release(outside.AT_ONCE)
    assert refusal(answer) == (503, "busy") and answer["Retry-After"] == "2"
    assert studio.asked == []
    ok(world.provider.api.get(f"{path}importable_flows/"))


# -- the key at rest


def test_a_new_secret_opens_old_keys_and_takes_them_over(
    world: World, studio: StudioStub, settings: Any
) -> None:
    path, flow_id = connected(world, studio), studio.save(echo_flow())
    settings.STORED_SECRETS_KEYS = ("a newer secret", "a secret of this test")
    assert picked(world, path, flow_id)[0]["outcome"] == "created"
    settings.STORED_SECRETS_KEYS = ("a newer secret",)
    assert picked(world, path, flow_id)[0]["outcome"] == "unchanged"
    settings.STORED_SECRETS_KEYS = ("another secret",)
    assert refusal(world.provider.api.get(f"{path}importable_flows/")) == (409, "studio_key_lost")
    ok(world.provider.api.patch(path, {"api_key": KEY}))
    assert len(ok(world.provider.api.get(f"{path}importable_flows/"))) == 1
    settings.STORED_SECRETS_KEYS = ()
    assert refusal(world.provider.api.patch(path, {"api_key": KEY})) == (409, "no_secrets_key")


def test_a_key_opens_at_its_own_row_only(world: World, studio: StudioStub) -> None:
    first, second = connected(world, studio), connected(world, studio, name="Other", api_key="sk-other")
    with tenancy.as_system("test"):
        one, other = Studio.objects.order_by("created", "name")
        Studio.objects.filter(pk=other.pk).update(key_sealed=bytes(one.key_sealed))
    codes = {world.provider.api.get(f"{path}importable_flows/").status_code for path in (first, second)}
    assert codes == {200, 409}


# -- who


def test_who_may_use_a_studio(world: World, studio: StudioStub) -> None:
    path, flow_id = connected(world, studio), studio.save(echo_flow())
    customer = world.provider.customer
    everybody = {
        "PO": world.provider.api,
        "St": world.operator.api,
        "OM": member(customer, Role.OFFERING_MANAGER),
        "CM": member(customer, Role.CUSTOMER_MANAGER),
        "CS": member(customer, Role.CUSTOMER_SUPPORT),
        "PA": member(customer, Role.PROJECT_ADMIN, world.provider.project),
        "Su": operator("is_support"),
        "Fi": operator("is_finance"),
        "Ca": operator("is_catalog_manager"),
        "buyer": world.buyer.api,
        "stranger": world.stranger.api,
    }
    for who, api in everybody.items():
        let_in = who in ("PO", "St", "OM")
        asked = len(studio.asked)
        answers = [
            api.get(path),
            api.get(f"{path}importable_flows/"),
            api.post(f"{path}check_connection/"),
            api.post(f"{path}import_flows/", {"flows": [flow_id]}),
            api.patch(path, {"name": "N"}),
        ]
        assert {answer.status_code for answer in answers} == ({200} if let_in else {404}), who
        assert len(ok(api.get(STUDIOS))) == (1 if let_in else 0), who
        assert (len(studio.asked) > asked) is let_in, who
    assert world.visitor.get(STUDIOS).status_code == 401
    assert world.visitor.post(f"{path}import_flows/", {"flows": [flow_id]}).status_code == 401
    assert world.stranger.api.delete(path).status_code == 404


def test_a_studio_is_made_for_who_one_sells_for(world: World, studio: StudioStub) -> None:
    assert world.provider.customer is not None
    body = {"name": "S", "backend_url": studio.url, "api_key": KEY, "customer": world.provider.customer.uuid}
    with tenancy.as_system("test") as actor:
        now = world.provider.customer.created
        identity.add_member(
            actor=actor,
            now=now,
            user=world.stranger.user,
            role=Role.CUSTOMER_SUPPORT,
            customer=world.provider.customer,
        )
    assert world.stranger.api.post(STUDIOS, body).status_code == 403
    assert world.buyer.api.post(STUDIOS, body).status_code == 400  # not seen: it does not exist
    ok(world.operator.api.post(STUDIOS, body), 201)
    del body["customer"]
    assert list(world.operator.api.post(STUDIOS, body).json()) == ["customer"]


# -- repeated requests


def test_an_import_is_repeated_by_its_key_without_asking_again(world: World, studio: StudioStub) -> None:
    path, flow_id = connected(world, studio), studio.save(echo_flow())
    api = world.provider.api

    def send() -> Any:
        return api._client.post(
            f"{path}import_flows/",
            {"flows": [flow_id]},
            content_type="application/json",
            headers={**api._headers, "Idempotency-Key": "import-1"},
        )

    first = send()
    asked = len(studio.asked)
    again = send()
    assert again["Idempotent-Replayed"] == "true" and again.json() == first.json()
    assert first.json()[0]["outcome"] == "created"
    assert len(studio.asked) == asked
