"""Invoices with their lines, payments and billed months; what is final is kept by triggers."""

from dataclasses import replace

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, shared, system_only, tenant

KEEP_FINAL = """
CREATE FUNCTION billing_keep_final_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    drafts text[] := ARRAY['pending', 'pending_finalization'];
    open_columns text[] := ARRAY['state', 'modified', 'amount_paid', 'payment_date', 'reference_number',
                                 'backend_id', 'payment_url'];
    lines record;
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT OLD.state = ANY (drafts) THEN
            RAISE EXCEPTION 'invoice % is final and is never deleted; cancel it instead', OLD.number
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF NOT OLD.state = ANY (drafts) AND (
        NEW.state = ANY (drafts) OR to_jsonb(OLD) - open_columns <> to_jsonb(NEW) - open_columns
    ) THEN
        RAISE EXCEPTION 'invoice % is final: only its state and payment change', OLD.number
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = ANY (drafts) AND NOT NEW.state = ANY (drafts) THEN
        SELECT coalesce(sum(i.price), 0) AS price, coalesce(sum(i.tax), 0) AS tax INTO lines
        FROM billing_invoice_item i WHERE i.invoice_id = NEW.id;
        IF lines.price <> NEW.price OR lines.tax <> NEW.tax THEN
            RAISE EXCEPTION 'invoice % says % + % tax, its lines add up to % + %',
                NEW.id, NEW.price, NEW.tax, lines.price, lines.tax USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;

-- Locks the invoice's row, so that no line can change beside a finalization. An invoice that the session
-- cannot see counts as final.
CREATE FUNCTION billing_keep_final_item() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    touched uuid[];
    invoice uuid;
BEGIN
    IF TG_OP = 'INSERT' THEN touched := ARRAY[NEW.invoice_id];
    ELSIF TG_OP = 'DELETE' THEN touched := ARRAY[OLD.invoice_id];
    ELSE touched := ARRAY[OLD.invoice_id, NEW.invoice_id];
    END IF;
    FOREACH invoice IN ARRAY touched LOOP
        PERFORM 1 FROM billing_invoice b
        WHERE b.id = invoice AND b.state IN ('pending', 'pending_finalization') FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the lines of a final invoice never change' USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_invoice_keep_final BEFORE UPDATE OR DELETE ON billing_invoice
    FOR EACH ROW EXECUTE FUNCTION billing_keep_final_invoice();
CREATE TRIGGER billing_invoice_item_keep_final BEFORE INSERT OR UPDATE OR DELETE ON billing_invoice_item
    FOR EACH ROW EXECUTE FUNCTION billing_keep_final_item();
CREATE TRIGGER billing_invoice_no_truncate BEFORE TRUNCATE ON billing_invoice
    FOR EACH STATEMENT EXECUTE FUNCTION agentmart_refuse_change();
CREATE TRIGGER billing_invoice_item_no_truncate BEFORE TRUNCATE ON billing_invoice_item
    FOR EACH STATEMENT EXECUTE FUNCTION agentmart_refuse_change();
"""

