"""Deleting rows that nothing else may stand on."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from agentmart.infra import tenancy
from agentmart.kit.errors import Conflict


class HasDependents(Conflict):
    """Something else stands on the row; it cannot be deleted."""

    code = "has_dependents"


def remove(row: Any, *, because: str) -> None:
    """Delete a row with what is part of it; raises HasDependents (409, saying `because`) where others refer to it.

    All tenants are visible for it: who refers to the row need not be visible to whoever deletes it.
    """
    with tenancy.elevated():
        try:
            with transaction.atomic():
                row.delete()
        except (ProtectedError, IntegrityError):
            raise HasDependents(because) from None
