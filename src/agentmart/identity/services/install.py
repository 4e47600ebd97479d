"""Writes: what an installation starts with."""

from __future__ import annotations

from datetime import datetime

from agentmart.identity.models import Customer, User
from agentmart.identity.services.customers import create_customer
from agentmart.identity.services.users import check_password, create_user, refresh_token
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import system_actor


def install(*, now: datetime, operator_name: str, currency: str) -> Customer:
    """Make the operator's own customer on first start; returns it, also when it exists already."""
    with tenancy.as_system("install") as actor:
        found = Customer.objects.filter(is_operator=True).first()
        if found:
            return found
        return create_customer(actor=actor, now=now, name=operator_name, currency=currency, is_operator=True)


def create_staff(*, username: str, password: str, email: str = "", now: datetime) -> tuple[User, str]:
    """Create (or reset) a staff login; returns the person and a fresh API token, for this one showing.

    Raises Invalid with field `password` when the password is too weak.
    """
    with tenancy.as_system("createstaff"):
        actor = system_actor("createstaff")
        user = User.objects.filter(username=username).first()
        if user is None:
            user = create_user(
                actor=actor,
                now=now,
                username=username,
                password=password,
                email=email,
                is_staff=True,
                is_superuser=True,
            )
        else:
            check_password(password, user)
            user.set_password(password)
            user.is_staff = user.is_superuser = user.is_active = True
            user.save()
            audit.record("user.staff_reset", user, actor=actor, now=now)
        return user, refresh_token(user, actor=actor, now=now)