# Buyers and providers read; only the system and operators write.
FOR_BUYER = replace(tenant(), write=system_only().write)
FOR_BOTH_SIDES = replace(shared(), write=system_only().write)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("infra", "0001_initial"),
        ("identity", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Invoice",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("customer_details", models.JSONField(default=dict)),
                ("issuer_id", models.UUIDField()),
                ("issuer_details", models.JSONField(default=dict)),
                ("year", models.PositiveSmallIntegerField()),
                ("month", models.PositiveSmallIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("pending_finalization", "Pending Finalization"),
                            ("created", "Created"),
                            ("paid", "Paid"),
                            ("canceled", "Canceled"),
                        ],
                        default="pending",
                        max_length=20,
                    ),
                ),
                ("number", models.PositiveIntegerField(null=True)),
                ("price", models.DecimalField(decimal_places=4, default=0, max_digits=24)),
                ("tax", models.DecimalField(decimal_places=4, default=0, max_digits=24)),
                ("total", models.DecimalField(decimal_places=4, default=0, max_digits=24)),
                ("invoice_date", models.DateField(null=True)),
                ("due_date", models.DateField(null=True)),
                ("finalized_at", models.DateTimeField(null=True)),
                ("amount_paid", models.DecimalField(decimal_places=4, default=0, max_digits=24)),
                ("payment_date", models.DateField(null=True)),
                ("reference_number", models.CharField(blank=True, max_length=100)),
                ("backend_id", models.CharField(blank=True, max_length=255)),
                ("payment_url", models.CharField(blank=True, max_length=500)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="identity.customer",
                    ),
                ),
            ],
            options={
                "db_table": "billing_invoice",
            },
        ),
        migrations.CreateModel(
            name="InvoiceItem",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("position", models.PositiveIntegerField()),
                ("customer_id", models.UUIDField(db_index=True)),
                ("provider_customer_id", models.UUIDField(db_index=True)),
                ("project_id", models.UUIDField()),
                ("project_name", models.CharField(max_length=150)),
                ("resource_id", models.UUIDField()),
                ("resource_name", models.CharField(max_length=150)),
                ("offering_id", models.UUIDField()),
                ("offering_name", models.CharField(max_length=150)),
                ("plan_id", models.UUIDField()),
                ("plan_name", models.CharField(max_length=150)),
                ("component_type", models.CharField(max_length=60)),
                ("name", models.CharField(max_length=600)),
                ("billing_type", models.CharField(max_length=10)),
                ("measured_unit", models.CharField(blank=True, max_length=30)),
                ("unit", models.CharField(max_length=20)),
                ("quantity", models.DecimalField(decimal_places=10, max_digits=40)),
                ("currency", models.CharField(max_length=3)),
                ("unit_price", models.DecimalField(decimal_places=10, max_digits=24, null=True)),
                ("price", models.DecimalField(decimal_places=4, max_digits=24)),
                ("tax", models.DecimalField(decimal_places=4, default=0, max_digits=24)),
                ("total", models.DecimalField(decimal_places=4, max_digits=24)),
                ("usage_month", models.DateField()),
                ("start", models.DateTimeField()),
                ("end", models.DateTimeField()),
                ("late", models.BooleanField(default=False)),
                ("details", models.JSONField(default=dict)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="billing.invoice",
                    ),
                ),
            ],
            options={
                "db_table": "billing_invoice_item",
            },
        ),
        migrations.CreateModel(
            name="Payment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("customer_id", models.UUIDField(db_index=True)),
                ("amount", models.DecimalField(decimal_places=4, max_digits=24)),
                ("currency", models.CharField(max_length=3)),
                ("paid_on", models.DateField()),
                ("reference", models.CharField(blank=True, max_length=100)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="billing.invoice",
                    ),
                ),
            ],
            options={
                "db_table": "billing_payment",
            },
        ),
        migrations.CreateModel(
            name="BilledMonth",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("first_day", models.DateField()),
                (
                    "state",
                    models.CharField(choices=[("prepared", "Prepared"), ("closed", "Closed")], max_length=20),
                ),
                ("lines", models.PositiveIntegerField(default=0)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identity.customer"
                    ),
                ),
            ],
            options={
                "db_table": "billing_month",
                "constraints": [
                    models.UniqueConstraint(fields=("customer", "first_day"), name="billed_month_once")
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                fields=("customer", "year", "month", "currency", "issuer_id"), name="one_invoice_per_month"
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(fields=("issuer_id", "number"), name="invoice_number_once"),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "price",
                        django.db.models.expressions.CombinedExpression(
                            models.F("total"), "-", models.F("tax")
                        ),
                    )
                ),
                name="invoice_total_is_price_plus_tax",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("due_date", None),
                        ("finalized_at", None),
                        ("invoice_date", None),
                        ("number", None),
                        ("state__in", ("pending", "pending_finalization")),
                    ),
                    models.Q(
                        ("due_date__isnull", False),
                        ("finalized_at__isnull", False),
                        ("invoice_date__isnull", False),
                        ("number__gte", 1),
                        ("state__in", ("created", "paid", "canceled")),
                    ),
                    _connector="OR",
                ),
                name="invoice_numbered_when_final",
            ),
        ),
        migrations.AddIndex(
            model_name="invoiceitem",
            index=models.Index(fields=["customer_id", "usage_month"], name="billing_item_usage_month"),
        ),
        migrations.AddConstraint(
            model_name="invoiceitem",
            constraint=models.UniqueConstraint(fields=("invoice", "position"), name="invoice_position_once"),
        ),
        migrations.AddConstraint(
            model_name="invoiceitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "price",
                        django.db.models.expressions.CombinedExpression(
                            models.F("total"), "-", models.F("tax")
                        ),
                    )
                ),
                name="item_total_is_price_plus_tax",
            ),
        ),
        protect("billing_invoice", FOR_BUYER),
        protect("billing_invoice_item", FOR_BOTH_SIDES),
        protect("billing_payment", FOR_BUYER, append_only=True),
        protect("billing_month", FOR_BUYER),
        migrations.RunSQL(
            KEEP_FINAL,
            "DROP FUNCTION billing_keep_final_invoice, billing_keep_final_item CASCADE",
        ),
    ]
