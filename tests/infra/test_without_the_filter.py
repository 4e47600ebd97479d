"""With the application's own filter removed, PostgreSQL still shows nothing of another tenant: any model, any list."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models
from tests.infra.test_lists import LISTS
from tests.infra.test_row_security import WITHOUT_TENANT
from tests.support.shop import Shop
from tests.support.tenants import Tenant
from tests.support.world import World

from agentmart.identity.models import Role
from agentmart.infra import tenancy
from agentmart.infra.actors import Actor, RoleGrant
from agentmart.infra.models import ScopedQuerySet

pytestmark = pytest.mark.django_db

READ_BY_ALL = {
    "identity_user": "a login is looked up before anybody is known; people see each other by name",
    "identity_api_token": "likewise, by a hash",
    "identity_membership": "likewise: roles make the actor",
    "identity_impersonation": "likewise, by a hash",
}
"""Tables that the application reads before it knows who asks; no secret of a tenant is in them."""

PUBLIC = {
    "catalog_category": "the shelves of the public catalogue",
    "catalog_category_group": "likewise",
    "catalog_service_provider": "who sells stands on every offering",
}
"""Tables whose every row is public: visitors read them too."""


def protected_models() -> list[type[models.Model]]:
    """Every model whose table stands under row-level security."""
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.db_table not in WITHOUT_TENANT and model._meta.managed
    ]


def policies() -> dict[str, set[str]]:
    """The names of the policies by table, without what they are for."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename, policyname FROM pg_policies")
        found: dict[str, set[str]] = {}
        for table, name in cursor.fetchall():
            found.setdefault(table, set()).add(name.rpartition("_")[0])
    return found


def tenant(person: Any) -> Tenant:
    """The tenant of somebody of the cast."""
    return Tenant(person.customer, person.project, person.user)


def everything_in(someone: Tenant) -> Actor:
    """The tenant's person with every role there is, in the customer and in the project."""
    customer, project = someone.customer.id, someone.project.id
    grants = [RoleGrant(customer, role) for role in Role.values]
    grants += [RoleGrant(customer, role, project) for role in Role.values]
    return Actor(user_id=someone.user.id, username=someone.user.username, grants=tuple(grants))


def test_no_row_of_another_tenant_in_any_model(world: World) -> None:
    """Both tenants have a row in every table; raw reads as one of them find its own and never the other's."""
    mine, theirs = tenant(world.stranger), tenant(world.buyer)
    names = policies()
    walked = [model for model in protected_models() if "read_by_all" not in names[model._meta.db_table]]
    with tenancy.as_system("test"):
        for model in walked:
            for someone in (mine, theirs):
                someone.row(model)
    tenancy.enter(everything_in(mine))
    leaks, own, owned = [], [], []
    for model in walked:
        label, table = model._meta.label, model._meta.db_table
        seen = set(model._base_manager.values_list("pk", flat=True))
        if theirs.made[label].pk in seen and table not in READ_BY_ALL:
            leaks.append(table)
        if mine.made[label].pk in seen:
            own.append(table)
        columns = {column.attname for column in model._meta.concrete_fields}
        if "customer_id" in columns and "system_only" not in names[table]:
            owned.append(table)
    assert sorted(leaks) == sorted(PUBLIC)
    assert [table for table in owned if table not in own] == []
    assert len(owned) >= 15
    print(f"row security: {len(walked)} models read without a filter, {len(own)} with rows of one's own")


def test_tables_that_all_read_are_named(world: World) -> None:
    """A policy that lets everybody read is either of the shared catalogue or stands in READ_BY_ALL with its reason."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename, policyname FROM pg_policies WHERE cmd = 'SELECT' AND qual = 'true'")
        open_tables = {table for table, name in cursor.fetchall() if not name.startswith("read_by_all")}
    assert open_tables == set(READ_BY_ALL)


def test_lists_without_the_filter_show_nothing_foreign(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stranger asks every list while `visible_to` filters nothing; no uuid of the buyer's comes out."""

    def everything(self: Any, actor: Actor) -> Any:
        return self

    kinds = {type(model._default_manager.all()) for model in apps.get_models()}
    for kind in kinds | {ScopedQuerySet}:
        if "visible_to" in vars(kind):
            monkeypatch.setattr(kind, "visible_to", everything)
    world = shop.world
    assert world.buyer.customer is not None and world.buyer.project is not None
    secrets = [
        world.buyer.customer.uuid,
        world.buyer.project.uuid,
        *(path.rstrip("/").rsplit("/", 1)[-1] for path in (shop.order, shop.resource, shop.config)),
    ]
    asked = 0
    for path in sorted(LISTS):
        staff = world.operator.api.get(path, page_size=300)
        answer = world.stranger.api.get(path, page_size=300)
        if answer.status_code == 403:
            continue
        assert answer.status_code == 200, (path, answer.content)
        assert [uuid for uuid in secrets if uuid.encode() in answer.content] == [], path
        asked += int(any(uuid.encode() in staff.content for uuid in secrets))
    assert asked >= 5
    print(f"row security: {len(LISTS)} lists asked without the filter, {asked} of them hold foreign rows")
