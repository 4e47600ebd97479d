"""Jobs: months are prepared when they end and finalized after their grace; invoices are sent; months are estimated."""

from __future__ import annotations

from uuid import UUID

from django.core.mail import EmailMessage

from agentmart.billing import documents, services
from agentmart.infra import clock, jobs


@jobs.periodic("billing.close_periods", cron="* * * * *")
def close_periods() -> None:
    """Bill every month that is due; what fails is tried again a minute later."""
    services.close_periods(now=clock.now())


@jobs.periodic("billing.estimate_costs", cron="9,39 * * * *")
def estimate_costs() -> None:
    """Estimate what open months will come to, and sum up what offerings have brought in."""
    services.estimate_costs(now=clock.now())


@jobs.job(services.SENDING_JOB)
def send_invoice(invoice_id: str) -> None:
    """E-mail an invoice with its PDF to its customer; tried again while the mail server does not take it."""
    letter = documents.letter_of(UUID(invoice_id))
    message = EmailMessage(letter.subject, letter.text, to=letter.to)
    message.attach(letter.file_name, letter.pdf, "application/pdf")
    message.send()
    services.note_sent(UUID(invoice_id), letter.to, now=clock.now())
