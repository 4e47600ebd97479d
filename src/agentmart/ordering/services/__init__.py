"""Writes: orders, from placing to done, one file per use; the work outside happens in `tasks`."""

from agentmart.ordering.services.carry_out import (
    complete_order,
    fail_order,
    load,
    retry_order,
    set_backend_id,
    set_done,
    set_erred,
    set_executing,
)
from agentmart.ordering.services.changes import (
    change_options,
    order_limits,
    order_options,
    order_plan,
    order_restoration,
    order_termination,
    require_change,
    require_termination,
)
from agentmart.ordering.services.checks import OpenOrderExists
from agentmart.ordering.services.comments import comment_order, require_comment, set_message
from agentmart.ordering.services.editing import delete_order, edit_order
from agentmart.ordering.services.place import place_order
from agentmart.ordering.services.review import (
    approve,
    approve_as_consumer,
    approve_as_provider,
    cancel_order,
    reject,
    reject_as_consumer,
    reject_as_provider,
)
from agentmart.ordering.services.rules import create_rule, delete_rule, require_rule, update_rule
from agentmart.ordering.services.said import call_erred, call_ok, lower_limits, require_word
from agentmart.ordering.services.schedule import (
    find_stuck,
    order_ends_that_are_due,
    release_waiting,
)

__all__ = [
    "OpenOrderExists",
    "approve",
    "approve_as_consumer",
    "approve_as_provider",
    "call_erred",
    "call_ok",
    "cancel_order",
    "change_options",
    "comment_order",
    "complete_order",
    "create_rule",
    "delete_order",
    "delete_rule",
    "edit_order",
    "fail_order",
    "find_stuck",
    "load",
    "lower_limits",
    "order_ends_that_are_due",
    "order_limits",
    "order_options",
    "order_plan",
    "order_restoration",
    "order_termination",
    "place_order",
    "reject",
    "reject_as_consumer",
    "reject_as_provider",
    "release_waiting",
    "require_change",
    "require_comment",
    "require_rule",
    "require_termination",
    "require_word",
    "retry_order",
    "set_backend_id",
    "set_done",
    "set_erred",
    "set_executing",
    "set_message",
    "update_rule",
]
