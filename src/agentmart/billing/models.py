"""Tables of invoices, their lines, payments, and how far each customer's months are billed."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from agentmart.billing.states import DRAFT, FINAL, InvoiceState, MonthState
from agentmart.catalog.models import Offering
from agentmart.identity.models import Customer, Project
from agentmart.identity.permissions import permitted
from agentmart.infra.actors import Actor
from agentmart.infra.models import BaseModel, M, ScopedQuerySet
from agentmart.kit.money import money_text
from agentmart.kit.periods import Period, month


class BuyerQuerySet(ScopedQuerySet[M]):
    """Rows of the invoiced customer: for those who may see its invoices, and the operators who may."""

    def visible_to(self, actor: Actor) -> BuyerQuerySet[M]:
        """Return the rows the actor may see."""
        if permitted(actor, "invoice.see"):
            return self
        own = [
            customer_id
            for customer_id in actor.customer_ids
            if permitted(actor, "invoice.see", customer_id=customer_id)
        ]
        return self.filter(customer_id__in=own)


class InvoiceQuerySet(BuyerQuerySet["Invoice"]):
    """Invoices."""


class Invoice(BaseModel):
    """What a customer owes an issuer for one calendar month (UTC) in one currency.

    A draft is rewritten at will; once final, a trigger refuses every change but of state and payment.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="invoices")
    customer_details = models.JSONField(default=dict)
    issuer_id = models.UUIDField()
    issuer_details = models.JSONField(default=dict)
    year = models.PositiveSmallIntegerField()
    month = models.PositiveSmallIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=20, choices=InvoiceState.choices, default=InvoiceState.PENDING)
    number = models.PositiveIntegerField(null=True)  # gap-free per issuer, given at finalization
    price = models.DecimalField(max_digits=24, decimal_places=4, default=0)
    tax = models.DecimalField(max_digits=24, decimal_places=4, default=0)
    total = models.DecimalField(max_digits=24, decimal_places=4, default=0)
    invoice_date = models.DateField(null=True)
    due_date = models.DateField(null=True)
    finalized_at = models.DateTimeField(null=True)
    amount_paid = models.DecimalField(max_digits=24, decimal_places=4, default=0)
    payment_date = models.DateField(null=True)
    reference_number = models.CharField(max_length=100, blank=True)
    backend_id = models.CharField(max_length=255, blank=True)
    payment_url = models.CharField(max_length=500, blank=True)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        db_table = "billing_invoice"
        indexes = (models.Index(fields=["year", "month"], name="billing_invoice_month"),)
        constraints = (
            models.UniqueConstraint(
                fields=["customer", "year", "month", "currency", "issuer_id"], name="one_invoice_per_month"
            ),
            models.UniqueConstraint(fields=["issuer_id", "number"], name="invoice_number_once"),
            models.CheckConstraint(
                condition=models.Q(price=models.F("total") - models.F("tax")),
                name="invoice_total_is_price_plus_tax",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=DRAFT, number=None, invoice_date=None, due_date=None, finalized_at=None
                )
                | models.Q(
                    state__in=FINAL,
                    number__gte=1,
                    invoice_date__isnull=False,
                    due_date__isnull=False,
                    finalized_at__isnull=False,
                ),
                name="invoice_numbered_when_final",
            ),
        )

    def __str__(self) -> str:
        return f"invoice {self.number or 'draft'} {self.year}-{self.month:02d} {self.money(self.total)}"

    @property
    def period(self) -> Period:
        """Return the invoiced month."""
        return month(self.year, self.month)

    def money(self, amount: Decimal) -> str:
        """Return an amount of this invoice for a message."""
        return f"{money_text(amount, self.currency)} {self.currency}"


class InvoiceItemQuerySet(ScopedQuerySet["InvoiceItem"]):
    """Lines, seen by the buyer and by the provider of the offering."""

    scope = ("customer_id", "provider_customer_id")


class InvoiceItem(BaseModel):
    """One line, with all that explains it: price, steps and share of the period in `details`.

    Shared with the provider whose offering it charges, so it carries copies of names.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    customer_id = models.UUIDField(db_index=True)
    provider_customer_id = models.UUIDField(db_index=True)
    project_id = models.UUIDField()
    project_name = models.CharField(max_length=150)
    resource_id = models.UUIDField()
    resource_name = models.CharField(max_length=150)
    offering_id = models.UUIDField()
    offering_name = models.CharField(max_length=150)
    plan_id = models.UUIDField()
    plan_name = models.CharField(max_length=150)
    component_type = models.CharField(max_length=60)
    name = models.CharField(max_length=600)
    billing_type = models.CharField(max_length=10)
    measured_unit = models.CharField(max_length=30, blank=True)
    unit = models.CharField(max_length=20)
    quantity = models.DecimalField(max_digits=40, decimal_places=10)
    currency = models.CharField(max_length=3)
    unit_price = models.DecimalField(max_digits=24, decimal_places=10, null=True)
    price = models.DecimalField(max_digits=24, decimal_places=4)
    tax = models.DecimalField(max_digits=24, decimal_places=4, default=0)
    total = models.DecimalField(max_digits=24, decimal_places=4)
    usage_month = (
        models.DateField()
    )  # first day of the month it rates: a late line's is earlier than its invoice's
    start = models.DateTimeField()
    end = models.DateTimeField()
    late = models.BooleanField(default=False)
    details = models.JSONField(default=dict)

    objects = InvoiceItemQuerySet.as_manager()

    class Meta:
        db_table = "billing_invoice_item"
        indexes = (models.Index(fields=["customer_id", "usage_month"], name="billing_item_usage_month"),)
        constraints = (
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_position_once"),
            models.CheckConstraint(
                condition=models.Q(price=models.F("total") - models.F("tax")),
                name="item_total_is_price_plus_tax",
            ),
        )

    def __str__(self) -> str:
        return self.name


class PaymentQuerySet(BuyerQuerySet["Payment"]):
    """Payments."""


class Payment(BaseModel):
    """Money received for an invoice; never changed."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    customer_id = models.UUIDField(db_index=True)
    amount = models.DecimalField(max_digits=24, decimal_places=4)
    currency = models.CharField(max_length=3)
    paid_on = models.DateField()
    reference = models.CharField(max_length=100, blank=True)
    proof_name = models.CharField(max_length=200, blank=True)
    proof_type = models.CharField(max_length=50, blank=True)
    proof = models.BinaryField(null=True)  # the file that shows the payment

    objects = PaymentQuerySet.as_manager()

    class Meta:
        db_table = "billing_payment"

    def __str__(self) -> str:
        return f"{money_text(self.amount, self.currency)} {self.currency} on {self.paid_on}"


