"""Writes: what resources say of their customer to who does not see the customer."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from agentmart.identity.models import Customer
from agentmart.infra import tenancy
from agentmart.resources.models import Resource


@transaction.atomic
def rename_customer(customer: Customer, *, now: datetime) -> None:
    """Write a customer's new name to its resources; noted with the customer's own change."""
    with tenancy.elevated():
        Resource.objects.filter(customer=customer).update(customer_name=customer.name, modified=now)
