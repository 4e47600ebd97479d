"""Writes: usage reported by people, flags on calls whose end is unclear, sums by key and version, partitions."""

from agentmart.metering.services.budgets import TELL_JOB, check_budgets
from agentmart.metering.services.calls import ensure_partitions, sweep_calls
from agentmart.metering.services.carry_over import carry_over
from agentmart.metering.services.payloads import (
    erase_payloads,
    read_payload,
    setting_of,
    sweep_payloads,
    update_config,
)
from agentmart.metering.services.report_usage import (
    MeteredByGateway,
    Report,
    TransactionMismatch,
    add_usage,
    check_may_report,
    set_usage,
    set_user_usage,
)
from agentmart.metering.services.split_hours import split_hours

__all__ = [
    "TELL_JOB",
    "MeteredByGateway",
    "Report",
    "TransactionMismatch",
    "add_usage",
    "carry_over",
    "check_budgets",
    "check_may_report",
    "ensure_partitions",
    "erase_payloads",
    "read_payload",
    "set_usage",
    "set_user_usage",
    "setting_of",
    "split_hours",
    "sweep_calls",
    "sweep_payloads",
    "update_config",
]
