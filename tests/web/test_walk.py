"""Every route and method of the API, tried by every role on its own side and on the wrong one: who is refused changes
nothing, strangers find nothing, nobody meets a 500. What each role is *let in* to is `test_roles`."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admindocs.views import simplify_regex
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from tests.support.market import member, ok
from tests.support.shop import Shop
from tests.support.tenants import Tenant
from tests.support.world import Api
from tests.web.test_roles import cast

from agentmart.identity.models import Role
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry
from agentmart.infra.rest import ApiViewSet
from agentmart.web.urls import router

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.walk]

Route = tuple[str, str]

ONES_OWN = {
    "personal-access-token": "everybody makes and ends tokens of their own",
    "api-token": "likewise",
}
"""Routes where anybody may write, because what they write is theirs."""

UNTOLD = {
    ("provider-agent", "validate_flow"): "stores nothing",
    ("customer", "unblock"): "it is not blocked: nothing changes",
    ("user", "impersonate"): "nobody acts as this person: nothing ends",
}
"""Writes that succeed without an audit entry, by viewset and the last word of the address."""

UNCOUNTED = {"identity_api_token", "infra_idempotent_answer"}
"""Tables that a refused request may touch: when a token was used last."""


def routes() -> dict[str, list[tuple[str, str, type[ApiViewSet]]]]:
    """Every (path, method, viewset) by the viewset's name in the router, HEAD left out."""
    found: dict[str, list[tuple[str, str, type[ApiViewSet]]]] = {}
    for pattern in router.urls:
        path = simplify_regex(str(pattern.pattern))
        name = pattern.callback.initkwargs["basename"]
        for method in pattern.callback.actions:
            if method != "head":
                found.setdefault(name, []).append((f"/api{path}", method, pattern.callback.cls))
    return found


ROUTES = routes()


PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


class Things:
    """What stands at the addresses: things of the sale, and where it has none, rows made for the buyer."""

    def __init__(self, shop: Shop) -> None:
        world = shop.world
        assert world.buyer.customer is not None and world.buyer.project is not None
        self.staff = world.operator.api
        self.buyer = Tenant(world.buyer.customer, world.buyer.project, world.buyer.user)
        self.by_folder = {"/api/users/": world.buyer.user.uuid}
        for place in (shop.order, shop.resource, shop.config, shop.agent, shop.customer, shop.project):
            folder, uuid = place.rstrip("/").rsplit("/", 1)
            self.by_folder[f"{folder}/"] = uuid
        for name in ("offerings", "public-offerings", "provider-offerings"):
            self.by_folder[f"/api/marketplace-{name}/"] = shop.sold["offering"]
        self.by_folder["/api/marketplace-plans/"] = shop.sold["plan"]
        for folder, key, content in (("screenshots", "image", PNG), ("offering-files", "file", b"Read me.")):
            form = {
                "name": "Walked",
                "offering": shop.sold["offering"],
                key: SimpleUploadedFile("a.png", content),
            }
            sent = Client().post(f"/api/marketplace-{folder}/", form, headers=world.provider.api._headers)
            self.by_folder[f"/api/marketplace-{folder}/"] = ok(sent, 201)["uuid"]
        self.variables = {
            "key": shop.key.rstrip("/").rsplit("/", 1)[-1],
            "plan_uuid": shop.sold["plan"],
            "number": "1",
            "item": uuid4().hex,
            "payment": uuid4().hex,
            "callback": uuid4().hex,
            "request_id": uuid4().hex,
        }
        self.private = [world.buyer.customer.uuid, world.buyer.project.uuid] + [
            place.rstrip("/").rsplit("/", 1)[-1] for place in (shop.order, shop.resource, shop.config)
        ]
        self.body = {
            "customer": world.buyer.customer.uuid,
            "project": world.buyer.project.uuid,
            "offering": shop.sold["offering"],
            "plan": shop.sold["plan"],
            "category": shop.category,
            "resource": self.by_folder["/api/marketplace-resources/"],
            "user": world.stranger.user.uuid,
            "role": "CUSTOMER.OWNER",
            "name": "Walked",
            "title": "Walked",
            "summary": "Walked",
        }

    def _found(self, folder: str) -> str:
        """What staff finds in the list, "" where there is nothing."""
        answer = self.staff.get(folder)
        rows = answer.json() if answer.status_code == 200 else []
        return str(rows[0].get("uuid", "")) if rows else ""

    def _made(self, viewset: type[ApiViewSet]) -> str:
        """A row of the viewset's model that belongs to the buyer."""
        queryset: Any = viewset.queryset
        with tenancy.as_system("test"):
            uuid: str = self.buyer.row(queryset.model).pk.hex
        return uuid

    def address(self, path: str, viewset: type[ApiViewSet]) -> str:
        """The address with what stands there put in for its variables."""
        folder = path.split("<")[0]
        if "<uuid>" in path and folder not in self.by_folder:
            self.by_folder[folder] = self._found(folder) or self._made(viewset)
        filled = path.replace("<uuid>", self.by_folder.get(folder, ""))
        for name, value in self.variables.items():
            filled = filled.replace(f"<{name}>", value)
        assert "<" not in filled, f"{path}: say in Things what stands there"
        return filled


