"""Writes: groups and categories of the catalogue, and who sells in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from agentmart.catalog.models import Category, CategoryGroup, Offering, ServiceProvider
from agentmart.catalog.services.removing import HasDependents, remove
from agentmart.identity.models import Customer
from agentmart.identity.permissions import require
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot


def change_row(row: Any, changes: Mapping[str, Any], *, action: str, actor: Actor, now: datetime) -> None:
    """Write changed columns with their audit entry; nothing where nothing differs."""
    changed = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not changed:
        return
    before = snapshot(row, *changed)
    for name, value in changed.items():
        setattr(row, name, value)
    row.modified = now
    row.save(update_fields=[*changed, "modified"])
    audit.record(action, row, actor=actor, now=now, before=before, after=snapshot(row, *changed))


@transaction.atomic
def create_category_group(*, actor: Actor, now: datetime, title: str, description: str = "") -> CategoryGroup:
    """Add a group of shelves; raises Forbidden."""
    require(actor, "category.write")
    group = CategoryGroup.objects.create(title=title, description=description, created=now, modified=now)
    audit.record("category_group.created", group, actor=actor, now=now, after={"title": title})
    return group


@transaction.atomic
def update_category_group(
    group: CategoryGroup, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> CategoryGroup:
    """Change a group; raises Forbidden."""
    require(actor, "category.write")
    change_row(group, changes, action="category_group.updated", actor=actor, now=now)
    return group


@transaction.atomic
def delete_category_group(group: CategoryGroup, *, actor: Actor, now: datetime) -> None:
    """Remove an empty group; raises Forbidden, HasDependents (409)."""
    require(actor, "category.write")
    audit.record(
        "category_group.deleted", group, actor=actor, now=now, before=snapshot(group, "title", "description")
    )
    remove(group, because=f"{group.title} holds categories; move them first.")


@transaction.atomic
def create_category(*, actor: Actor, now: datetime, title: str, **details: Any) -> Category:
    """Add a shelf to the catalogue; raises Forbidden."""
    require(actor, "category.write")
    category = Category.objects.create(title=title, created=now, modified=now, **details)
    _one_default(category, now=now)
    audit.record("category.created", category, actor=actor, now=now, after={"title": title})
    return category


def _one_default(category: Category, *, now: datetime) -> None:
    """Take a default mark from the other shelves: one shelf at most has it."""
    for mark in ("default_vm_category", "default_volume_category"):
        if getattr(category, mark):
            others = Category.objects.filter(**{mark: True}).exclude(pk=category.pk)
            others.update(**{mark: False}, modified=now)


@transaction.atomic
def update_category(
    category: Category, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> Category:
    """Change a shelf; raises Forbidden."""
    require(actor, "category.write")
    change_row(category, changes, action="category.updated", actor=actor, now=now)
    _one_default(category, now=now)
    return category


@transaction.atomic
def delete_category(category: Category, *, actor: Actor, now: datetime) -> None:
    """Remove an empty shelf; raises Forbidden, HasDependents (409)."""
    require(actor, "category.write")
    audit.record(
        "category.deleted", category, actor=actor, now=now, before=snapshot(category, "title", "description")
    )
    remove(category, because=f"{category.title} holds offerings; move or delete them first.")


@transaction.atomic
def register_provider(customer: Customer, *, actor: Actor, now: datetime, **details: Any) -> ServiceProvider:
    """Make a customer a service provider; returns the existing row where it is one already."""
    provider, created = ServiceProvider.objects.get_or_create(
        customer=customer,
        defaults={"name": customer.name, "created": now, "modified": now, **details},
    )
    if created:
        audit.record("service_provider.registered", provider, actor=actor, now=now)
    return provider


@transaction.atomic
def update_provider(
    provider: ServiceProvider, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> ServiceProvider:
    """Change what a provider says of itself; raises Forbidden."""
    require(actor, "provider.edit", provider_id=provider.customer_id)
    change_row(provider, changes, action="service_provider.updated", actor=actor, now=now)
    return provider


@transaction.atomic
def rename_provider(customer: Customer, *, now: datetime) -> None:
    """Give a customer's public face its new name; noted with the customer's own change."""
    with tenancy.elevated():
        ServiceProvider.objects.filter(customer=customer).update(name=customer.name, modified=now)


@transaction.atomic
def delete_provider(provider: ServiceProvider, *, actor: Actor, now: datetime) -> None:
    """End a customer's selling; raises Forbidden, HasDependents (409) while it has offerings."""
    require(actor, "customer.create")
    if Offering.objects.filter(service_provider=provider).exists():
        raise HasDependents(f"{provider.name} has offerings; delete them first.")
    audit.record(
        "service_provider.removed", provider, actor=actor, now=now, before=snapshot(provider, "name")
    )
    remove(provider, because=f"{provider.name} is still referred to.")