class CreditNoteQuerySet(BuyerQuerySet["CreditNote"]):
    """Credit notes."""


class CreditNote(BaseModel):
    """What takes a canceled invoice back, whole; never changed. Numbered without gaps per issuer."""

    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="credit_note")
    customer_id = models.UUIDField(db_index=True)
    issuer_id = models.UUIDField()
    number = models.PositiveIntegerField()
    issued_on = models.DateField()
    reason = models.CharField(max_length=500)
    currency = models.CharField(max_length=3)
    price = models.DecimalField(max_digits=24, decimal_places=4)
    tax = models.DecimalField(max_digits=24, decimal_places=4)
    total = models.DecimalField(max_digits=24, decimal_places=4)

    objects = CreditNoteQuerySet.as_manager()

    class Meta:
        db_table = "billing_credit_note"
        constraints = (
            models.UniqueConstraint(fields=["issuer_id", "number"], name="credit_note_number_once"),
            models.CheckConstraint(
                condition=models.Q(price=models.F("total") - models.F("tax")),
                name="credit_note_total_is_price_plus_tax",
            ),
        )

    def __str__(self) -> str:
        return f"credit note {self.number} {money_text(self.total, self.currency)} {self.currency}"


class BilledMonthQuerySet(BuyerQuerySet["BilledMonth"]):
    """Billed months."""


class BilledMonth(BaseModel):
    """How far a customer's calendar month is billed; `lines` are those on its final invoices, late ones included."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
    first_day = models.DateField()
    state = models.CharField(max_length=20, choices=MonthState.choices)
    lines = models.PositiveIntegerField(default=0)

    objects = BilledMonthQuerySet.as_manager()

    class Meta:
        db_table = "billing_month"
        constraints = (models.UniqueConstraint(fields=["customer", "first_day"], name="billed_month_once"),)

    def __str__(self) -> str:
        return f"{self.first_day:%Y-%m} {self.state}"


class CostEstimateQuerySet(BuyerQuerySet["CostEstimate"]):
    """Estimates, seen by those who may see invoices."""


class CostEstimate(models.Model):
    """What a month that is not finally invoiced will come to, by project and offering, as last calculated by a job.

    Net and tax of the lines that the month's invoice would have if usage stopped now; fees of the whole month.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="cost_estimates")
    project = models.ForeignKey(
        Project, on_delete=models.DO_NOTHING, db_constraint=False, related_name="cost_estimates"
    )
    offering_id = models.UUIDField(db_index=True)
    provider_customer_id = models.UUIDField()
    first_day = models.DateField()
    currency = models.CharField(max_length=3)
    price = models.DecimalField(max_digits=24, decimal_places=4)
    tax = models.DecimalField(max_digits=24, decimal_places=4)
    as_of = models.DateTimeField()

    objects = CostEstimateQuerySet.as_manager()

    class Meta:
        db_table = "billing_cost_estimate"
        constraints = (
            models.UniqueConstraint(
                fields=["customer", "first_day", "project", "offering_id", "currency"],
                name="cost_estimate_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.first_day:%Y-%m} about {money_text(self.price, self.currency)} {self.currency}"


class OfferingFiguresQuerySet(ScopedQuerySet["OfferingFigures"]):
    """What offerings brought in, seen by their provider."""


class OfferingFigures(models.Model):
    """What an offering has brought in, as last summed up by a job; its provider's and the operators' to read.

    In the currency of its first plan, net of tax: `total_cost` is the sum of all lines of final invoices that are not
    canceled, `total_cost_estimated` that of the months not finally invoiced, by `CostEstimate`.
    """

    offering = models.OneToOneField(
        Offering, on_delete=models.CASCADE, primary_key=True, related_name="figures"
    )
    customer_id = models.UUIDField(db_index=True)
    currency = models.CharField(max_length=3)
    total_cost = models.DecimalField(max_digits=24, decimal_places=4)
    total_cost_estimated = models.DecimalField(max_digits=24, decimal_places=4)
    as_of = models.DateTimeField()

    objects = OfferingFiguresQuerySet.as_manager()

    class Meta:
        db_table = "billing_offering_figures"
        verbose_name_plural = "offering figures"

    def __str__(self) -> str:
        return f"{self.offering}: {money_text(self.total_cost, self.currency)} {self.currency}"
