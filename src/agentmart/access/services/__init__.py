"""Writes: keys, the Grants published from everything that decides what a key may do, and what reaches them."""

from agentmart.access.services.grants import publish_grants, state_of
from agentmart.access.services.holding import (
    follow_latest,
    set_blocked,
    set_paused,
    switch_version,
    update_config,
)
from agentmart.access.services.keys import issue_key, revoke_key, rotate_key
from agentmart.access.services.upkeep import note_uses, sweep_idempotent_calls

__all__ = [
    "follow_latest",
    "issue_key",
    "note_uses",
    "publish_grants",
    "revoke_key",
    "rotate_key",
    "set_blocked",
    "set_paused",
    "state_of",
    "sweep_idempotent_calls",
    "switch_version",
    "update_config",
]
