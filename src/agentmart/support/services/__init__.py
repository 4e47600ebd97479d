"""Writes of the support desk, one file per use case."""

from agentmart.support.services.checking import check_clocks
from agentmart.support.services.files import attach, delete_attachment
from agentmart.support.services.handling import (
    bulk_update,
    delete_issue,
    escalate_issue,
    give_feedback,
    reopen_issue,
    require_state,
    resolve_issue,
    set_status,
    statuses_for,
    update_issue,
)
from agentmart.support.services.opening import open_issue, place_of
from agentmart.support.services.talking import comment, delete_comment, edit_comment
from agentmart.support.services.targets import set_sla_targets

__all__ = [
    "attach",
    "bulk_update",
    "check_clocks",
    "comment",
    "delete_attachment",
    "delete_comment",
    "delete_issue",
    "edit_comment",
    "escalate_issue",
    "give_feedback",
    "open_issue",
    "place_of",
    "reopen_issue",
    "require_state",
    "resolve_issue",
    "set_sla_targets",
    "set_status",
    "statuses_for",
    "update_issue",
]
