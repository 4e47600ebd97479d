"""The names under which billing waits for itself."""

from __future__ import annotations

from django.db import connection


def lock(name: str) -> None:
    """Wait until no other transaction holds the name; held to the end of this one.

    Whoever takes two takes the customer's first, then the issuer's: so nobody waits in a circle.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
