"""Tells PostgreSQL whose rows the running transaction may see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from agentmart.infra.actors import Actor, system_actor


def enter(actor: Actor) -> None:
    """Set the actor and their tenants for the rest of the open transaction (SET LOCAL).

    Raises TransactionManagementError outside one: the setting would not last, and nothing would be visible.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("tenancy.enter() needs an open transaction")
    ids = ",".join(sorted(str(customer_id) for customer_id in actor.customer_ids))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('agentmart.customer_ids', %s, true), set_config('agentmart.system', %s, true), "
            "set_config('agentmart.user_id', %s, true)",
            [ids, "on" if actor.is_operator else "off", str(actor.user_id or "")],
        )


@contextmanager
def acting(actor: Actor) -> Iterator[Actor]:
    """Open a transaction in which `actor`'s tenants are visible: one service call, or the reads of one job step."""
    with transaction.atomic():
        enter(actor)
        yield actor


@contextmanager
def as_system(name: str) -> Iterator[Actor]:
    """Open a transaction that sees all tenants; `name` says which job, for the audit log."""
    with acting(system_actor(name)) as actor:
        yield actor


@contextmanager
def elevated() -> Iterator[None]:
    """See all tenants inside an open transaction for one look-up that spans them, then go back.

    For rows the actor may not see but whose facts the operation needs (a buyer's order reads the provider's
    private deployment data). Keep the block as small as the look-up.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('agentmart.system', true)")
        (before,) = cursor.fetchone()
        cursor.execute("SELECT set_config('agentmart.system', 'on', true)")
    try:
        yield
    finally:
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('agentmart.system', %s, true)", [before or "off"])
