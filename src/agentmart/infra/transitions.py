"""Moving a row from one state to another: checked, raced once, audited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import models

from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.kit.states import IllegalTransition, check_transition, sources_of

__all__ = ["IllegalTransition", "move"]


def move(
    row: Any,
    to: str,
    *,
    transitions: Mapping[Any, frozenset[Any]],
    actor: Actor,
    now: datetime,
    action: str,
    **changes: Any,
) -> None:
    """Move `row.state` to `to` by one conditional update, together with further column `changes`.

    Raises IllegalTransition (409) when the table does not list the step, or when another request moved the row
    first. Writes the audit entry in the same transaction. The passed row is updated in place.
    """
    before = str(row.state)
    check_transition(transitions, row.state, to)
    model: type[models.Model] = type(row)
    moved = model._default_manager.filter(pk=row.pk, state=row.state).update(
        state=to, modified=now, **changes
    )
    if moved != 1:
        valid = ", ".join(sources_of(transitions, to))
        present = model._default_manager.filter(pk=row.pk).values_list("state", flat=True).first()
        raise IllegalTransition(
            f"Valid states for operation: {valid}.", extra={"state": str(present or before)}
        )
    row.state = to
    row.modified = now
    for name, value in changes.items():
        setattr(row, name, value)
    audit.record(action, row, actor=actor, now=now, before={"state": before}, after={"state": str(to)})
