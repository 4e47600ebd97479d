"""Writes: usage reported by people, flags on calls whose end is unclear, partitions for the months ahead."""

from agentmart.metering.services.calls import ensure_partitions, sweep_calls
from agentmart.metering.services.carry_over import carry_over
from agentmart.metering.services.report_usage import (
    MeteredByGateway,
    Report,
    TransactionMismatch,
    add_usage,
    check_may_report,
    set_usage,
    set_user_usage,
)

__all__ = [
    "MeteredByGateway",
    "Report",
    "TransactionMismatch",
    "add_usage",
    "carry_over",
    "check_may_report",
    "ensure_partitions",
    "set_usage",
    "set_user_usage",
    "sweep_calls",
]
