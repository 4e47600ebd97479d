"""What each published figure means, in a sentence or two; every answer repeats its own."""

from __future__ import annotations

REVENUE = (
    "Invoice lines, net of tax, that begin in the range (UTC), from invoices that are final and not canceled "
    "(created or paid). A late line counts in the month of the invoice that carries it. total = fixed + usage + "
    "one_time + credits: fixed are plan fees and limits, usage is metered, one_time are activation and switch fees, "
    "credits are lines below zero of any kind. estimated are the same lines of drafts (pending and "
    "pending_finalization), not in total. Amounts of different currencies are never added."
)
PROVIDER_REVENUE = (
    "Net sum of the lines of the provider's offerings by month of the invoice that carries them, from invoices that "
    "are created or paid; estimated are drafts. One row per month and currency."
)
USAGE = (
    "Metered and reported quantities by the hour or day they belong to (UTC), corrections included, whether invoiced "
    "or not. totals are requests and tokens of agents."
)
ORDERS = (
    "Orders submitted (created) in the range, by the state they are in now. completion = done / submitted. Approval "
    "time: from submission to the last approval, of orders that waited for one and got it. Provisioning time: from "
    "submission or the last approval to completion, of done create orders. Medians, in seconds."
)
ORDER_STATS = (
    "Orders submitted (created) in the range, by the state they are in now. total_cost sums their cost, revenue that "
    "of create and update orders; both are null where several currencies occur (see costs)."
)
CUSTOMERS = (
    "total: registered customers but the operator's own. active: customers with a plan in force. new: registered in "
    "the month. activated: active at the end but not at the start; churned: active at the start but not at the end. "
    "growth = (total_at_end - total_at_start) / total_at_start. blocked: now. Start and end are the last instants "
    "before the range begins and before it is over (or now)."
)
MRR = (
    "Monthly recurring revenue at the end of the month (of the range, or now): recurring component prices of the "
    "plans in force, per subscription as a month's amount (year / 12, quarter / 3, day x 365/12), rounded half-up. "
    "Usage and one-time charges are no part of it, nor offerings that are not billed."
)
MOVEMENT = (
    "Change of each customer's MRR from one month's end to the next: new (had none and never had), reactivation (had "
    "none, but in an earlier month), expansion and contraction (had some before and after), churn (has none). "
    "opening + the five = closing."
)
ARR = "Annual recurring revenue: 12 x MRR."
ARPU = "MRR / customers with MRR above zero; 0 without any."
CHURN_RATE = (
    "Subscriptions cancelled in the 30 days before as_of / subscriptions in force 30 days before as_of; a cancellation "
    "counts when it is requested (without a request: when the plan ends). null where there were none."
)
ORDER_COMPLETION = "Orders done / orders submitted in the range; null where none was submitted."
KPIS = {
    "mrr": MRR,
    "movement": MOVEMENT,
    "arr": ARR,
    "arpu": ARPU,
    "churn_rate": CHURN_RATE,
    "order_completion": ORDER_COMPLETION,
}