def everybody(shop: Shop) -> dict[str, Api]:
    """All who may try: those of `test_roles`, and every role in the stranger's organization."""
    world = shop.world
    people = cast(world)
    for role in Role.values:
        project = world.stranger.project if role.startswith("PROJECT.") else None
        people[f"stranger's {role}"] = member(world.stranger.customer, role, project)
    return people


def fingerprint() -> dict[str, str]:
    """A hash of each table's rows, of all tenants."""
    with tenancy.elevated(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' "
            "AND table_type = 'BASE TABLE' AND table_name ~ '^[a-z]+_' AND table_name !~ '^(django|auth|procrastinate)'"
        )
        tables = sorted(name for (name,) in cursor.fetchall() if name not in UNCOUNTED)
        hashes = [
            f"SELECT '{name}', md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) FROM {name} t"
            for name in tables
        ]
        cursor.execute(" UNION ALL ".join(hashes))
        return dict(cursor.fetchall())


def attempt(api: Api, method: str, address: str, body: dict[str, Any]) -> tuple[Any, bool]:
    """One request, and whether the log tells of it; what it did is undone where it was let in."""
    call = getattr(Client(), method)
    headers = api._headers
    with transaction.atomic():
        if method == "get":
            return call(address, headers=headers), True
        before = entries()
        answer = call(address, body, content_type="application/json", headers=headers)
        told = entries() > before
        if answer.status_code < 400:
            transaction.set_rollback(True)
    return answer, told


def entries() -> int:
    """How many audit entries there are, of all tenants."""
    with tenancy.elevated():
        return AuditEntry.objects.count()


def is_strange(who: str) -> bool:
    """Whether somebody has nothing to do with the sale."""
    return who.startswith("stranger")


def test_the_walk_knows_every_viewset() -> None:
    assert set(ONES_OWN) <= set(ROUTES)
    assert sum(len(found) for found in ROUTES.values()) >= 150


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_every_route_by_every_role(shop: Shop, name: str) -> None:
    things, people = Things(shop), everybody(shop)
    public = 0
    checks = 0
    for path, method, viewset in ROUTES[name]:
        address = things.address(path, viewset)
        before = fingerprint()
        for who, api in people.items():
            answer, told = attempt(api, method, address, things.body)
            place = (who, method, address, answer.status_code, answer.content[:300])
            assert answer.status_code < 500 and answer.status_code not in (401, 405), place
            checks += 1
            word = path.split("/")[-2]
            may_change_nothing = method in ("put", "patch") or word.startswith(("update_", "set_"))
            if answer.status_code < 400 and not may_change_nothing and (name, word) not in UNTOLD:
                assert told, (*place, "is not in the audit log")
            if is_strange(who) and name not in ONES_OWN:
                assert method == "get" or answer.status_code >= 400, place
                shown = answer.content if method == "get" and answer.status_code == 200 else b""
                assert [uuid for uuid in things.private if uuid.encode() in shown] == [], place
        visitor, _ = attempt(shop.world.visitor, method, address, things.body)
        checks += 1
        if visitor.status_code == 401:
            assert visitor["WWW-Authenticate"] == "Token"
        else:
            public += 1
            assert method == "get", (method, address, visitor.status_code)
            assert [uuid for uuid in things.private if uuid.encode() in visitor.content] == [], address
        after = fingerprint()
        assert [table for table in after if after[table] != before[table]] == [], (method, address)
    print(
        f"walk: {name}: {len(ROUTES[name])} routes, {len(people) + 1} people, {checks} checks, {public} public"
    )


def test_the_shop_stands_where_the_walk_looks(shop: Shop) -> None:
    """The addresses are real: staff finds something at each detail, so a 404 of others means what it says."""
    things = Things(shop)
    for found in ROUTES.values():
        for path, method, viewset in found:
            if method == "get" and path.endswith("<uuid>/"):
                address = things.address(path, viewset)
                if address.startswith(("/api/personal-access-tokens/", "/api/api-tokens/")):
                    continue  # everybody's own
                ok(shop.world.operator.api.get(address))
